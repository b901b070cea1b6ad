// An indexed store of objects with client-go's names, for use alone.

import { KubedeltaError, messageOf } from '../base/errors.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { cacheMetrics } from './cache-metrics.ts'
import { DeletedFinalStateUnknown } from './deleted-final-state-unknown.ts'
import { parsedEntry, type Entry } from './entry.ts'
import type { IndexFunction, Indexers } from './index-function.ts'
import { keyBy, metadataOf, metaNamespaceKey, type KeyFunction } from './metadata.ts'
import type { OnIndexError } from './content.ts'
import { Store } from './store.ts'

export interface IndexerOptions<T> {
  /** Says the key of an object. @default namespace/name, or name for cluster scope */
  readonly key?: KeyFunction<T>
  /** @default none */
  readonly indexers?: Indexers<T>
  /** Applied to an object after its key was taken and before it is stored; must return one that is its own. @default none */
  readonly transform?: (object: T) => T
  /** The name of the collection in logs and metrics. @default '' */
  readonly resource?: string
  /** @default silent */
  readonly log?: Logger
  /** @default none */
  readonly metrics?: Metrics
}

/** One step of a transaction. */
export type Transaction<T> =
  | { readonly kind: 'set'; readonly object: T }
  | { readonly kind: 'delete'; readonly object: T | DeletedFinalStateUnknown<T> }

/**
 * Objects by key, with indexes (client-go Indexer).
 *
 * - Objects are frozen all the way down when they are stored, so what is handed out is safe without a copy; a caller gives away
 *   what it stores.
 * - Lists are snapshots in no promised order; `indexKeys` alone is sorted.
 * - An index function that throws: while an index is added the error goes to the caller and nothing changes; later the object
 *   stays in the store, is left out of that index, and the failure is logged and counted (client-go panics).
 */
export interface Indexer<T> {
  /** Inserts or replaces. @throws KubedeltaError `usage` without a key or when the transform fails */
  add(object: T): void
  /** The same as `add`. */
  update(object: T): void
  /** Removes by key; what is absent is no error. @throws KubedeltaError `usage` without a key */
  delete(object: T | DeletedFinalStateUnknown<T>): void
  /** What is stored under the object's key. @throws KubedeltaError `usage` without a key */
  get(object: T): T | undefined
  getByKey(key: string): T | undefined
  list(): T[]
  listKeys(): string[]
  /** Swaps everything at once; of two objects with one key the last wins. @throws as `add`, and nothing changes then */
  replace(objects: Iterable<T>, resourceVersion: string): void
  /** Does nothing, as in client-go: here for programs that are written against its interface. */
  resync(): void
  /**
   * Applies several steps as one.
   * @throws TransactionError when some have no key; the others are applied
   */
  transaction(steps: readonly Transaction<T>[]): void
  /** Objects that share a value with this object. @throws KubedeltaError `usage` without such an index; what its function throws */
  index(name: string, object: T): T[]
  /** Objects under a value. @throws KubedeltaError `usage` without such an index */
  byIndex(name: string, value: string): T[]
  /** Keys under a value, sorted. @throws KubedeltaError `usage` without such an index */
  indexKeys(name: string, value: string): string[]
  /** Values with at least one object; none without such an index. */
  listIndexFuncValues(name: string): string[]
  /** The index functions by name; shows later ones too. */
  getIndexers(): Indexers<T>
  /** Adds indexes; what is stored is indexed now. @throws KubedeltaError `usage` for a name that is taken or a function that fails */
  addIndexers(indexers: Indexers<T>): void
  /** Says that everything up to this resourceVersion has been stored. */
  bookmark(resourceVersion: string): void
  /** The last resourceVersion seen on an object, a replace or a bookmark; '' before. Last, not highest. */
  lastStoreSyncResourceVersion(): string
}

/** Steps of a transaction that had no key, beside others that were applied. */
export class TransactionError extends KubedeltaError {
  /** Indexes of the steps that were applied. */
  readonly successfulIndices: readonly number[]
  readonly errors: readonly KubedeltaError[]

  constructor(total: number, successfulIndices: readonly number[], errors: readonly KubedeltaError[]) {
    const reasons = errors.map((error) => error.message).join(' ')
    super('usage', `failed to execute (${errors.length}/${total}) transactions failed due to: [${reasons}]`, {
      cause: errors[0],
    })
    this.successfulIndices = successfulIndices
    this.errors = errors
  }
}

/**
 * Creates an empty indexed store.
 *
 * @example
 * const pods = createIndexer<Pod>({ indexers: { node: (pod) => [pod.spec?.nodeName ?? ''] } })
 * pods.add(pod)
 * pods.byIndex('node', 'node-7')
 */
export function createIndexer<T>(options: IndexerOptions<T> = {}): Indexer<T> {
  const { key = metaNamespaceKey, indexers = {}, transform, resource = '', log = silentLogger, metrics } = options
  const store = new Store<T>(indexers, indexErrorReporter(resource, log, metrics))
  const functions: Record<string, IndexFunction<T>> = { ...indexers }

  const entryOf = (object: T): Entry<T> =>
    transform === undefined ? parsedEntry(object, key) : transformed(object, key, transform)
  const add = (object: T): void => void store.set(entryOf(object))
  const keyToDelete = (object: T | DeletedFinalStateUnknown<T>): string =>
    object instanceof DeletedFinalStateUnknown ? object.key : keyBy(key, object)

  return {
    add,
    update: add,
    delete: (object) => void store.delete(keyToDelete(object), resourceVersionOf(object)),
    get: (object) => store.get(keyBy(key, object))?.object,
    getByKey: (k) => store.get(k)?.object,
    list: () => objectsOf(store.entries()),
    listKeys: () => [...store.keys()],
    replace: (objects, resourceVersion) => {
      // Entries first: one without a key must leave no trace.
      const entries = Array.from(objects, entryOf)
      const stage = store.beginStage(() => false)
      for (const entry of entries) stage.set(entry)
      store.show(resourceVersion, 'none')
    },
    resync: () => {},
    transaction: (steps) => transact(store, steps, key),
    index: (name, object) => {
      const table = store.table(name)
      return objectsOf(store.entriesOf(new Set(table.valuesOf(object).flatMap((value) => [...table.keys(value)]))))
    },
    byIndex: (name, value) => objectsOf(store.entriesBy(name, value)),
    indexKeys: (name, value) => [...store.table(name).keys(value)].toSorted(),
    listIndexFuncValues: (name) => store.indexValues(name),
    getIndexers: () => functions,
    addIndexers: (added) => {
      store.addIndexers(added)
      Object.assign(functions, added)
    },
    bookmark: (resourceVersion) => store.bookmark(resourceVersion),
    lastStoreSyncResourceVersion: () => store.resourceVersion,
  }
}

/** What a store tells when an index function fails on an object: a line and a count. */
export function indexErrorReporter(resource: string, log: Logger, metrics: Metrics | undefined): OnIndexError {
  const { indexErrors } = cacheMetrics(metrics)
  return (index, key, error) => {
    log.error('index function failed, the object is left out of the index', { resource, index, key, error })
    indexErrors.inc({ resource, index })
  }
}

function transact<T>(store: Store<T>, steps: readonly Transaction<T>[], key: KeyFunction<T>): void {
  const errors: KubedeltaError[] = []
  const keyed: Array<{
    readonly index: number
    readonly run: () => void
    readonly resourceVersion: string | undefined
  }> = []
  for (const [index, step] of steps.entries()) {
    try {
      keyed.push({ index, ...prepare(store, step, key) })
    } catch (error) {
      if (!(error instanceof KubedeltaError)) throw error
      errors.push(error)
    }
  }
  const before = store.resourceVersion
  for (const { run } of keyed) run()
  // Of a transaction only the last step's resourceVersion counts.
  store.bookmark(keyed.at(-1)?.resourceVersion ?? before)
  if (errors.length > 0) {
    throw new TransactionError(
      steps.length,
      keyed.map(({ index }) => index),
      errors,
    )
  }
}

function prepare<T>(
  store: Store<T>,
  step: Transaction<T>,
  key: KeyFunction<T>,
): { readonly run: () => void; readonly resourceVersion: string | undefined } {
  switch (step.kind) {
    case 'set': {
      const entry = parsedEntry(step.object, key)
      return { run: () => void store.set(entry), resourceVersion: entry.resourceVersion }
    }
    case 'delete': {
      const { object } = step
      const k = object instanceof DeletedFinalStateUnknown ? object.key : keyBy(key, object)
      return { run: () => void store.delete(k), resourceVersion: resourceVersionOf(object) }
    }
    default:
      return step satisfies never
  }
}

function transformed<T>(object: T, key: KeyFunction<T>, transform: (object: T) => T): Entry<T> {
  const k = keyBy(key, object)
  let result: T
  try {
    result = transform(object)
  } catch (error) {
    throw new KubedeltaError('usage', `transforming: ${messageOf(error)}`, { cause: error })
  }
  return parsedEntry(result, () => k)
}

/** A missed deletion says nothing about how far the store has come. */
function resourceVersionOf<T>(object: T | DeletedFinalStateUnknown<T>): string | undefined {
  return object instanceof DeletedFinalStateUnknown ? undefined : metadataOf(object)?.resourceVersion
}

function objectsOf<T>(entries: Iterable<Entry<T>>): T[] {
  const objects: T[] = []
  for (const entry of entries) objects.push(entry.object)
  return objects
}
