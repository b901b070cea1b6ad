// Drives one partition's lane: batches groups, sends what the lane decides, and tells it what came back.

import { fromUnknown, hasCode, type KubedeltaError } from '../base/errors.ts'
import type { Appended, Compression, RecordGroup } from '../topic/port.ts'
import { sealBatch } from './batch-header.ts'
import { Batcher } from './batcher.ts'
import { ERROR } from './error-codes.ts'
import { newLane, step, type LaneInput, type LaneOutput, type LaneState, type Refusal } from './lane.ts'
import type { LaneOptions } from './lane-options.ts'
import { Outstanding } from './outstanding.ts'
import { prepareBatches, type PreparedBatch } from './prepare.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'
import { produceRequest, type ProduceAnswer } from './protocol/produce.ts'
import { appendRefused, refusalOf } from './refusal.ts'
import { restamp } from './restamp.ts'
import type { SentBatch } from './tail.ts'
import { Trouble } from './trouble.ts'

interface Batch extends PreparedBatch {
  /** What its header and checksum were last written for. */
  sealed?: { readonly identity: ProducerIdentity; readonly sequence: number }
  /** The last answer that did not acknowledge it. */
  refused?: { readonly refusal: Refusal; readonly error: KubedeltaError }
}

/** Well under any producer.id.expiration.ms: a lane that was empty for longer sends its first batch alone. */
const PROOF_MS = 30_000

/** One partition's FIFO, driven. */
export class LaneDriver {
  readonly #options: LaneOptions
  readonly #batcher: Batcher
  readonly #outstanding = new Outstanding()
  /** Those the lane's state knows, by id. */
  readonly #batches = new Map<number, Batch>()
  readonly #trouble: Trouble
  #state: LaneState
  #identity: ProducerIdentity
  #maxBatchBytes: number
  #tailFrom: number
  #nextId = 0
  #attemptedAtMs = 0
  // When the broker last acknowledged something, and when something was last sent to it; at first when the lane was made.
  #provenAtMs: number
  #sentAtMs: number
  #resuming = false
  #failure: KubedeltaError | undefined
  #halting: (() => void) | undefined

  constructor(options: LaneOptions) {
    this.#options = options
    this.#identity = options.identity
    this.#state = newLane(options.firstSequence)
    this.#maxBatchBytes = options.maxBatchBytes
    this.#tailFrom = options.endOffset
    this.#provenAtMs = options.clock.now()
    this.#sentAtMs = this.#provenAtMs
    this.#trouble = new Trouble({
      ...options,
      messages: { begins: 'append failed, retrying', ends: 'append goes on' },
      fields: { partition: options.partition },
    })
    this.#batcher = new Batcher({
      underWay: () => this.#underWay(),
      prepare: async (groups) => prepareBatches(groups, this.#prepareOptions()),
      deliver: (batch) => this.#enqueue(batch),
    })
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

  /** Whether it waits for a new producer epoch, and for nothing of its own. */
  get halted(): boolean {
    return this.#state.kind === 'halted'
  }

  /** The offset behind the last acknowledged record. */
  get tailFrom(): number {
    return this.#tailFrom
  }

  append(group: RecordGroup): Promise<Appended> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#outstanding.records === 0) this.#attemptedAtMs = this.#options.clock.now()
    const { pending, appended } = this.#outstanding.add(group)
    this.#batcher.add(pending)
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
    this.#batcher.stop()
    this.#outstanding.rejectAll(error)
    this.#batches.clear()
    this.#halted()
  }

  #underWay(): { readonly all: number; readonly unsent: number } {
    const { batches } = this.#state
    return { all: batches.length, unsent: batches.filter(({ sequence }) => sequence === undefined).length }
  }

  #prepareOptions(): { topic: string; compression: Compression; maxBatchBytes: number } {
    const { topic, compression } = this.#options
    return { topic, compression, maxBatchBytes: this.#maxBatchBytes }
  }

  #enqueue(batch: PreparedBatch): void {
    const unprovenMs = this.#options.clock.now() - this.#provenAtMs
    if (this.#state.batches.length === 0 && unprovenMs > PROOF_MS) this.#apply({ kind: 'lapsed' })
    this.#apply({ kind: 'ready', ...this.#register(batch) })
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
    this.#sentAtMs = this.#attemptedAtMs
    if (batch.sealed?.identity !== this.#identity || batch.sealed.sequence !== sequence) {
      sealBatch(batch.bytes, this.#identity, sequence)
      batch.sealed = { identity: this.#identity, sequence }
    }
    let answer: ProduceAnswer
    try {
      const request = produceRequest(topic, partition, batch.bytes, replicationTimeoutMs)
      answer = await cluster.pipeline(topic, partition, request)
    } catch (error) {
      this.#worry(fromUnknown(error, `Cannot append to topic ${topic}`))
      this.#apply({ kind: 'refused', id, refusal: 'unknown' })
      return
    }
    this.#answered(id, answer)
  }

  #answered(id: number, answer: ProduceAnswer): void {
    const { errorCode, baseOffset } = answer
    const { topic, partition } = this.#options
    if (errorCode === ERROR.none) {
      this.#trouble.over()
      this.#provenAtMs = this.#options.clock.now()
      this.#apply({ kind: 'acknowledged', id, baseOffset })
      return
    }
    const error = appendRefused(topic, partition, answer)
    const refusal = refusalOf(errorCode)
    if (refusal === undefined) {
      this.#options.onFailure(error)
      return
    }
    if (refusal === 'not-now' || refusal === 'unknown') this.#worry(error)
    const batch = this.#batches.get(id)
    if (batch !== undefined) batch.refused = { refusal, error }
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
    this.#batcher.schedule()
  }

  async #replace(id: number): Promise<void> {
    const batch = this.#batches.get(id)
    if (batch === undefined) return
    this.#batches.delete(id)
    if (batch.refused?.refusal === 'untimely') {
      if (!restamp(batch.groups, this.#options.clock.now())) return this.#options.onFailure(batch.refused.error)
    } else {
      // The topic takes less than it said when the writer was opened.
      this.#maxBatchBytes = Math.min(this.#maxBatchBytes, batch.bytes.length - 1)
    }
    const by = await prepareBatches(batch.groups, this.#prepareOptions())
    this.#apply({ kind: 'replaced', id, by: by.map((each) => this.#register(each)) })
    this.#batcher.schedule()
  }

  /** Waits, then finds and connects the leader, until that succeeds; the first time without waiting. */
  async #resume(): Promise<void> {
    const { topic, partition, cluster, clock, renewalIntervalMs, signal } = this.#options
    this.#resuming = true
    while (!signal.aborted) {
      try {
        await this.#trouble.backOff(signal)
        this.#attemptedAtMs = clock.now()
        await cluster.connectLeader(topic, partition)
        break
      } catch (error) {
        if (!signal.aborted) this.#worry(fromUnknown(error, `Cannot append to topic ${topic}`))
      }
    }
    this.#resuming = false
    if (signal.aborted) return
    this.#apply({ kind: clock.now() - this.#sentAtMs > renewalIntervalMs ? 'overdue' : 'resumed' })
  }

  /** Fails the writer where waiting cannot help; otherwise asks for the leader again before the next attempt. */
  #worry(error: KubedeltaError): void {
    const { topic, cluster, onFailure } = this.#options
    const gone = this.#trouble.note(error)
    if (gone || hasCode(error, 'forbidden', 'unsupported', 'internal')) onFailure(error)
    cluster.forget(topic)
  }

  #halted(): void {
    this.#halting?.()
    this.#halting = undefined
  }
}
