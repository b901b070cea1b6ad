// The door to node:sqlite: opens database files and says what their failures mean.

import type * as sqliteTypes from 'node:sqlite'
import type { DatabaseSync } from 'node:sqlite'
import { KubedeltaError } from '../base/errors.ts'
import type { ErrorFields } from '../base/errors.ts'

export type { DatabaseSync, StatementSync } from 'node:sqlite'

export interface OpenDatabaseOptions {
  readonly readOnly: boolean
  /** How long a statement waits for a lock that another connection holds. The thread stands still meanwhile. */
  readonly busyTimeoutMs: number
}

/** Opens a database file. @throws what node:sqlite throws: `sqliteError` translates it */
export function openDatabase(path: string, { readOnly, busyTimeoutMs }: OpenDatabaseOptions): DatabaseSync {
  const database = new sqlite.DatabaseSync(path, { readOnly })
  try {
    // Not the constructor's `timeout`: Node 22 does not know it.
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Result codes of SQLite that need an answer of their own: https://sqlite.org/rescode.html */
export const SQLITE = {
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  notadb: 26,
} as const

/** The primary result code of a failure of SQLite, or undefined for any other. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  // Extended codes carry the primary one in their lowest byte.
  return error.errcode & 0xff
}

/**
 * Whether the same statement may succeed later without anyone touching the log: a full disk, a lock.
 * A failed write or fsync is not among them: what the kernel then still holds in its cache is unknown, and only
 * reading the files anew tells. (https://lwn.net/Articles/752063)
 */
export function isPassing(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === SQLITE.busy || code === SQLITE.locked || code === SQLITE.full
}

/**
 * A failure of SQLite as one that a caller may handle; anything else comes back as it is.
 * @param action what was tried, as in `read topic x`
 * @param path the topic's directory, which the way out names
 */
export function sqliteError(
  error: unknown,
  { action, path, fields = {} }: { readonly action: string; readonly path: string; readonly fields?: ErrorFields },
): unknown {
  const code = sqliteCode(error)
  if (code === undefined || !(error instanceof Error)) return error
  const options = { cause: error, fields: { ...fields, path } }
  switch (code) {
    case SQLITE.corrupt:
    case SQLITE.notadb:
      return new KubedeltaError(
        'corrupt',
        `Cannot ${action}: ${path} is damaged (${error.message}): ${WAY_OUT}`,
        options,
      )
    case SQLITE.readonly:
    case SQLITE.cantopen:
      return new KubedeltaError(
        'forbidden',
        `Cannot ${action}: wanted a directory and files that this user may read and write: ${path}: ${error.message}`,
        options,
      )
    case SQLITE.busy:
    case SQLITE.locked:
      return new KubedeltaError('timeout', `Cannot ${action}: another process keeps ${path} locked`, options)
    case SQLITE.full:
    case SQLITE.ioerr:
      return new KubedeltaError(
        'rejected',
        `Cannot ${action}: the disk of ${path} refused it (${error.message}): make room or mend it, and start again`,
        options,
      )
    default:
      return error
  }
}

/** What to do about a damaged topic: nothing in it is irreplaceable, the cluster has it all. */
export const WAY_OUT = 'move that directory away and start the bridge, which then writes the topic anew'

const sqlite = loadSqlite()

/**
 * Node 22 warns that node:sqlite is experimental each time it is loaded. Nothing else is loaded within this call, so
 * no other warning is lost.
 */
function loadSqlite(): typeof sqliteTypes {
  // oxlint-disable-next-line typescript/unbound-method -- put back, not called
  const emitWarning = process.emitWarning
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
