// Keeps a cache equal to one collection of the apiserver.

import { KubedeltaError } from '../base/errors.ts'
import { systemClock, type Clock } from '../base/clock.ts'
import { runAll } from '../base/lifecycle.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { createCache, type Cache, type CacheOptions } from '../cache/cache.ts'
import type { Indexers } from '../cache/index-function.ts'
import type { SelectableFields } from '../cache/lister.ts'
import { runResync } from '../cache/resync.ts'
import type { ObjectStorage, StorageMode } from '../cache/storage.ts'
import { resourceName } from '../object/resource.ts'
import { InformerSink } from './informer-sink.ts'
import { EntryReader, type Transform } from './informer-transform.ts'
import { Reflector, type ReflectorOptions, type ReflectorStatus } from './reflector.ts'
import type { ListWatch } from './source.ts'

/** What every informer can be told, whatever its source. */
export interface InformerSettings<T> {
  /** Beside `namespace`, which is always there. @default none */
  readonly indexers?: Indexers<T>
  /** What field selectors of `list` may name beside metadata.name and metadata.namespace. @default none */
  readonly selectableFields?: SelectableFields<T>
  /**
   * What the cache keeps of each object. Where it throws, the key stays at its last good state (absent if it has none), which is counted
   * and logged; the next state is tried again. @default whole objects
   */
  readonly transform?: Transform<T>
  /**
   * How the cache keeps its objects; what a transform returned is kept as it is, whatever stands here. @default 'bytes'
   */
  readonly storage?: StorageMode | ObjectStorage<T>
  /** Resync period of the cache and of handlers that name none, in milliseconds; never asks the server; 0 is never. @default 0 */
  readonly resyncMs?: number
  /**
   * Told of each failed list and each watch that did not open for another reason than a restart or a limit of the server. The informer
   * goes on trying, also without permission; where that is not wanted, what this throws ends `run`.
   * @default logs a warning
   */
  readonly watchErrorHandler?: (error: KubedeltaError) => void
  /** Whether lists are streamed where the server can. @default true */
  readonly watchList?: boolean
}

export interface InformerOptions<T> extends InformerSettings<T> {
  readonly source: ListWatch
  /** @default silent */
  readonly log?: Logger
  /** @default none */
  readonly metrics?: Metrics
  /** @default the system's */
  readonly clock?: Clock
  /** Uniform values of [0, 1), for backoff and watch timeouts. @default Math.random */
  readonly random?: () => number
}

export interface InformerStatus {
  readonly state: 'new' | 'running' | 'stopped'
  /** Absent until the collection was found. */
  readonly reflector: ReflectorStatus | undefined
  /** Objects that the cache lacks or holds in an older state because the transform failed on them: more than 0 is degraded. */
  readonly withheld: number
}

/**
 * A cache fed by the apiserver (client-go SharedInformer).
 *
 * - Lists, then watches for ever; relists after gaps, with deletions first: `onDelete` with `finalStateUnknown` for what vanished.
 * - The first list is swapped in at once; what comes after is applied in the order of the watch.
 * - A handler whose buffer is full holds back the watch down to its socket.
 * - One that has stopped stays stopped: its content can be read, its handlers hear no more.
 */
export interface Informer<T> extends Cache<T> {
  /**
   * Feeds the cache and calls the handlers until the signal aborts. It runs once; a further call is logged and returns.
   * @throws what the watch error handler threw; KubedeltaError `unknown-resource`, and `usage` without credentials, from a factory's informers
   */
  run(signal: AbortSignal): Promise<void>
  /**
   * Resolves once the first list is in the cache and was passed to the handlers.
   * @throws the signal's reason when it aborts first; what `run` failed with; KubedeltaError `aborted` when it was stopped before
   */
  whenLive(signal: AbortSignal): Promise<void>
  status(): InformerStatus
}

/**
 * Creates an informer on its own; `informerFactory` makes informers that share reflectors and a connection.
 *
 * @throws RangeError when `resyncMs` is negative; KubedeltaError `usage` for an indexer of one's own under the name `namespace`
 * @example
 * const pods = createInformer<Wire<V1Pod>>({ source: createHttpSource({ client, resource }) })
 * const running = pods.run(signal)
 * await pods.whenLive(signal)
 */
export function createInformer<T>(options: InformerOptions<T>): Informer<T> {
  const { source } = options
  return assembleInformer({
    ...options,
    resource: resourceName(source.resource),
    openSource: () => Promise.resolve(source),
  })
}

/** An informer whose source is found when it runs. */
export interface InformerParts<T> extends Omit<InformerOptions<T>, 'source'> {
  /** The name of the collection in logs and metrics. */
  readonly resource: string
  readonly openSource: (signal: AbortSignal) => Promise<ListWatch>
}

/** The informer of these parts. @throws as `createInformer` */
export function assembleInformer<T>(parts: InformerParts<T>): Informer<T> {
  const { resource, transform, metrics, clock = systemClock, log: given = silentLogger } = parts
  const log = given.with({ resource })
  const { cache, writer, run: runHandlers } = createCache<T>(cacheOptions(parts))
  const sink = new InformerSink<T>(writer, new EntryReader<T>({ transform, resource, log, metrics }))
  let reflector: Reflector | undefined
  const runReflector = async (signal: AbortSignal): Promise<void> => {
    const source = await parts.openSource(signal)
    reflector = new Reflector({ ...reflectorOptions(parts), source, sink, clock, log })
    await reflector.run(signal)
  }
  const runResyncs = async (signal: AbortSignal): Promise<void> => {
    await cache.whenSynced(signal)
    await runResync(writer, clock, signal)
  }
  const life = new InformerLife(resource, log)
  return {
    ...cache,
    run: (signal) => life.run(() => runAll(signal, [runHandlers, runReflector, runResyncs])),
    whenLive: async (signal) => {
      const over = new AbortController()
      try {
        await Promise.race([cache.whenSynced(AbortSignal.any([signal, over.signal])), life.ended])
      } finally {
        over.abort()
      }
    },
    status: () => ({ state: life.state, reflector: reflector?.status, withheld: sink.withheld }),
  }
}

/** The one run of an informer. */
class InformerLife {
  readonly #resource: string
  readonly #log: Logger
  readonly #end = Promise.withResolvers<never>()
  #state: InformerStatus['state'] = 'new'

  constructor(resource: string, log: Logger) {
    this.#resource = resource
    this.#log = log
    // Nobody may be waiting for it to become live.
    this.#end.promise.catch(() => {})
  }

  get state(): InformerStatus['state'] {
    return this.#state
  }

  /** Rejects when the run has ended, with what it failed with. */
  get ended(): Promise<never> {
    return this.#end.promise
  }

  /** Runs the first time; a further call is logged and returns. */
  async run(live: () => Promise<void>): Promise<void> {
    if (this.#state !== 'new') {
      this.#log.warn('informer has run already, it is not run again')
      return
    }
    this.#state = 'running'
    try {
      await live()
      const stopped = `Cannot go live: informer of ${this.#resource} was stopped before`
      this.#end.reject(new KubedeltaError('aborted', stopped))
    } catch (error) {
      this.#end.reject(error)
      throw error
    } finally {
      this.#state = 'stopped'
    }
  }
}

function cacheOptions<T>(parts: InformerParts<T>): CacheOptions<T> {
  const { resource, indexers, selectableFields, resyncMs, storage, metrics, clock, log } = parts
  return {
    resource,
    ...(clock && { clock }),
    ...(log && { log }),
    ...(indexers && { indexers }),
    ...(selectableFields && { fields: selectableFields }),
    ...(resyncMs !== undefined && { resyncMs }),
    ...(storage && { storage }),
    ...(metrics && { metrics }),
  }
}

function reflectorOptions<T>({
  random,
  watchErrorHandler,
  watchList,
}: InformerParts<T>): Pick<ReflectorOptions, 'random' | 'errorHandler' | 'watchList'> {
  return {
    ...(random && { random }),
    ...(watchErrorHandler && { errorHandler: watchErrorHandler }),
    ...(watchList !== undefined && { watchList }),
  }
}
