// Appends to one topic, one lane for each partition, under one producer identity.

import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Appended, Compression, RecordGroup, TopicWriter, WriterStatus } from '../topic/port.ts'
import type { Cluster } from './cluster.ts'
import { Lane } from './lane-driver.ts'
import { takeProducerId } from './producer-id.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'
import { connectionBackoff } from '../base/retry.ts'
import { findLanded } from './tail.ts'

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
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A writer over lanes.
 *
 * When a lane cannot explain what the broker said, the writer reopens: all lanes halt once what they sent is answered, the
 * broker gives a new producer epoch, the topic's tail tells what landed, and the lanes send the rest from sequence 0.
 */
export class KafkaWriter implements TopicWriter {
  readonly topic: string
  readonly partitions: number
  readonly #options: KafkaWriterOptions
  readonly #lanes: readonly Lane[]
  readonly #life = new AbortController()
  #identity: ProducerIdentity
  #failure: KubedeltaError | undefined
  #reopening = false

  constructor(options: KafkaWriterOptions) {
    this.#options = options
    this.topic = options.topic
    this.partitions = options.endOffsets.size
    this.#identity = options.identity
    this.#lanes = Array.from({ length: this.partitions }, (_, partition) => this.#lane(partition))
  }

  get producerId(): string {
    return String(this.#identity.producerId)
  }

  append(partition: number, group: RecordGroup): Promise<Appended> {
    const lane = this.#lanes[partition]
    if (lane === undefined) {
      throw new RangeError(
        `Cannot append to topic ${this.topic}: 'partition' must be 0 to ${this.partitions - 1}: current value is ${partition}`,
      )
    }
    if (group.records.length === 0) {
      throw new RangeError(
        `Cannot append to topic ${this.topic}: 'records' must hold at least one: current value is empty`,
      )
    }
    return lane.append(group)
  }

  async flush(signal: AbortSignal): Promise<void> {
    await abortable(Promise.all(this.#lanes.map(async (lane) => lane.drained())), signal)
    if (this.#failure !== undefined) throw this.#failure
  }

  status(): WriterStatus {
    let pendingRecords = 0
    let lastAttemptAtMs: number | undefined
    for (const { pendingRecords: pending, attemptedAtMs } of this.#lanes) {
      pendingRecords += pending
      if (attemptedAtMs !== undefined) lastAttemptAtMs = Math.min(attemptedAtMs, lastAttemptAtMs ?? Infinity)
    }
    return { pendingRecords, lastAttemptAtMs }
  }

  /** Rejects what is still pending with `aborted`: flush first. The connections belong to the log that made this. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail(new KubedeltaError('aborted', `Cannot append to topic ${this.topic}: the writer is closed`))
  }

  #lane(partition: number): Lane {
    const { endOffsets } = this.#options
    return new Lane({
      ...this.#options,
      partition,
      endOffset: endOffsets.get(partition) ?? 0,
      signal: this.#life.signal,
      onReopen: () => void this.#reopen(),
      onFailure: (error) => this.#fail(error),
    })
  }

  #fail(error: KubedeltaError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#life.abort(error)
    for (const lane of this.#lanes) lane.fail(error)
  }

  /** Several lanes may ask for it; once is enough for all. */
  async #reopen(): Promise<void> {
    if (this.#reopening) return
    this.#reopening = true
    const { cluster, transactionalId, log } = this.#options
    log.warn('reopening the writer', { producerId: this.producerId, epoch: this.#identity.epoch })
    try {
      await Promise.all(this.#lanes.map(async (lane) => lane.halt()))
      const former = this.#identity
      const identity = await this.#untilDone(async () => takeProducerId(cluster, transactionalId, former))
      // A lane halts only when the broker has answered all that it sent. What a broken connection may have left behind
      // there cannot land any more: it has landed, or the batch that must come before it never will under this epoch.
      const landed = await Promise.all(this.#lanes.map(async (lane) => this.#landed(lane, former)))
      this.#identity = identity
      this.#reopening = false
      for (const [index, lane] of this.#lanes.entries()) lane.reopened(identity, landed[index] ?? new Map())
    } catch (error) {
      this.#fail(fromUnknown(error, `Cannot reopen the writer of topic ${this.topic}`))
    }
  }

  async #landed(lane: Lane, former: ProducerIdentity): Promise<ReadonlyMap<number, number>> {
    const sent = lane.sent()
    if (sent.length === 0) return new Map()
    const { cluster } = this.#options
    const question = { topic: this.topic, partition: lane.partition, from: lane.tailFrom, identity: former, sent }
    return this.#untilDone(async () => findLanded(cluster, question))
  }

  async #untilDone<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, cluster } = this.#options
    const backoff = connectionBackoff(clock)
    for (;;) {
      this.#life.signal.throwIfAborted()
      try {
        return await abortable(attempt(), this.#life.signal)
      } catch (error) {
        if (!(error instanceof KubedeltaError) || !error.retriable) throw error
        cluster.forget(this.topic)
        await clock.sleep(backoff.delay(), this.#life.signal)
      }
    }
  }
}
