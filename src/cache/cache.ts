// The cache: objects with indexes and handlers, read by many and written by the one feed that holds its writer.

import { systemClock, type Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { cacheMetrics } from './cache-metrics.ts'
import type { ChangeRules } from './change.ts'
import { checkIndexes, type IndexDifference } from './check-indexes.ts'
import type { Handler } from './handler.ts'
import { Handlers, type HandlerOptions, type Registration } from './handlers.ts'
import { NAMESPACE_INDEX, namespaceIndex, type Indexers } from './index-function.ts'
import { indexErrorReporter } from './indexer.ts'
import { selectEntries, type ListOptions, type SelectableFields } from './lister.ts'
import { metaNamespaceKey, type KeyFunction } from './metadata.ts'
import { openStorage } from './open-storage.ts'
import { ResyncSchedule } from './resync-schedule.ts'
import type { ObjectStorage, StorageMode, StorageUsage } from './storage.ts'
import { Store } from './store.ts'
import type { Synced } from './sync-tracker.ts'
import { createWriter, listOf, type CacheWriter } from './writer.ts'

export interface CacheOptions<T> {
  /** Says the key of a parsed object. @default namespace/name, or name for cluster scope */
  readonly key?: KeyFunction<T>
  /** Beside `namespace`, which is always there. @default none */
  readonly indexers?: Indexers<T>
  /** What field selectors may name beside metadata.name and metadata.namespace. @default none */
  readonly fields?: SelectableFields<T>
  /** How changes are told from what is written. @default 'client-go' */
  readonly rules?: ChangeRules
  /** How the objects are kept. @default 'bytes' */
  readonly storage?: StorageMode | ObjectStorage<T>
  /** Resync period of the cache and of handlers that name none; 0 is never. @default 0 */
  readonly resyncMs?: number
  /** The name of the collection in logs and metrics: `pods`, `deployments.apps`. @default '' */
  readonly resource?: string
  /** @default silent */
  readonly log?: Logger
  /** @default none */
  readonly metrics?: Metrics
  /** @default the system's */
  readonly clock?: Clock
}

/**
 * A local copy of a collection.
 *
 * - Reads are synchronous and see whole states only: never half a list, never an index that lags.
 * - Objects are frozen all the way down: a caller cannot corrupt the cache, and gets no copy. Change a `structuredClone`.
 * - With the storage `bytes`, which is the default, objects are parsed when someone looks: two reads of one state far apart may give two
 *   objects that are equal but not identical. Compare resourceVersions.
 * - Lists are snapshots in no promised order.
 */
export interface Cache<T> extends Synced {
  /** The object under `namespace/name`, or `name` for cluster scope; undefined where there is none. */
  get(key: string): T | undefined
  /**
   * The JSON text under a key, to be passed on unparsed: what the apiserver wrote, or what a transform left of it. Printed anew where the
   * storage keeps no text. A view of the cache's memory: never to be written to, and copied by whoever keeps it, because it keeps up to
   * 8 MiB with it.
   */
  getBytes(key: string): Buffer | undefined
  /** @throws KubedeltaError `bad-selector` */
  list(options?: ListOptions): T[]
  listKeys(): string[]
  size(): number
  /** @throws KubedeltaError `usage` without such an index */
  byIndex(index: string, value: string): T[]
  /** Sorted. @throws KubedeltaError `usage` without such an index */
  indexKeys(index: string, value: string): string[]
  listIndexFuncValues(index: string): string[]
  /**
   * Adds indexes; what is there is indexed now.
   * @throws KubedeltaError `usage` for a name that is taken, a function that fails (nothing is added then), a cache that has stopped
   */
  addIndexers(indexers: Indexers<T>): void
  /**
   * Compares each index with what its function says of the objects now: a list of differences, empty where all is well. Parses every
   * object; what it finds is a bug in this library, or an index function that changed its mind.
   */
  checkIndexes(): readonly IndexDifference[]
  /** What the objects take. */
  usage(): StorageUsage
  /**
   * Registers a handler, at any time until the cache stops; what is there already is replayed to it as initial adds.
   * @throws RangeError for options out of range; KubedeltaError `usage` when the cache has stopped
   */
  addHandler(handler: Handler<T>, options?: HandlerOptions<T>): Registration
  /** The last resourceVersion seen: of an object, a snapshot or a bookmark; '' before. */
  lastSyncResourceVersion(): string
  /** The first content is there and has been passed to the handlers, which may still be busy with it. */
  hasSynced(): boolean
}

/** The three handles of a cache: one for its readers, one for its feed, one for its life. */
export interface CacheParts<T> {
  readonly cache: Cache<T>
  readonly writer: CacheWriter<T>
  /**
   * Calls the handlers until the signal aborts, then waits for the calls under way; what is buffered is dropped. A cache that ran
   * never runs again: a second call is logged and returns.
   */
  readonly run: (signal: AbortSignal) => Promise<void>
}

/**
 * Creates an empty cache.
 *
 * @throws RangeError when `resyncMs` is negative; KubedeltaError `usage` for an indexer of one's own under the name `namespace`
 */
export function createCache<T>(options: CacheOptions<T> = {}): CacheParts<T> {
  const { key = metaNamespaceKey, indexers = {}, fields = {}, rules = 'client-go', resyncMs = 0 } = options
  const { resource = '', metrics, clock = systemClock } = options
  checkOptions(resyncMs, indexers)
  const log = (options.log ?? silentLogger).with({ resource })
  const { objects, handlerErrors } = cacheMetrics(metrics)
  const store = new Store<T>(
    { ...indexers, [NAMESPACE_INDEX]: namespaceIndex },
    indexErrorReporter(resource, options.log ?? silentLogger, metrics),
    openStorage(options.storage),
  )
  const schedule = new ResyncSchedule(resyncMs, log)
  const handlers = new Handlers<T>({ schedule, clock, log, resource, errors: handlerErrors, resyncMs })
  const onWritten = (): void => objects.set({ resource }, store.size)
  const { writer, synced } = createWriter({ store, handlers, schedule, clock, key, rules, onWritten })

  const cache: Cache<T> = {
    get: (k) => store.get(k)?.object,
    getBytes: (k) => {
      const entry = store.get(k)
      return entry && (entry.bytes ?? Buffer.from(JSON.stringify(entry.object)))
    },
    list: (selection = {}) => selectEntries(store, selection, fields).map((entry) => entry.object),
    listKeys: () => [...store.keys()],
    size: () => store.size,
    byIndex: (index, value) => store.entriesBy(index, value).map((entry) => entry.object),
    indexKeys: (index, value) => [...store.table(index).keys(value)].toSorted(),
    listIndexFuncValues: (index) => store.indexValues(index),
    addIndexers: (added) => {
      if (handlers.state === 'stopped') {
        throw new KubedeltaError('usage', 'indexer was not added because it has stopped already')
      }
      store.addIndexers(added)
    },
    checkIndexes: () => checkIndexes(store),
    usage: () => store.usage(),
    addHandler: (handler, handlerOptions = {}) => handlers.add(handler, handlerOptions, () => listOf(store, 'initial')),
    lastSyncResourceVersion: () => store.resourceVersion,
    hasSynced: () => synced.hasSynced(),
    whenSynced: (signal) => synced.whenSynced(signal),
  }
  return {
    cache,
    writer,
    run: async (signal) => {
      if (handlers.state === 'new') return handlers.run(signal)
      log.warn('cache has run already, it is not run again')
    },
  }
}

function checkOptions<T>(resyncMs: number, indexers: Indexers<T>): void {
  if (!(resyncMs >= 0)) {
    throw new RangeError(`Cannot create cache: 'resyncMs' must be >= 0: current value is ${resyncMs}`)
  }
  if (Object.hasOwn(indexers, NAMESPACE_INDEX) && indexers[NAMESPACE_INDEX] !== namespaceIndex) {
    throw new KubedeltaError(
      'usage',
      `Cannot create cache: the indexer '${NAMESPACE_INDEX}' is the cache's own: choose another name`,
    )
  }
}
