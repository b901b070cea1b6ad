// A cache of one topic: the same interface as an informer's, without an apiserver.

import { systemClock, type Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import type { Metrics } from '../base/metrics.ts'
import { createCache, type Cache, type CacheOptions } from '../cache/cache.ts'
import { runResync } from '../cache/resync.ts'
import type { ConnectOptions } from '../connect/connect.ts'
import type { SelectableFields } from '../cache/lister.ts'
import { builtinResourceName } from '../object/builtin-resources.ts'
import type { TopicLog } from '../topic/port.ts'
import type { DegradedReason } from '../replica/degraded-keys.ts'
import { STATES, type ReplicaState } from '../replica/reading.ts'
import { Replica } from '../replica/replica.ts'
import type { FetchSchema } from '../replica/replica-schemas.ts'
import { replicaMetrics } from '../replica/replica-metrics.ts'
import type { ReplicaStatus } from '../replica/replica-status.ts'
import { createSelection, type Selection, type SelectionOptions } from '../replica/selection.ts'
import { checkCacheOptions } from './check-options.ts'
import { checkSnapshotOptions, type ContentOptions, type SnapshotOptions } from './snapshot-options.ts'
import { topicOf } from './topic-of.ts'
import { openTopicLog, type OpenTopicLog } from './topic-source.ts'

/** Where topics are, and what caches of them share. */
export interface TopicSource extends Pick<ConnectOptions, 'security' | 'clientId' | 'startupTimeoutMs'> {
  /** `kafka://HOST:PORT[,HOST:PORT...]`, or a log that the caller opened and closes. */
  readonly from: string | TopicLog
  /** Names the topics together with `prefix` and the resource; has no effect where `topic` is given. @default 'kubernetes' with `file:` */
  readonly cluster?: string
  /** @default 'kubedelta' */
  readonly prefix?: string
  /** URL of the schema registry, for topics written with one. @default none */
  readonly registry?: string
  /** @default silent */
  readonly log?: Logger
  /**
   * Caches of several resources may share it. Two of one resource, of two clusters or selections, say, want one each: their label is the
   * resource, so the gauges of one would show what the other set.
   * @default none
   */
  readonly metrics?: Metrics
  /** @default the system's */
  readonly clock?: Clock
}

/** What concerns one cache. */
export interface ReplicaCacheOptions<T>
  extends Pick<CacheOptions<T>, 'indexers' | 'resyncMs' | 'storage'>, SelectionOptions {
  /** What field selectors of `list` and of `fields` may name beside metadata.name and metadata.namespace. @default none */
  readonly selectableFields?: SelectableFields<T>
  /** The name of the topic where it is another one: a mirror's. @default prefix, cluster and resource, as the bridge names it */
  readonly topic?: string
  /**
   * A projection: makes what is kept of an object, to save memory. What it returns is kept as JSON. Applied to last states of deleted
   * objects too. It may change the object that it gets, and gives no promise.
   * An object on which it fails stays at its last good state, and is `degraded`. @default the object as it is
   */
  readonly transform?: (object: T) => T
  /** Only these keys, `namespace/name` or `name`, read from their partitions alone. @default all */
  readonly keys?: readonly string[]
  /** Keeps a snapshot on disk, from which the next start goes on where that misses nothing. @default none */
  readonly snapshot?: SnapshotOptions
}

export interface TopicCacheOptions<T> extends TopicSource, ReplicaCacheOptions<T> {
  /** `pods`, `deployments.apps`; short names of built-in kinds will do. */
  readonly resource: string
}

/** What a cache of a topic says of itself. */
export interface TopicCacheStatus extends ReplicaStatus {
  /** Key -> why it is not at its last state. */
  readonly degraded: ReadonlyMap<string, DegradedReason>
  /**
   * The cache differs from what the bridge says, and differed again after its topic was read again: the log has lost something. True
   * until it is the same again.
   */
  readonly diverged: boolean
}

/**
 * A cache that a topic feeds.
 *
 * - Empty until it is Live, then complete, then changed in the order of the log.
 * - What handlers hear is told from the cache: an object with another uid is a delete of the old one, whose final state is known where
 *   the log still held it, and an add of the new one; the same uid, resourceVersion and bytes are no change.
 * - A topic is read again from its start where it was truncated or created anew, where its partitions changed, and where the cache was
 *   out of contact for more than half of its delete.retention.ms, so that deletes may have left no trace. Until that is done the cache
 *   shows what it showed; then handlers hear of all that is gone, as deletes whose final state is unknown.
 * - While the log cannot be reached the cache shows what it has; `status().staleMs` says how old that is.
 */
export interface TopicCache<T> extends Cache<T> {
  readonly topic: string
  /** `plural[.group]` */
  readonly resource: string
  /**
   * Feeds the cache and calls the handlers until the signal aborts. A cache that ran never runs again: a second call is logged and
   * returns.
   * @throws KubedeltaError `usage` when the directory of snapshots cannot be written to; `topic-missing` when there is no such topic,
   *   `topic-foreign` when it holds something else, `partitions-changed` when it has fewer partitions than it was written with; `unreachable`, `unauthorized`, `forbidden` and the like as connecting and reading do
   */
  run(signal: AbortSignal): Promise<void>
  status(): TopicCacheStatus
  /**
   * Resolves once the state is this one or a later one.
   * @throws the signal's reason; what `run` failed with; `aborted` when it ended; RangeError for a state that is none
   */
  whenState(state: ReplicaState, signal: AbortSignal): Promise<void>
  /**
   * Resolves once all that the topic held at the start is visible and the bridge has said that it was all.
   *
   * With `upstream: false` the bridge need not have said so: what is visible then may be a part of its first list. That holds for all
   * readers of this cache, until it has been Live once.
   * @throws as `whenState`
   */
  whenLive(signal: AbortSignal, options?: { readonly upstream?: boolean }): Promise<void>
  /**
   * Resolves once everything up to this resourceVersion is visible; the bridge says how far it is every few seconds.
   * @throws RangeError for one that is no number in text; otherwise as `whenState`
   */
  waitForResourceVersion(resourceVersion: string, signal: AbortSignal): Promise<void>
}

/**
 * Creates a cache of one topic; it connects when it runs.
 *
 * @example
 * const pods = topicCache<Wire<V1Pod>>({ from: 'kafka://kafka:9092', cluster: 'prod', resource: 'pods' })
 * const running = pods.run(signal)
 * await pods.whenLive(signal)
 * pods.list({ namespace: 'shop', labels: 'app=cart' })
 *
 * @throws KubedeltaError `usage` for a URL, cluster, prefix, resource or directory that cannot be used, and for a snapshot of transformed
 *   objects without a version; RangeError for options out of range; TypeError for options of a wrong kind
 */
export function topicCache<T>(options: TopicCacheOptions<T>): TopicCache<T> {
  return createTopicCache<T>(options, openTopicLog(options))
}

/** As `topicCache`, over a log that is opened by `open` when it runs. */
export function createTopicCache<T>(options: TopicCacheOptions<T>, open: OpenTopicLog): TopicCache<T> {
  const { registry, indexers, selectableFields, resyncMs, storage, transform, keys, metrics } = options
  const { clock = systemClock, log = silentLogger } = options
  checkCacheOptions(options)
  const topic = topicOf(options)
  const resource = builtinResourceName(options.resource)
  const selection = createSelection<T>(options, selectableFields)
  const snapshot = options.snapshot && checkSnapshotOptions(options.snapshot, contentOf(options, selection))
  const {
    cache,
    writer,
    run: runHandlers,
  } = createCache<T>({
    resource,
    rules: 'log',
    clock,
    log,
    ...(indexers && { indexers }),
    ...(selectableFields && { fields: selectableFields }),
    ...(resyncMs !== undefined && { resyncMs }),
    ...(storage && { storage }),
    ...(metrics && { metrics }),
  })
  const replica = new Replica<T>({
    topic,
    resource,
    writer,
    transform,
    keys: keys && new Set(keys),
    selection,
    fetchSchema: registry === undefined ? undefined : fetchFrom(registry),
    snapshot,
    metrics: replicaMetrics(metrics),
    clock,
    random: Math.random,
    log,
  })
  const feed = async (signal: AbortSignal): Promise<void> => {
    const stopped = new KubedeltaError('aborted', `Cannot wait for the cache of topic ${topic}: it has stopped`)
    try {
      await replica.prepare()
      await using source = await open(signal)
      await replica.follow(source.log, signal)
      replica.end(stopped)
    } catch (error) {
      replica.end(signal.aborted ? stopped : error)
      throw error
    }
  }
  let hasRun = false
  return {
    ...cache,
    topic,
    resource,
    run: async (signal) => {
      if (hasRun) return log.warn('cache has run already, it is not run again', { resource })
      hasRun = true
      await runAll(signal, [runHandlers, feed, (both) => runResync(writer, clock, both)])
    },
    status: () => ({ ...replica.status(), degraded: replica.degraded(), diverged: replica.hasDiverged }),
    whenState: async (state, signal) => {
      if (!STATES.includes(state)) {
        throw new RangeError(
          `Cannot wait for a state: wanted one of ${STATES.join(', ')}: current value is ${JSON.stringify(state)}`,
        )
      }
      await replica.whenState(state, signal)
    },
    whenLive: (signal, { upstream = true } = {}) =>
      upstream ? replica.whenState('Live', signal) : replica.whenVisible(signal),
    waitForResourceVersion: (resourceVersion, signal) => replica.waitForResourceVersion(resourceVersion, signal),
  }
}

/** What of the options decides what the cache holds. */
function contentOf<T>(
  { transform, keys }: ReplicaCacheOptions<T>,
  selection: Selection<T> | undefined,
): ContentOptions {
  return {
    hasTransform: transform !== undefined || selection?.hasFunctions === true,
    selection: { keys: keys?.toSorted(), ...selection?.text },
  }
}

/**
 * Asks a registry, whose client is loaded when the first schema is missing.
 * @throws KubedeltaError `usage` for what is no URL of one
 */
export function fetchFrom(url: string): FetchSchema {
  // Not when the client is loaded: that may be days later, in the middle of a topic.
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new KubedeltaError('usage', "Cannot use schema registry: 'registry' must be an http or https URL")
  }
  return async (id) => {
    const { SchemaRegistry } = await import('../registry/registry.ts')
    return new SchemaRegistry({ url }).fetch(id)
  }
}
