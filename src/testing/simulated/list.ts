// Answers lists: whole, in pages, at a past version.

import type { Clock } from '../../base/clock.ts'
import { resourceName } from '../../object/resource.ts'
import { at, isJsonObject, parseJson, textAt } from './json.ts'
import type { Entry } from './collection.ts'
import type { ServedKind } from './kinds.ts'
import { parseVersion, type ListOptions } from './list-options.ts'
import { printItem } from './print.ts'
import { reached } from './reach.ts'
import { selection } from './selection.ts'
import { badRequest, expired } from './status.ts'
import type { Store } from './store.ts'

export interface ListCall {
  readonly kind: ServedKind
  /** '' for all. */
  readonly namespace: string
  readonly options: ListOptions
  readonly signal: AbortSignal
  /** How many changes of the whole cluster the answer is behind, where the request allows it. @default 0 */
  readonly staleBy?: number
}

/**
 * The text of the answer.
 * @throws StatusFailure 400, 410 or 504
 */
export async function list(
  call: ListCall,
  { store, clock }: { readonly store: Store; readonly clock: Clock },
): Promise<string> {
  const { kind, namespace, options, signal } = call
  const selects = selection(kind, { ...options, namespace })
  const start = startOf(options)
  // An exact version waits as well as one that must not be older.
  if (start.version > 0) await reached(start.version, { store, clock, signal })
  const collection = store.collection(resourceName(kind))
  const version = versionOf(start, call, store)
  if (version < collection.oldest) throw tooOld(start, store.version)
  const selected = collection.entriesAt(version).filter((entry) => selects(entry) && entry.key >= start.key)
  const limit = start.isPaged && options.limit > 0 ? options.limit : Infinity
  const page = selected.slice(0, limit)
  const left = selected.length - page.length
  const next = left === 0 ? undefined : token(version, page.at(-1))
  const isSelective = options.labelSelector !== '' || options.fieldSelector !== ''
  return printed(kind, page, { version, next, left: isSelective ? 0 : left })
}

interface Start {
  /** The version asked for; 0 for whatever is there. */
  readonly version: number
  readonly mode: 'current' | 'exact' | 'not-older'
  /** The first key that may come. */
  readonly key: string
  /** Whether the limit counts: a list of anything has none. */
  readonly isPaged: boolean
  readonly isContinued: boolean
}

function startOf(options: ListOptions): Start {
  const { resourceVersion, resourceVersionMatch, limit } = options
  if (options.continue !== '') {
    if (resourceVersion !== '' && resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue')
    }
    const { version, key } = parseToken(options.continue)
    return {
      version: Math.max(0, version),
      mode: version < 0 ? 'current' : 'exact',
      key,
      isPaged: true,
      isContinued: true,
    }
  }
  const first = { key: '', isContinued: false }
  if (resourceVersion === '') return { ...first, version: 0, mode: 'current', isPaged: true }
  const version = parseVersion(resourceVersion)
  // A limit with a version means that version, for the sake of clients from before resourceVersionMatch.
  const isExact = resourceVersionMatch === 'Exact' || (resourceVersionMatch === '' && limit > 0 && version > 0)
  return { ...first, version, mode: isExact ? 'exact' : 'not-older', isPaged: version > 0 }
}

function versionOf(start: Start, { staleBy = 0, kind }: ListCall, store: Store): number {
  switch (start.mode) {
    case 'exact':
      return start.version
    case 'current':
      return store.version
    case 'not-older':
      return Math.max(start.version, store.collection(resourceName(kind)).oldest, store.version - staleBy)
    default:
      return start.mode satisfies never
  }
}

function tooOld(start: Start, current: number): Error {
  if (!start.isContinued) return expired('The resourceVersion for the provided list is too old.')
  const again = Buffer.from(JSON.stringify({ v: TOKEN_VERSION, rv: -1, start: `/${start.key}` })).toString('base64url')
  return expired(
    'The provided continue parameter is too old to display a consistent list result: ' +
      `the cluster is at ${current}. A list without it begins anew; the token in this answer goes on, over changes made meanwhile.`,
    again,
  )
}

const TOKEN_VERSION = 'meta.k8s.io/v1'

function token(version: number, last: Entry | undefined): string {
  const start = `/${last?.key ?? ''}\0`
  return Buffer.from(JSON.stringify({ v: TOKEN_VERSION, rv: version, start })).toString('base64url')
}

function parseToken(text: string): { readonly version: number; readonly key: string } {
  const refused = badRequest('invalid continue token: continue key is not valid')
  try {
    const parsed = parseJson(Buffer.from(text, 'base64url').toString())
    if (!isJsonObject(parsed)) throw refused
    const [version, start] = [at(parsed, 'rv'), textAt(parsed, 'start')]
    if (typeof version !== 'number' || !start.startsWith('/')) throw refused
    return { version, key: start.slice(1) }
  } catch (error) {
    if (error instanceof SyntaxError) throw refused
    throw error
  }
}

interface Page {
  readonly version: number
  readonly next: string | undefined
  /** 0 where it is not told. */
  readonly left: number
}

function printed(kind: ServedKind, entries: readonly Entry[], { version, next, left }: Page): string {
  const items = entries.map((entry) => printItem(kind, entry)).join(',')
  const remaining = left === 0 ? {} : { remainingItemCount: left }
  const resourceVersion = String(version)
  if (kind.isCustom) {
    const metadata = JSON.stringify({ continue: next ?? '', ...remaining, resourceVersion })
    return `{"apiVersion":"${kind.apiVersion}","items":[${items}],"kind":"${kind.listKind}","metadata":${metadata}}`
  }
  const metadata = JSON.stringify({ resourceVersion, ...(next !== undefined && { continue: next }), ...remaining })
  return `{"kind":"${kind.listKind}","apiVersion":"${kind.apiVersion}","metadata":${metadata},"items":[${items}]}\n`
}
