// Appends to one topic, one lane for each partition, under one producer identity.

import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { checkGroup, noSuchPartition } from '../topic/check-append.ts'
import type { Appended, Compression, RecordGroup, TopicWriter, WriterStatus } from '../topic/port.ts'
import type { Cluster } from './cluster.ts'
import { LaneDriver } from './lane-driver.ts'
import { takeProducerId } from './producer-id.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'
import { findLanded } from './tail.ts'
import { Trouble } from './trouble.ts'

export interface KafkaWriterOptions {
  readonly topic: string
  readonly transactionalId: string
  readonly compression: Compression
  readonly identity: ProducerIdentity
  /** Partition -> its end. One entry for each partition of the topic. */
  readonly endOffsets: ReadonlyMap<number, number>
  /** The topic's max.message.bytes. */
  readonly maxBatchBytes: number
  /** Sequence number of the first batch of each partition. */
  readonly firstSequence: number
  readonly replicationTimeoutMs: number
  readonly missingTopicGraceMs: number
  /** How often the transactional id is taken anew. */
  readonly renewalIntervalMs: number
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A writer over lanes.
 *
 * - When a lane cannot explain what the broker said, the writer reopens: all lanes halt once what they sent is answered, the
 *   coordinator raises the producer epoch, the topic's tail tells what landed, and the lanes send the rest from sequence 0.
 * - It does the same regularly. A coordinator forgets a transactional id that nobody takes for
 *   transactional.id.expiration.ms (7 days); who takes it next gets another producer id, and no broker refuses what this
 *   writer still sends. A writer that was taken over learns it this way even when it has nothing to write.
 * - A raised epoch needs no fence of its own: each partition refuses whoever is older than the epoch that it saw last, and the
 *   one between that and the new epoch is this writer itself. A partition learns the new epoch with its next batch, which
 *   must come within producer.id.expiration.ms in any case, since until then the partition remembers.
 */
export class KafkaWriter implements TopicWriter {
  readonly topic: string
  readonly partitions: number
  readonly #options: KafkaWriterOptions
  readonly #lanes: readonly LaneDriver[]
  readonly #life = new AbortController()
  readonly #trouble: Trouble
  #identity: ProducerIdentity
  /** When that was taken. */
  #identityAtMs: number
  #failure: KubedeltaError | undefined
  #reopening = false
  /** When reopening was last attempted. */
  #attemptedAtMs: number | undefined

  constructor(options: KafkaWriterOptions) {
    this.#options = options
    this.topic = options.topic
    this.partitions = options.endOffsets.size
    this.#identity = options.identity
    this.#identityAtMs = options.clock.now()
    this.#trouble = new Trouble({
      ...options,
      messages: { begins: 'reopening the writer failed, retrying', ends: 'reopening the writer goes on' },
      fields: {},
    })
    this.#lanes = Array.from({ length: this.partitions }, (_, partition) => this.#lane(partition))
  }

  get producerId(): string {
    return String(this.#identity.producerId)
  }

  append(partition: number, group: RecordGroup): Promise<Appended> {
    const lane = this.#lanes[partition]
    if (lane === undefined) throw noSuchPartition(this, partition)
    checkGroup(this, group)
    // After a long stop of this process the lanes would send before the timer comes to it.
    this.#renewIfDue()
    return lane.append(group)
  }

  /** Keeps the transactional id from expiring. Resolves when the writer is disposed or has failed. */
  async renewRegularly(): Promise<void> {
    const { clock, renewalIntervalMs } = this.#options
    const { signal } = this.#life
    while (!signal.aborted) {
      const elapsedMs = clock.now() - this.#identityAtMs
      try {
        await clock.sleep(Math.max(renewalIntervalMs - elapsedMs, renewalIntervalMs / 10), signal)
      } catch {
        // The writer's end, which is what aborted the sleep.
        return
      }
      this.#renewIfDue()
    }
  }

  async flush(signal: AbortSignal): Promise<void> {
    await abortable(Promise.all(this.#lanes.map(async (lane) => lane.drained())), signal)
    if (this.#failure !== undefined) throw this.#failure
  }

  status(): WriterStatus {
    const pendingRecords = this.#lanes.reduce((sum, lane) => sum + lane.pendingRecords, 0)
    if (pendingRecords === 0) return { pendingRecords, lastAttemptAtMs: undefined }
    // A halted lane waits for those that are not, and when all are, for what the writer attempts.
    const attempts = this.#lanes.filter(({ halted }) => !halted).flatMap(({ attemptedAtMs }) => attemptedAtMs ?? [])
    return { pendingRecords, lastAttemptAtMs: attempts.length === 0 ? this.#attemptedAtMs : Math.min(...attempts) }
  }

  /** Rejects what is still pending with `aborted`: flush first. The connections belong to the log that made this. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new KubedeltaError('aborted', `Cannot append to topic ${this.topic}: the writer is closed`))
  }

  #lane(partition: number): LaneDriver {
    const { endOffsets } = this.#options
    return new LaneDriver({
      ...this.#options,
      partition,
      endOffset: endOffsets.get(partition) ?? 0,
      signal: this.#life.signal,
      onReopen: () => this.#reopen(),
      onFailure: (error) => this.#fail(error),
    })
  }

  #fail(error: KubedeltaError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#life.abort(error)
    for (const lane of this.#lanes) lane.fail(error)
  }

  #renewIfDue(): void {
    const { clock, renewalIntervalMs } = this.#options
    if (clock.now() - this.#identityAtMs >= renewalIntervalMs) void this.#takeAnew()
  }

  #reopen(): void {
    if (this.#reopening) return
    this.#options.log.warn('reopening the writer', { producerId: this.producerId, epoch: this.#identity.epoch })
    void this.#takeAnew()
  }

  /** Several lanes may ask for it; once is enough for all. */
  async #takeAnew(): Promise<void> {
    if (this.#reopening || this.#failure !== undefined) return
    this.#reopening = true
    const { cluster, transactionalId, clock } = this.#options
    this.#attemptedAtMs = clock.now()
    try {
      await Promise.all(this.#lanes.map(async (lane) => lane.halt()))
      const former = this.#identity
      const identity = await this.#untilDone(async () => takeProducerId(cluster, transactionalId, former))
      // A lane halts only when the broker has answered all that it sent. What a broken connection may have left behind
      // there cannot land any more: it has landed, or the batch that must come before it never will under this epoch.
      const landed = await Promise.all(this.#lanes.map(async (lane) => this.#landed(lane, former)))
      this.#trouble.over()
      this.#taken(identity)
      this.#reopening = false
      for (const [index, lane] of this.#lanes.entries()) lane.reopened(identity, landed[index] ?? new Map())
    } catch (error) {
      this.#fail(fromUnknown(error, `Cannot reopen the writer of topic ${this.topic}`))
    }
  }

  #taken(identity: ProducerIdentity): void {
    const { clock, log } = this.#options
    const { producerId, epoch } = this.#identity
    const fields = { producerId: String(identity.producerId), epoch: identity.epoch }
    if (identity.producerId === producerId) log.info('raised the producer epoch', fields)
    else if (epoch >= LAST_EPOCH) log.info('the epochs of a producer id are used up, going on with another', fields)
    else log.warn('the transactional id had expired, going on with another producer id', fields)
    this.#identity = identity
    this.#identityAtMs = clock.now()
  }

  async #landed(lane: LaneDriver, former: ProducerIdentity): Promise<ReadonlyMap<number, number>> {
    const sent = lane.sent()
    if (sent.length === 0) return new Map()
    const { cluster } = this.#options
    const question = { topic: this.topic, partition: lane.partition, from: lane.tailFrom, identity: former, sent }
    return this.#untilDone(async () => findLanded(cluster, question))
  }

  async #untilDone<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, cluster } = this.#options
    const { signal } = this.#life
    for (;;) {
      signal.throwIfAborted()
      this.#attemptedAtMs = clock.now()
      try {
        return await abortable(attempt(), signal)
      } catch (error) {
        signal.throwIfAborted()
        const failure = fromUnknown(error, `Cannot reopen the writer of topic ${this.topic}`)
        const isGone = this.#trouble.note(failure)
        if (isGone || !(failure.retriable || failure.code === 'topic-missing')) throw failure
        cluster.forget(this.topic)
        await this.#trouble.backOff(signal)
      }
    }
  }
}

/** A coordinator gives a new producer id instead of an epoch above this (isEpochExhausted in Kafka's TransactionMetadata). */
const LAST_EPOCH = 32_766
