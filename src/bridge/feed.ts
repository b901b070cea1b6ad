// One reflector and its queue: what one watch of a resource brings, in order, until the bridge takes it.

import type { Bytes } from '../base/byte-budget.ts'
import type { Clock } from '../base/clock.ts'
import type { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Permits } from '../base/permits.ts'
import { splitKey } from '../object/key.ts'
import { DeltaQueue } from '../watch/delta-queue.ts'
import type { Popped } from '../watch/delta-queue-popped.ts'
import type { ListReason } from '../watch/delta.ts'
import { Reflector, type ReflectorStatus } from '../watch/reflector.ts'
import type { ListWatch } from '../watch/source.ts'
import { keyOfSeen, sizeOfSeen, Stamping, type Seen } from './seen.ts'
import type { TopicIndex } from './topic-index.ts'

export interface FeedOptions {
  readonly source: ListWatch
  readonly index: TopicIndex
  /** The one namespace it lists; undefined: all. */
  readonly namespace: string | undefined
  /** The first list is no older than this: the topic holds it already. '' asks for a consistent one. */
  readonly notOlderThan: string
  readonly budget: Bytes
  readonly firstLists: Permits
  readonly resyncMs: number | undefined
  /** How long a resourceVersion that the cluster has not reached is asked for again. @default 60_000 */
  readonly tooLargeRetryMs?: number
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly onList: (reason: ListReason) => void
  readonly onEvent: () => void
  /** May throw to end the run. */
  readonly onError: (error: KubedeltaError) => void
}

/** What the watch of one namespace, or of all, has brought. */
export class Feed {
  readonly #options: FeedOptions
  readonly #queue: DeltaQueue<Seen>
  readonly #sink: Stamping
  readonly #reflector: Reflector
  #endFirstList = (): void => {}
  #resourceVersion = ''

  constructor(options: FeedOptions) {
    const { source, budget, clock, random, log, notOlderThan, resyncMs, tooLargeRetryMs } = options
    this.#options = options
    this.#queue = new DeltaQueue<Seen>({
      keyOf: keyOfSeen,
      sizeOf: sizeOfSeen,
      knownKeys: knownKeys(options.index, options.namespace),
      budget,
    })
    this.#sink = new Stamping(this.#queue, clock)
    this.#reflector = new Reflector({
      source,
      sink: this.#sink,
      clock,
      random,
      log,
      initialResourceVersion: { notOlderThan },
      ...(resyncMs === undefined ? {} : { relistEveryMs: resyncMs }),
      ...(tooLargeRetryMs === undefined ? {} : { tooLargeRetryMs }),
      onList: options.onList,
      onEvent: options.onEvent,
      errorHandler: (error) => this.#failed(error),
    })
  }

  /** Everything up to it was popped and appended; '' before the first list was. */
  get resourceVersion(): string {
    return this.#resourceVersion
  }

  /** The newest that the cluster has shown in its present history, whether that was popped or not; '' before the first list. */
  get newestResourceVersion(): string {
    return this.#sink.newestResourceVersion
  }

  status(): ReflectorStatus {
    return this.#reflector.status
  }

  /** Lists and watches, once a permit for the first list is free. */
  async run(signal: AbortSignal): Promise<void> {
    this.#endFirstList = await this.#options.firstLists.acquire(signal)
    try {
      await this.#reflector.run(signal)
    } finally {
      this.#endFirstList()
    }
  }

  /**
   * All that waits now; waits for the first. The queue's bounds are bounds for this as well.
   * @throws the signal's reason when it aborts first
   */
  async popAll(signal: AbortSignal): Promise<readonly Popped<Seen>[]> {
    const batch: Popped<Seen>[] = []
    for (let next = await this.#queue.pop(signal); next !== undefined; next = this.#queue.tryPop()) batch.push(next)
    return batch
  }

  /** Notes that everything up to this resourceVersion was popped and appended. */
  reached(resourceVersion: string): void {
    this.#endFirstList()
    this.#resourceVersion = resourceVersion
  }

  /** Wants a list, as soon as the collection is watched. */
  relist(): void {
    this.#reflector.relist()
  }

  /** Puts a barrier behind what has been seen so far: popping it tells how far the topic is. */
  mark(): void {
    const { lastSyncResourceVersion, phase } = this.#reflector.status
    // Within a list objects come in no order, so nothing can be said about a resourceVersion until it ends.
    if (phase === 'watching') this.#queue.bookmark(lastSyncResourceVersion)
  }

  /** Gives back the bytes of what nobody popped. */
  dispose(): void {
    this.#queue[Symbol.dispose]()
  }

  #failed(error: KubedeltaError): void {
    // Whoever cannot list does not keep the others from listing.
    this.#endFirstList()
    this.#options.log.warn('cannot list or watch', { error })
    this.#options.onError(error)
  }
}

function knownKeys(
  index: TopicIndex,
  namespace: string | undefined,
): { has(key: string): boolean; keys(): Iterable<string> } {
  // Not the index itself: its `get` would pass for one that shows objects.
  if (namespace === undefined) return { has: (key) => index.has(key), keys: () => index.keys() }
  const isOurs = (key: string): boolean => splitKey(key).namespace === namespace
  return { has: (key) => isOurs(key) && index.has(key), keys: () => [...index.keys()].filter(isOurs) }
}
