// Carries one resource from the apiserver to its topic: reflectors, their queues, the publisher, progress.

import { aborted } from '../base/abort.ts'
import type { Bytes } from '../base/byte-budget.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, type KubedeltaError } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import type { Logger } from '../base/log.ts'
import type { Permits } from '../base/permits.ts'
import { splitKey } from '../object/key.ts'
import { newerResourceVersion } from '../object/resource-version.ts'
import { resourceName, type Resource } from '../object/resource.ts'
import type { Policy } from '../policy/policy.ts'
import type { EncodeRecord } from '../codec/codec.ts'
import type { ListWatch } from '../watch/source.ts'
import type { Popped } from '../watch/delta-queue-popped.ts'
import type { BridgeMetrics } from './bridge-metrics.ts'
import { DigestWriter } from './digest-writer.ts'
import { Feed } from './feed.ts'
import { ForeignRecords } from './foreign-records.ts'
import { MAX_LAST_STATES, readLastStates, type LastStates } from './last-states.ts'
import { Outbox } from './outbox.ts'
import { ProgressWriter, type ProgressIntervals } from './progress-writer.ts'
import { Publisher } from './publisher.ts'
import { Refusals } from './refusals.ts'
import type { Seen } from './seen.ts'
import type { ResourceHealth } from './status.ts'
import { namingSuccessor } from './successor.ts'
import type { Leadership, ReadTopic } from './topic-session.ts'

export interface ResourceBridgeOptions {
  readonly resource: Resource
  /** Namespaces of the scope; empty: all. */
  readonly namespaces: readonly string[]
  /** One a namespace of the scope, or one for all. */
  readonly sources: readonly ListWatch[]
  /** Whether it was asked for by name: then it may not be refused at start. */
  readonly named: boolean
  readonly topic: ReadTopic
  /** The topic is fenced and read on to the fence. */
  readonly leadership: Leadership
  readonly policy: Policy
  readonly encode: EncodeRecord
  readonly budget: Bytes
  /** Held while the first list runs. */
  readonly firstLists: Permits
  /** Whether a later update of an object may replace one that waits to be written. */
  readonly coalesce: boolean
  /** A new list this often; undefined: never. Milliseconds. */
  readonly resyncMs: number | undefined
  /** How long a resourceVersion that the cluster has not reached is asked for again. @default 60_000 */
  readonly tooLargeRetryMs?: number
  readonly progressIntervals: ProgressIntervals
  /** A digest of each partition this often; 0: never. Milliseconds. @default 600_000 */
  readonly digestIntervalMs?: number
  readonly metrics: BridgeMetrics
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

interface Writing {
  readonly publisher: Publisher
  readonly progress: ProgressWriter
  readonly digests: DigestWriter
}

type Barrier = Exclude<Popped<Seen>, { readonly kind: 'deltas' }>

/** How long a stop waits for what is on its way. */
const FLUSH_TIMEOUT_MS = 10_000

/**
 * The bridge of one resource.
 *
 * - From the fence on it is the only one whose records the broker takes.
 * - What the topic holds already is not published again; what it holds and the cluster does not is deleted.
 * - On abort, what was appended is waited for, and a last progress record says how far it came.
 */
export class ResourceBridge {
  readonly name: string
  readonly #options: ResourceBridgeOptions
  readonly #feeds: readonly Feed[]
  #writing: Writing | undefined
  readonly #refusals: Refusals
  // All first lists are appended; then acknowledged as well.
  #complete = false
  #synced = false

  constructor(options: ResourceBridgeOptions) {
    const { resource, sources, topic, metrics, namespaces } = options
    this.name = resourceName(resource)
    this.#options = options
    this.#refusals = new Refusals({ named: options.named, isComplete: () => this.#complete })
    this.#feeds = sources.map(
      (source, n) =>
        new Feed({
          ...options,
          source,
          index: topic.index,
          namespace: namespaces[n],
          notOlderThan: options.leadership.former.adopted ? '' : topic.recovery.resourceVersion,
          onList: (reason) => this.#countList(reason),
          onEvent: () => this.#heard(n),
          onError: (error) => this.#report(n, error),
        }),
    )
    metrics.synced.set({ resource: this.name }, 0)
  }

  /** What probes and progress lines show. */
  health(): ResourceHealth {
    return {
      name: this.name,
      synced: this.#synced,
      degraded: this.#refusals.reason,
      watches: this.#feeds.map((feed) => feed.status()),
      writer: this.#writing?.progress.writerStatus(),
    }
  }

  /** @throws KubedeltaError when it cannot go on: `fenced`, `forbidden` for a named resource at start, the writer's failures */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#run(signal)
    } catch (error) {
      const { topic, leadership } = this.#options
      const from = this.#writing?.progress.acknowledged ?? topic.recovery.positions
      throw await namingSuccessor(error, topic, { epoch: leadership.epoch, from })
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { topic, clock, progressIntervals, digestIntervalMs = 600_000 } = this.#options
    const { leadership: lead } = this.#options
    const foreign = this.#foreignRecords(topic)
    await using outbox = new Outbox(lead.writer, {
      coalesce: this.#options.coalesce,
      now: () => clock.now(),
      onAppended: (appended, records) => foreign.appended(appended, records),
    })
    const leadership = { ...lead, writer: outbox }
    const { options } = topic
    const { adopted, synced, control } = lead.former
    // The fence of a run that ended before it had rewritten everything says nothing about the objects.
    const former = synced ?? control
    const publisher = new Publisher({
      ...this.#options,
      cluster: options.cluster,
      epoch: leadership.epoch,
      outbox,
      index: topic.index,
      now: () => clock.now(),
      inherited: {
        synced: !adopted && synced !== undefined,
        policyChanged: former !== undefined && former.policy !== options.policy,
      },
    })
    const newest = (): string => this.#feeds.map((feed) => feed.newestResourceVersion).reduce(newerResourceVersion)
    const progress = new ProgressWriter({ topic, leadership, clock, intervals: progressIntervals, newest })
    const digests = new DigestWriter({ topic, leadership, clock, intervalMs: digestIntervalMs })
    const writing = { publisher, progress, digests }
    this.#writing = writing
    try {
      await runAll(signal, [
        (both) => Promise.race([publisher.failure, aborted(both)]),
        (both) => Promise.race([progress.failure, aborted(both)]),
        (both) => foreign.run(both),
        (both) => digests.run(both),
        ...this.#feeds.flatMap((feed) => [
          (both: AbortSignal) => feed.run(both),
          (both: AbortSignal) => this.#pump(feed, writing, both),
        ]),
        (both) => this.#awaitSync(progress, both),
        (both) => this.#tick(both, progress),
      ])
    } finally {
      for (const feed of this.#feeds) feed.dispose()
    }
    await this.#flush(writing)
  }

  #foreignRecords({ reader, index, options: { topic } }: ReadTopic): ForeignRecords {
    const { metrics, log } = this.#options
    return new ForeignRecords({
      topic,
      reader,
      index,
      log,
      relist: () => this.#feeds.forEach((feed) => feed.relist()),
      onFound: (records) => metrics.foreignRecords.inc({ resource: this.name }, records),
    })
  }

  async #pump(feed: Feed, writing: Writing, signal: AbortSignal): Promise<void> {
    const { publisher, progress, digests } = writing
    await this.#deselect(feed, publisher, signal)
    for (;;) {
      const batch = await feed.popAll(signal)
      const deltas = batch.filter((popped) => popped.kind === 'deltas')
      await publisher.publish(deltas, (keys) => this.#lastStates(keys, signal))
      if (deltas.length > 0) {
        progress.noteChange()
        digests.noteChange()
      }
      // A barrier stands behind what was put before it; that more stands before it now makes it no less true.
      for (const barrier of batch) if (barrier.kind !== 'deltas') this.#passed(barrier, feed, writing)
    }
  }

  #passed(barrier: Barrier, feed: Feed, { publisher, progress, digests }: Writing): void {
    barrier.release()
    feed.reached(barrier.resourceVersion)
    if (barrier.kind === 'listed') this.#listed(publisher)
    if (!this.#complete) return
    progress.reached(this.#feeds.map((each) => each.resourceVersion))
    digests.begin()
  }

  /** With a scope of fewer namespaces, what the topic holds of others has left the selection. */
  async #deselect(feed: Feed, publisher: Publisher, signal: AbortSignal): Promise<void> {
    const { namespaces, topic } = this.#options
    if (feed !== this.#feeds[0] || namespaces.length === 0) return
    const selected = new Set(namespaces)
    const keys = [...topic.index.keys()].filter((key) => !selected.has(splitKey(key).namespace))
    for (let at = 0; at < keys.length; at += MAX_LAST_STATES) {
      const some = new Set(keys.slice(at, at + MAX_LAST_STATES))
      const states = await this.#lastStates(some, signal)
      for (const key of some) publisher.publishDeselected(key, states)
    }
  }

  async #lastStates(keys: ReadonlySet<string>, signal: AbortSignal): Promise<LastStates> {
    const { topic, log } = this.#options
    const { index, reader, options } = topic
    // A record on its way has no position yet. It also keeps down what is held: objects read before are acknowledged by then.
    await this.#writing?.progress.flush(signal)
    return readLastStates(keys, index, { reader, topic: options.topic, decoder: options.decoder, log, signal })
  }

  #listed(publisher: Publisher): void {
    if (!this.#feeds.every((feed) => feed.resourceVersion !== '')) return
    publisher.markSynced()
    this.#complete = true
  }

  async #awaitSync(progress: ProgressWriter, signal: AbortSignal): Promise<void> {
    await Promise.race([progress.firstAcknowledged, aborted(signal)])
    if (signal.aborted) return
    this.#synced = true
    this.#options.log.info('synced', { keys: this.#options.topic.index.size })
    this.#showSynced()
  }

  #showSynced(): void {
    const isUp = this.#synced && this.#refusals.reason === undefined
    this.#options.metrics.synced.set({ resource: this.name }, isUp ? 1 : 0)
  }

  async #tick(signal: AbortSignal, progress: ProgressWriter): Promise<void> {
    const { clock, progressIntervals } = this.#options
    for (;;) {
      await clock.sleep(progressIntervals.changedMs, signal)
      if (!this.#complete) continue
      for (const feed of this.#feeds) feed.mark()
      progress.tick()
    }
  }

  async #flush({ progress, digests }: Writing): Promise<void> {
    if (this.#complete) {
      progress.finish()
      digests.finish()
    }
    try {
      await progress.flush(AbortSignal.timeout(FLUSH_TIMEOUT_MS))
    } catch (cause) {
      const error = fromUnknown(cause, 'Cannot flush')
      // Nothing is lost: the next start publishes what the topic lacks.
      this.#options.log.warn('stopped before everything was acknowledged', { error })
    }
  }

  #countList(reason: string): void {
    if (reason !== 'initial') this.#options.metrics.relists.inc({ resource: this.name, reason })
  }

  #heard(feed: number): void {
    const { metrics, clock } = this.#options
    metrics.watchLastEvent.set({ resource: this.name }, clock.now() / 1000)
    if (this.#refusals.heard(feed)) this.#showSynced()
  }

  #report(feed: number, error: KubedeltaError): void {
    if (this.#refusals.failed(feed, error)) this.#options.log.error('degraded', { error })
    this.#showSynced()
  }
}
