// Makes caches of many topics over one connection, and finds topics as they come.

import { systemClock, type Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import { addMissingIndexers, isSharedWith, type SharedCache } from '../cache/shared-cache.ts'
import { parseFieldSelector } from '../object/field-selector.ts'
import { parseLabelSelector } from '../object/label-selector.ts'
import type { TopicAdmin, TopicLog } from '../topic/port.ts'
import { RunGroup } from './run-group.ts'
import { createTopicCache } from './topic-cache.ts'
import type { ReplicaCacheOptions, TopicCache, TopicSource } from './topic-cache.ts'
import { clusterOf, topicOf } from './topic-of.ts'
import { openTopicLog, type OpenTopicLog } from './topic-source.ts'

/** A topic that a subscription found. */
export interface FoundTopic {
  readonly topic: string
  /** What stands behind `prefix.cluster.` in the name, of a mirror's name too; the whole name where that is missing. */
  readonly resource: string
}

export interface SubscribeOptions {
  /** How often the brokers are asked for topics. Milliseconds. @default 10_000 */
  readonly pollMs?: number
}

/**
 * Caches that share a connection and a life.
 *
 * - `cache` gives the same cache for the same topic, transform, keys, selectable fields, resync period and snapshot; the indexers that
 *   are asked for add up.
 * - When one of them fails all of them end, and `run` fails with its error.
 */
export interface TopicCacheFactory {
  /**
   * The cache of a resource.
   * @throws KubedeltaError `usage` for an index name that a shared cache uses for another function, and as `topicCache`
   */
  cache<T>(resource: string, options?: ReplicaCacheOptions<T>): TopicCache<T>
  /**
   * Calls `onTopic` for each topic whose name matches, those that are there when `run` begins and those that come later, once each;
   * typically with `({ topic, resource }) => factory.cache(resource, { topic })`. What it throws ends `run`.
   * @throws RangeError when `pollMs` is not above 0
   */
  subscribe(pattern: RegExp, onTopic: (found: FoundTopic) => void, options?: SubscribeOptions): void
  /**
   * Connects, then runs all caches and subscriptions, those made later too, until the signal aborts. It runs once; a further call is
   * logged and returns.
   * @throws KubedeltaError as connecting and the `run` of any cache do
   */
  run(signal: AbortSignal): Promise<void>
  /** Resolves once all caches made so far are Live. @throws as their `whenLive` */
  whenLive(signal: AbortSignal, options?: { readonly upstream?: boolean }): Promise<void>
}

/**
 * Makes caches of the topics of one cluster.
 *
 * @example
 * const topics = topicCacheFactory({ from: 'kafka://kafka:9092', cluster: 'prod' })
 * const pods = topics.cache<Wire<V1Pod>>('pods')
 * const nodes = topics.cache<Wire<V1Node>>('nodes')
 * const running = topics.run(signal)
 * await topics.whenLive(signal)
 *
 * @throws KubedeltaError `usage` for a URL that cannot be used
 */
export function topicCacheFactory(source: TopicSource): TopicCacheFactory {
  return new Factory(source)
}

class Factory implements TopicCacheFactory {
  readonly #source: TopicSource
  readonly #clock: Clock
  readonly #log: Logger
  readonly #open: OpenTopicLog
  readonly #members: Member[] = []
  readonly #group = new RunGroup()
  readonly #connection = Promise.withResolvers<TopicLog>()
  #hasRun = false

  constructor(source: TopicSource) {
    const { clock = systemClock, log = silentLogger } = source
    this.#source = source
    this.#clock = clock
    this.#log = log
    this.#open = openTopicLog(source)
    // Who needs it awaits it; without caches nobody does.
    this.#connection.promise.catch(() => {})
  }

  cache<T>(resource: string, options: ReplicaCacheOptions<T> = {}): TopicCache<T> {
    const { indexers = {} } = options
    const all = { ...this.#source, ...options, resource }
    const identity = [topicOf(all), ...identityOf(options)]
    const member = this.#members.find((each) => isSharedWith(each, identity))
    if (member !== undefined) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the decode edge: T says what the topic's objects are
      const known = member.cache as TopicCache<T>
      addMissingIndexers(known, indexers, { shared: member, what: `cache of topic ${known.topic}` })
      return known
    }
    const cache = createTopicCache<T>(all, async () => ({
      log: await this.#connection.promise,
      [Symbol.asyncDispose]: async () => {},
    }))
    this.#members.push({ identity, cache, indexers: new Map<string, unknown>(Object.entries(indexers)) })
    this.#group.add((signal) => cache.run(signal))
    return cache
  }

  subscribe(pattern: RegExp, onTopic: (found: FoundTopic) => void, { pollMs = 10_000 }: SubscribeOptions = {}): void {
    if (!(pollMs > 0)) throw new RangeError(`Cannot subscribe: 'pollMs' must be > 0: current value is ${pollMs}`)
    this.#group.add(async (signal) => {
      const { admin } = await this.#connection.promise
      const seen = new Set<string>()
      for (;;) {
        for (const topic of await this.#list(admin, signal)) {
          if (seen.has(topic) || topic.search(pattern) < 0) continue
          seen.add(topic)
          this.#log.info('topic found', { topic })
          onTopic({ topic, resource: this.#resourceOf(topic) })
        }
        await this.#clock.sleep(pollMs, signal)
      }
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#hasRun) return this.#log.warn('factory of caches has run already, it is not run again')
    this.#hasRun = true
    await using stack = new AsyncDisposableStack()
    this.#group.add(async (both) => {
      try {
        this.#connection.resolve(stack.use(await this.#open(both)).log)
      } catch (error) {
        // Every cache that waits for it fails too, and tells whoever waits for the cache.
        this.#connection.reject(error)
        throw error
      }
    })
    await this.#group.run(signal)
  }

  async whenLive(signal: AbortSignal, options?: { readonly upstream?: boolean }): Promise<void> {
    await Promise.all(this.#members.map(({ cache }) => cache.whenLive(signal, options)))
  }

  async #list(admin: TopicAdmin, signal: AbortSignal): Promise<readonly string[]> {
    try {
      return (await admin.list(signal)).toSorted()
    } catch (error) {
      if (!(error instanceof KubedeltaError && error.retriable)) throw error
      // Nothing is lost: the next poll asks for all topics again.
      this.#log.warn('cannot list topics, asking again', { error })
      return []
    }
  }

  #resourceOf(topic: string): string {
    const { prefix = 'kubedelta' } = this.#source
    const own = `.${prefix}.${clusterOf(this.#source) ?? ''}.`
    const at = `.${topic}`.indexOf(own)
    return at < 0 ? topic : topic.slice(at + own.length - 1)
  }
}

interface Member extends SharedCache {
  readonly cache: Pick<TopicCache<never>, 'whenLive'>
}

function identityOf<T>({
  transform,
  keys,
  resyncMs,
  snapshot,
  storage,
  namespaces,
  labels = '',
  fields = '',
  selectableFields = {},
}: ReplicaCacheOptions<T>): readonly unknown[] {
  const kept = [snapshot?.directory, snapshot?.intervalMs, snapshot?.version]
  const selectors = [
    typeof labels === 'string' ? parseLabelSelector(labels).text : labels.text,
    typeof fields === 'string' ? parseFieldSelector(fields).text : fields.text,
  ]
  const lists = [keys, namespaces].map((list) => list?.toSorted().join('\n'))
  return [transform, resyncMs, storage, ...lists, ...selectors, ...kept, ...Object.entries(selectableFields).flat()]
}
