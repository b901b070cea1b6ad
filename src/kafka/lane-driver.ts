// Drives one partition's lane: batches groups, sends what the lane decides, and tells it what came back.

import type { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, hasCode, type KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Appended, Compression, RecordGroup } from '../topic/port.ts'
import { sealBatch } from './batch-header.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, ERROR, refused } from './error-codes.ts'
import { GroupQueue } from './group-queue.ts'
import { MAX_IN_FLIGHT, newLane, step, type LaneInput, type LaneOutput, type LaneState, type Refusal } from './lane.ts'
import { Outstanding } from './outstanding.ts'
import { prepareBatches, type PreparedBatch } from './prepare.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'
import { produceRequest, type ProduceAnswer } from './protocol/produce.ts'
import { connectionBackoff } from './retry.ts'
import type { SentBatch } from './tail.ts'

export interface LaneOptions {
  readonly topic: string
  readonly partition: number
  readonly compression: Compression
  /** The topic's max.message.bytes. */
  readonly maxBatchBytes: number
  /** The partition's end when the writer was opened. */
  readonly endOffset: number
  /** Sequence number of the first batch. */
  readonly firstSequence: number
  readonly identity: ProducerIdentity
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
  /** How long the broker waits for its replicas. */
  readonly replicationTimeoutMs: number
  /** How long the topic may be unknown to the brokers before the writer gives up. */
  readonly missingTopicGraceMs: number
  /** Aborts when the writer is disposed or has failed. */
  readonly signal: AbortSignal
  /** Only a new producer epoch helps this lane. */
  readonly onReopen: () => void
  /** Nothing helps this lane. */
  readonly onFailure: (error: KubedeltaError) => void
}

interface Batch extends PreparedBatch {
  /** What its header and checksum were last written for. */
  sealed?: { readonly identity: ProducerIdentity; readonly sequence: number }
}

/** Batches encoded, or being compressed, ahead of those in flight. */
const PREPARE_AHEAD = 4

/** One partition's FIFO. Groups linger for one turn of the event loop, and longer only while five batches are under way. */
export class Lane {
  readonly #options: LaneOptions
  readonly #queue = new GroupQueue()
  readonly #outstanding = new Outstanding()
  /** Those the lane's state knows, by id. */
  readonly #batches = new Map<number, Batch>()
  /** In the order of their groups; a result enters the lane only when all before it have. */
  readonly #preparing: Array<{ result?: readonly PreparedBatch[] }> = []
  readonly #backoff: Backoff
  #state: LaneState
  #identity: ProducerIdentity
  #maxBatchBytes: number
  #tailFrom: number
  #nextId = 0
  #attemptedAtMs = 0
  #turn: NodeJS.Immediate | undefined
  #resuming = false
  #troubled = false
  #missingSinceMs: number | undefined
  #failure: KubedeltaError | undefined
  #halting: (() => void) | undefined

  constructor(options: LaneOptions) {
    this.#options = options
    this.#identity = options.identity
    this.#state = newLane(options.firstSequence)
    this.#maxBatchBytes = options.maxBatchBytes
    this.#tailFrom = options.endOffset
    this.#backoff = connectionBackoff(options.clock)
  }

  get partition(): number {
    return this.#options.partition
  }

  get pendingRecords(): number {
    return this.#outstanding.records
  }

  /** When it last tried, or when the oldest pending record came; undefined when nothing is pending. */
  get attemptedAtMs(): number | undefined {
    return this.#outstanding.records === 0 ? undefined : this.#attemptedAtMs
  }

  /** The offset behind the last acknowledged record. */
  get tailFrom(): number {
    return this.#tailFrom
  }

  append(group: RecordGroup): Promise<Appended> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#outstanding.records === 0) this.#attemptedAtMs = this.#options.clock.now()
    const { pending, appended } = this.#outstanding.add(group)
    this.#queue.push(pending)
    this.#schedule()
    return appended
  }

  /** Resolves when everything appended before is acknowledged or rejected. */
  async drained(): Promise<void> {
    await this.#outstanding.drained()
  }

  /** Stops sending; resolves when nothing is in flight any more. */
  async halt(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#halting = resolve
      this.#apply({ kind: 'halt' })
      if (this.#state.kind === 'halted') this.#halted()
    })
  }

  /** What was sent and may stand on the topic. */
  sent(): readonly SentBatch[] {
    const sent: SentBatch[] = []
    for (const { id, records, sequence, outcome } of this.#state.batches) {
      if (sequence !== undefined && outcome !== 'acknowledged') sent.push({ id, records, sequence })
    }
    return sent
  }

  /** Goes on under a new producer epoch; `landed`: which of `sent()` stand on the topic, and where. */
  reopened(identity: ProducerIdentity, landed: ReadonlyMap<number, number>): void {
    this.#identity = identity
    this.#apply({ kind: 'reopened', landed })
  }

  /** Rejects everything that is pending and whatever comes. */
  fail(error: KubedeltaError): void {
    this.#failure = error
    clearImmediate(this.#turn)
    this.#outstanding.rejectAll(error)
    this.#batches.clear()
    this.#halted()
  }

  #schedule(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined
      this.#fill()
    })
  }

  /** Takes groups into batches as long as that gains time. */
  #fill(): void {
    while (this.#queue.length > 0 && this.#failure === undefined) {
      const waiting = this.#state.batches.filter(({ outcome }) => outcome === 'ready').length + this.#preparing.length
      if (waiting >= PREPARE_AHEAD) return
      const busy = this.#state.batches.length + this.#preparing.length >= MAX_IN_FLIGHT
      if (busy && !this.#queue.holdsFullBatch) return
      const slot: { result?: readonly PreparedBatch[] } = {}
      this.#preparing.push(slot)
      void this.#prepare(slot)
    }
  }

  async #prepare(slot: { result?: readonly PreparedBatch[] }): Promise<void> {
    slot.result = await prepareBatches(this.#queue.take(), this.#prepareOptions())
    while (this.#preparing[0]?.result !== undefined) {
      for (const batch of this.#preparing.shift()?.result ?? []) {
        this.#apply({ kind: 'ready', ...this.#register(batch) })
      }
    }
    this.#schedule()
  }

  #prepareOptions(): { topic: string; compression: Compression; maxBatchBytes: number } {
    const { topic, compression } = this.#options
    return { topic, compression, maxBatchBytes: this.#maxBatchBytes }
  }

  #register(batch: PreparedBatch): { readonly id: number; readonly records: number } {
    const id = this.#nextId
    this.#nextId += 1
    this.#batches.set(id, batch)
    return { id, records: batch.records }
  }

  #apply(input: LaneInput): void {
    if (this.#failure !== undefined) return
    const { state, outputs } = step(this.#state, input)
    this.#state = state
    for (const output of outputs) this.#do(output)
    if (this.#state.kind === 'waiting' && this.#state.batches.length > 0 && !this.#resuming) void this.#resume()
  }

  #do(output: LaneOutput): void {
    switch (output.kind) {
      case 'send':
        void this.#send(output.id, output.sequence)
        break
      case 'acknowledge':
        this.#acknowledge(output.id, output.baseOffset)
        break
      case 'back-off':
        // The loop that `#apply` starts waits for it.
        break
      case 'replace':
        void this.#replace(output.id)
        break
      case 'reopen':
        this.#options.onReopen()
        break
      case 'halted':
        this.#halted()
        break
      default:
        output satisfies never
    }
  }

  async #send(id: number, sequence: number): Promise<void> {
    const batch = this.#batches.get(id)
    if (batch === undefined) return
    const { topic, partition, cluster, clock, replicationTimeoutMs } = this.#options
    this.#attemptedAtMs = clock.now()
    if (batch.sealed?.identity !== this.#identity || batch.sealed.sequence !== sequence) {
      sealBatch(batch.bytes, this.#identity, sequence)
      batch.sealed = { identity: this.#identity, sequence }
    }
    try {
      const request = produceRequest(topic, partition, batch.bytes, replicationTimeoutMs)
      this.#answered(id, await cluster.pipeline(topic, partition, request))
    } catch (error) {
      this.#trouble(fromUnknown(error, `Cannot append to topic ${topic}`))
      this.#apply({ kind: 'refused', id, refusal: 'unknown' })
    }
  }

  #answered(id: number, { errorCode, baseOffset, message }: ProduceAnswer): void {
    const { topic, partition, cluster } = this.#options
    if (errorCode === ERROR.none) {
      this.#calm()
      this.#apply({ kind: 'acknowledged', id, baseOffset })
      return
    }
    const error = refused(`append to topic ${topic}`, errorCode, { message, fields: { topic, partition } })
    const refusal = refusalOf(errorCode)
    if (refusal === undefined) {
      this.#options.onFailure(error)
      return
    }
    if (refusal === 'not-now' || refusal === 'unknown') {
      if (errorCode === ERROR.unknownTopicOrPartition) this.#missingSinceMs ??= this.#options.clock.now()
      cluster.forget(topic)
      this.#trouble(error)
    }
    this.#apply({ kind: 'refused', id, refusal })
  }

  #acknowledge(id: number, baseOffset: number): void {
    const batch = this.#batches.get(id)
    if (batch === undefined) return
    this.#batches.delete(id)
    const { partition } = this.#options
    let offset = baseOffset
    for (const group of batch.groups) {
      group.resolve({ partition, baseOffset: offset })
      offset += group.records.length
    }
    this.#tailFrom = offset
    this.#schedule()
  }

  async #replace(id: number): Promise<void> {
    const batch = this.#batches.get(id)
    if (batch === undefined) return
    this.#batches.delete(id)
    // The topic takes less than it said when the writer was opened.
    this.#maxBatchBytes = Math.min(this.#maxBatchBytes, batch.bytes.length - 1)
    const by = await prepareBatches(batch.groups, this.#prepareOptions())
    this.#apply({ kind: 'replaced', id, by: by.map((each) => this.#register(each)) })
    this.#schedule()
  }

  /** Waits, then finds and connects the leader, until that succeeds; the first time without waiting. */
  async #resume(): Promise<void> {
    const { topic, partition, cluster, clock, signal, missingTopicGraceMs } = this.#options
    this.#resuming = true
    while (!signal.aborted) {
      try {
        if (this.#troubled) await clock.sleep(this.#backoff.delay(), signal)
        this.#attemptedAtMs = clock.now()
        await cluster.connectLeader(topic, partition)
        break
      } catch (caught) {
        if (signal.aborted) break
        const error = fromUnknown(caught, `Cannot append to topic ${topic}`)
        if (error.code === 'topic-missing') this.#missingSinceMs ??= clock.now()
        const missing = this.#missingSinceMs !== undefined && clock.now() - this.#missingSinceMs >= missingTopicGraceMs
        if ((error.code === 'topic-missing' && missing) || hasCode(error, 'forbidden', 'unsupported', 'internal')) {
          this.#options.onFailure(error)
          break
        }
        this.#trouble(error)
      }
    }
    this.#resuming = false
    if (!signal.aborted) this.#apply({ kind: 'resumed' })
  }

  /** Says once that the lane is in trouble, and once that it is over. */
  #trouble(error: KubedeltaError): void {
    if (!this.#troubled) {
      const { log, partition } = this.#options
      log.warn('append failed, retrying', { partition, reason: error.message, code: error.code })
    }
    this.#troubled = true
  }

  #calm(): void {
    if (!this.#troubled) return
    this.#troubled = false
    this.#missingSinceMs = undefined
    this.#backoff.reset()
    this.#options.log.info('append goes on', { partition: this.#options.partition })
  }

  #halted(): void {
    this.#halting?.()
    this.#halting = undefined
  }
}

/** What an error code means for the lane; undefined where nothing can help the writer. */
function refusalOf(errorCode: number): Refusal | undefined {
  switch (errorCode) {
    case ERROR.messageTooLarge:
    case ERROR.recordListTooLarge:
      return 'too-large'
    case ERROR.outOfOrderSequenceNumber:
    case ERROR.unknownProducerId:
    case ERROR.duplicateSequenceNumber:
      return 'out-of-sequence'
    case ERROR.requestTimedOut:
    case ERROR.notEnoughReplicasAfterAppend:
    case ERROR.unknownServerError:
      return 'unknown'
    default:
      return brokerError(errorCode).again ? 'not-now' : undefined
  }
}
