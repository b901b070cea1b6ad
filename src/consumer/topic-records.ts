// Reads a topic record by record, with positions to go on from: for programs that keep more than a cache does.

import { Backoff } from '../base/backoff.ts'
import { systemClock, type Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import { builtinResourceName } from '../object/builtin-resources.ts'
import type { ReadBatch, TopicLog } from '../topic/port.ts'
import { EntryReader } from './entry-reader.ts'
import { lookEveryMs, rebuildReasonOf } from '../replica/rebuild.ts'
import { ReplicaSchemas } from '../replica/replica-schemas.ts'
import { fetchFrom, type TopicSource } from './topic-cache.ts'
import type { TopicEntry } from './topic-entry.ts'
import { watchTopic, type TopicLookOptions } from '../replica/topic-look.ts'
import { topicOf } from './topic-of.ts'
import { PositionTracker, whyAnew, type AnewReason, type TopicPositions } from './topic-positions.ts'
import { checkPositions } from './check-positions.ts'
import { readRange } from '../replica/topic-range.ts'
import { openTopicLog, type OpenTopicLog } from './topic-source.ts'

export interface TopicRecordsOptions extends Omit<TopicSource, 'metrics'> {
  /** `pods`, `deployments.apps`; short names of built-in kinds will do. */
  readonly resource: string
  /** The name of the topic where it is another one: a mirror's. @default prefix, cluster and resource, as the bridge names it */
  readonly topic?: string
  /** Where to go on: the `positions` of the last batch that was dealt with. @default from the start */
  readonly positions?: TopicPositions | undefined
  /** Ends at what was the end at the start, instead of waiting for more. @default false */
  readonly untilEnd?: boolean
  /** Ends the iteration, without an error. */
  readonly signal: AbortSignal
}

/** How a reading of a topic began. */
export type ReadingStart = { readonly kind: 'resumed' } | { readonly kind: 'anew'; readonly reason: AnewReason }

/** Entries of one partition, in order, and where to go on behind them. */
export interface RecordBatch<T> {
  /** Present in the first batch of a reading, which has no entries. `anew`: everything comes again, from the start. */
  readonly start?: ReadingStart
  readonly entries: readonly TopicEntry<T>[]
  /** Behind this batch, of all partitions. */
  readonly positions: TopicPositions
  /**
   * Everything that stood on the topic when this reading began has come, and the bridge has said that it is complete: after a start
   * anew, what has not come by now is gone.
   */
  readonly live: boolean
}

/**
 * The records of a topic, in the order of each partition.
 *
 * - Resuming from the positions of a batch brings what stands behind it, once: keep them in the transaction that keeps what the batch led
 *   to, and nothing is lost or doubled, however the process ends.
 * - Positions that can no longer be trusted are not resumed from: the topic was created anew, began another stream, was truncated, or the
 *   positions are older than half of its delete.retention.ms. It is read from its start then, also while it is being followed, and `start`
 *   says why. Mark what comes, and sweep what is not marked when a batch is `live`.
 * - What cannot be read is an entry too: `unreadable` or `broken`.
 * - Connections lost are mended inside, without end; a topic that vanishes while it is read is waited for, and read from its start.
 *
 * @example
 * for await (const { start, entries, positions } of topicRecords<Wire<V1Pod>>({ from, cluster, resource: 'pods', positions: saved, signal })) {
 *   for (const entry of entries) if (entry.kind === 'record') console.log(entry.record.op, entry.key, entry.object?.status?.phase)
 *   save(positions)
 * }
 *
 * @throws KubedeltaError `usage` for a URL, cluster, prefix, resource or registry that cannot be used, and positions that are none or those
 *   of another topic; TypeError without a resource or a log. The iteration throws `topic-missing` when there is no such topic at the start,
 *   `topic-foreign`, `partitions-changed`, and what reading throws for good
 */
export function topicRecords<T>(options: TopicRecordsOptions): AsyncIterable<RecordBatch<T>> {
  const topic = topicOf(options)
  if (options.positions !== undefined) checkPositions(options.positions, topic)
  return new TopicRecords<T>(topic, options, openTopicLog(options))
}

class TopicRecords<T> implements AsyncIterable<RecordBatch<T>> {
  readonly #topic: string
  readonly #open: OpenTopicLog
  readonly #entries: EntryReader<T>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #signal: AbortSignal
  readonly #untilEnd: boolean
  #positions: TopicPositions | undefined
  /** Why the next reading begins anew, where there are no positions. */
  #reason: AnewReason = 'first'
  #hasBegun = false

  constructor(topic: string, options: TopicRecordsOptions, open: OpenTopicLog) {
    const { clock = systemClock, log = silentLogger, registry, positions, untilEnd = false, signal } = options
    this.#topic = topic
    this.#open = open
    this.#clock = clock
    this.#log = log
    this.#signal = signal
    this.#untilEnd = untilEnd
    this.#positions = positions
    const fetchSchema = registry === undefined ? undefined : fetchFrom(registry)
    const schemas = new ReplicaSchemas({ fetchSchema, clock, random: Math.random, log })
    this.#entries = new EntryReader({ topic, resource: builtinResourceName(options.resource), schemas })
  }

  async *[Symbol.asyncIterator](): AsyncIterator<RecordBatch<T>> {
    const signal = this.#signal
    const backoff = new Backoff(this.#clock)
    try {
      await using source = await this.#open(signal)
      for (;;) {
        const next = yield* this.#read(source.log)
        if (next === 'done') return
        // What is met while reading needs no patience: the topic is there, and it is met once.
        if (next === 'later') await this.#clock.sleep(backoff.delay(), signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** One reading, to its end. */
  async *#read(log: TopicLog): AsyncGenerator<RecordBatch<T>, 'done' | 'at-once' | 'later'> {
    const own = new AbortController()
    const signal = AbortSignal.any([this.#signal, own.signal])
    let watching: Promise<void> | undefined
    let seen: AnewReason | undefined
    try {
      const { tracker, start, ends } = await this.#begin(log)
      const onLook: Parameters<typeof watchTopic>[1]['onLook'] = (look) => {
        seen = tracker.see(look)
        if (seen !== undefined) own.abort()
      }
      const everyMs = (): number => lookEveryMs(tracker.deleteRetentionMs)
      watching = watchTopic(this.#lookOptions(log), { everyMs, onLook, signal })
      // Awaited below; until then a failure is no unhandled one.
      watching.catch((error: unknown) => own.abort(error))
      yield { start, entries: [], positions: this.#advance(tracker), live: tracker.isLive }
      for await (const batch of this.#batches(log, tracker, ends, signal)) {
        const entries = tracker.isCutOff(this.#clock.now())
          ? 'cut-off'
          : await this.#entries.read(batch, tracker, log, signal)
        if (entries === 'cut-off' || entries === 'new-stream') return this.#forget(entries, undefined)
        tracker.moved(batch)
        yield { entries, positions: this.#advance(tracker), live: tracker.isLive }
      }
      return seen === undefined ? 'done' : this.#forget(seen, undefined)
    } catch (error) {
      if (this.#signal.aborted) return 'done'
      if (seen !== undefined) return this.#forget(seen, undefined)
      return this.#afterFailure(error)
    } finally {
      own.abort()
      await watching
    }
  }

  async *#batches(
    log: TopicLog,
    { from, leaderEpochs }: PositionTracker,
    ends: ReadonlyMap<number, number>,
    signal: AbortSignal,
  ): AsyncIterable<ReadBatch> {
    await using reader = await log.openReader({ signal })
    const until = this.#untilEnd ? { until: ends } : {}
    yield* reader.read({ topic: this.#topic, from, ...until, leaderEpochs, signal })
  }

  #advance(tracker: PositionTracker): TopicPositions {
    const positions = tracker.positions()
    this.#positions = positions
    return positions
  }

  /** @throws the error itself where another attempt cannot help, and at the start, where it is for whoever started it */
  #afterFailure(error: unknown): 'later' {
    if (!this.#hasBegun) throw error
    const reason = rebuildReasonOf(error)
    if (reason !== undefined) {
      if (this.#positions !== undefined) this.#forget(reason, error)
      return 'later'
    }
    if (!(error instanceof KubedeltaError) || !error.retriable) throw error
    this.#log.warn('reading the topic ended, it is tried again', { topic: this.#topic, error })
    return 'later'
  }

  /** Nobody may resume from the positions. */
  #forget(reason: AnewReason, error: unknown): 'at-once' {
    this.#log.warn('reading the topic again from its start', { topic: this.#topic, reason, error })
    this.#positions = undefined
    this.#reason = reason
    return 'at-once'
  }

  async #begin(log: TopicLog): Promise<{
    readonly tracker: PositionTracker
    readonly start: ReadingStart
    readonly ends: ReadonlyMap<number, number>
  }> {
    const range = await readRange(this.#lookOptions(log), this.#signal)
    const why = this.#positions && whyAnew(this.#positions, range)
    if (why !== undefined) this.#forget(why, undefined)
    this.#hasBegun = true
    const start: ReadingStart =
      this.#positions === undefined ? { kind: 'anew', reason: this.#reason } : { kind: 'resumed' }
    return { tracker: new PositionTracker(this.#topic, range, this.#positions), start, ends: range.look.ends }
  }

  #lookOptions({ admin }: TopicLog): TopicLookOptions {
    return { admin, topic: this.#topic, clock: this.#clock, log: this.#log }
  }
}
