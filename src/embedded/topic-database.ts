// Creates and opens the database of one topic, and refuses what is not one.

import { hostname } from 'node:os'
import { KubedeltaError } from '../base/errors.ts'
import type { TopicSpec } from '../topic/port.ts'
import { openDatabase, sqliteError, WAY_OUT } from './sqlite.ts'
import type { DatabaseSync } from './sqlite.ts'
import { fileIdentity, type TopicFiles } from './topic-files.ts'
import { fullConfig } from './topic-settings.ts'

/** An open database of a topic, with what does not change while it is open. */
export interface TopicDatabase {
  readonly database: DatabaseSync
  readonly partitions: number
  /** Every configuration in force. */
  readonly config: ReadonlyMap<string, string>
  /** Of the file that was opened. */
  readonly identity: string | undefined
}

/** `kdel` */
const APPLICATION_ID = 0x6b_64_65_6c

/** Raised when an older kubedelta would misread or damage the files. */
const FORMAT_VERSION = 1

const MAX_PARTITIONS = 1_000

/**
 * One row a record, one table a partition: appends go to the end of a tree, a scan follows it.
 *
 * - `segments`: what was appended, cut by size and age. The last of a partition is open and says where the partition ends; `clean`
 *   is 1 for what compaction has seen, which is then one row.
 * - `tombstones`: those that stand alone since compaction, with the time at which they may go.
 * - Offsets are never reused: ends stand in `segments` and not in the records, which compaction removes.
 */
const SCHEMA = `
  CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE config (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE segments (
    part INTEGER NOT NULL, base INTEGER NOT NULL, next INTEGER NOT NULL, bytes INTEGER NOT NULL,
    begun_ms INTEGER NOT NULL, clean INTEGER NOT NULL, PRIMARY KEY (part, base)) WITHOUT ROWID;
  CREATE TABLE tombstones (
    expires_ms INTEGER NOT NULL, part INTEGER NOT NULL, pos INTEGER NOT NULL,
    PRIMARY KEY (expires_ms, part, pos)) WITHOUT ROWID;
`

/** The name of a partition's table. */
export function recordsTable(partition: number): string {
  return `records_${partition}`
}

/** Fills a new, empty database file. @throws KubedeltaError `rejected` for a topic that cannot be */
export function createTopicDatabase(files: TopicFiles, spec: TopicSpec): void {
  const { topic, partitions } = spec
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw new KubedeltaError(
      'rejected',
      `Cannot create topic ${topic}: wanted 1 to ${MAX_PARTITIONS} partitions: current value is ${partitions}`,
    )
  }
  fullConfig(topic, spec.config)
  const database = openDatabase(files.database, { readOnly: false, busyTimeoutMs: 0 })
  try {
    // Small pages: a commit of a few small records writes each page it touches. Incremental: freed pages can be given back.
    database.exec(
      'PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL',
    )
    database.exec(
      `BEGIN; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}; ${SCHEMA}`,
    )
    const addConfig = database.prepare('INSERT INTO config VALUES (?, ?)')
    for (const [name, value] of spec.config) addConfig.run(name, value)
    const addAbout = database.prepare('INSERT INTO about VALUES (?, ?)')
    addAbout.run('topic', topic)
    addAbout.run('partitions', String(partitions))
    for (let partition = 0; partition < partitions; partition++) {
      database.exec(`CREATE TABLE ${recordsTable(partition)} (
        pos INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, crc INTEGER NOT NULL,
        key BLOB NOT NULL, headers BLOB, value BLOB)`)
    }
    database.exec('COMMIT')
  } finally {
    database.close()
  }
}

/**
 * Opens the database of a topic and checks that it is one that this version may use.
 * @throws KubedeltaError `topic-missing`, `unsupported` for a newer format, `corrupt`, `forbidden`
 */
export function openTopicDatabase(files: TopicFiles, options: { readonly readOnly: boolean }): TopicDatabase {
  const { topic, directory } = files
  const action = `${options.readOnly ? 'read' : 'write to'} topic ${topic}`
  const identity = fileIdentity(files.database)
  if (identity === undefined) throw missingTopic(action, topic)
  let database: DatabaseSync | undefined
  try {
    database = openDatabase(files.database, { ...options, busyTimeoutMs: BUSY_TIMEOUT_MS })
    checkFormat(database, { action, directory })
    const { partitions, config } = readAbout(database)
    if (partitions === undefined) {
      throw new KubedeltaError('corrupt', `Cannot ${action}: ${directory} is damaged (no partition count): ${WAY_OUT}`)
    }
    return { database, partitions, config: fullConfig(topic, config), identity }
  } catch (error) {
    database?.close()
    throw sqliteError(error, { action, path: directory, fields: { topic } })
  }
}

/** Locks are held for moments only; a process that stands still in one is worth an error. */
const BUSY_TIMEOUT_MS = 2_000

export function missingTopic(action: string, topic: string): KubedeltaError {
  return new KubedeltaError('topic-missing', `Cannot ${action}: it does not exist: create it or correct its name`, {
    fields: { topic },
  })
}

/** Where each partition ends. */
export function partitionEnds(database: DatabaseSync, partitions: number): readonly number[] {
  const ends = Array.from({ length: partitions }, () => 0)
  const rows = database.prepare('SELECT part, max(next) AS next FROM segments GROUP BY part').all()
  for (const { part, next } of rows) ends[Number(part)] = Number(next)
  return ends
}

/** Leaves word of who writes, for the message that another one gets. */
export function noteHolder(database: DatabaseSync): void {
  const holder = `process ${process.pid} on ${hostname()}`
  database.prepare("INSERT OR REPLACE INTO about VALUES ('holder', ?)").run(holder)
}

/** Who wrote last; undefined where nobody has, or that cannot be read. */
export function readHolder(files: TopicFiles): string | undefined {
  try {
    const database = openDatabase(files.database, { readOnly: true, busyTimeoutMs: 0 })
    try {
      const row = database.prepare("SELECT value FROM about WHERE name = 'holder'").get()
      return typeof row?.['value'] === 'string' ? row['value'] : undefined
    } finally {
      database.close()
    }
  } catch {
    // It only makes the message richer; the refusal itself does not depend on it.
    return undefined
  }
}

function checkFormat(database: DatabaseSync, { action, directory }: { action: string; directory: string }): void {
  const id = Number(database.prepare('PRAGMA application_id').get()?.['application_id'])
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
  if (id !== APPLICATION_ID) {
    throw new KubedeltaError(
      'corrupt',
      `Cannot ${action}: wanted a topic of kubedelta in ${directory}: its log.db is something else: ${WAY_OUT}`,
    )
  }
  if (version > FORMAT_VERSION) {
    throw new KubedeltaError(
      'unsupported',
      `Cannot ${action}: wanted format ${FORMAT_VERSION} or older in ${directory}: current value is ${version}: use the kubedelta that wrote it, or a newer one`,
    )
  }
}

function readAbout(database: DatabaseSync): {
  readonly partitions: number | undefined
  readonly config: ReadonlyMap<string, string>
} {
  const partitions = Number(database.prepare("SELECT value FROM about WHERE name = 'partitions'").get()?.['value'])
  const rows = database.prepare('SELECT name, value FROM config').all()
  return {
    partitions: partitions >= 1 ? partitions : undefined,
    config: new Map(rows.map(({ name, value }) => [String(name), String(value)])),
  }
}
