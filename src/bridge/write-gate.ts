// Lets a leader's appends through while it may write, and holds them back while that is in doubt.

import { abortable } from '../base/abort.ts'
import type { KubedeltaError } from '../base/errors.ts'
import type { Appended, RecordGroup, TopicWriter, WriterStatus } from '../topic/port.ts'

/** Open, closed, or shut for good. */
export class WriteGate {
  #opening = Promise.withResolvers<void>()
  #state: 'open' | 'closed' | 'shut' = 'closed'

  constructor() {
    this.#ignoreUnheard()
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Resolves when it is open; the same promise for all who ask before it closes. @throws what it was shut with */
  opened(): Promise<void> {
    return this.#opening.promise
  }

  open(): void {
    if (this.#state !== 'closed') return
    this.#state = 'open'
    this.#opening.resolve()
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#opening = Promise.withResolvers()
    this.#ignoreUnheard()
  }

  /** Nothing passes any more, and who waits is told why. */
  shut(error: KubedeltaError): void {
    if (this.#state === 'shut') return
    if (this.#state === 'open') this.close()
    this.#state = 'shut'
    this.#opening.reject(error)
  }

  #ignoreUnheard(): void {
    // Who waits gets the rejection; that nobody waits is no failure of its own.
    this.#opening.promise.catch(() => {})
  }
}

/**
 * A writer behind a gate.
 *
 * - What is appended while the gate is closed waits and keeps its order; once it is shut, it rejects.
 * - What was passed on before is not called back: the broker's fence decides about that.
 */
export class GatedWriter implements TopicWriter {
  readonly #writer: TopicWriter
  readonly #gate: WriteGate
  #waitingGroups = 0
  #waitingRecords = 0

  constructor(writer: TopicWriter, gate: WriteGate) {
    this.#writer = writer
    this.#gate = gate
  }

  get topic(): string {
    return this.#writer.topic
  }

  get partitions(): number {
    return this.#writer.partitions
  }

  get producerId(): string {
    return this.#writer.producerId
  }

  append(partition: number, group: RecordGroup): Promise<Appended> {
    // Those that wait go first, even when the gate has just opened.
    if (this.#gate.isOpen && this.#waitingGroups === 0) return this.#writer.append(partition, group)
    return this.#waitAndAppend(partition, group)
  }

  async flush(signal: AbortSignal): Promise<void> {
    while (this.#waitingGroups > 0) await abortable(this.#gate.opened(), signal)
    await this.#writer.flush(signal)
  }

  status(): WriterStatus {
    const { pendingRecords, lastAttemptAtMs } = this.#writer.status()
    return { pendingRecords: pendingRecords + this.#waitingRecords, lastAttemptAtMs }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#writer[Symbol.asyncDispose]()
  }

  async #waitAndAppend(partition: number, group: RecordGroup): Promise<Appended> {
    const { length } = group.records
    this.#waitingGroups += 1
    this.#waitingRecords += length
    try {
      // All that wait together wait for one promise, which wakes them in the order in which they came.
      await this.#gate.opened()
    } finally {
      this.#waitingGroups -= 1
      this.#waitingRecords -= length
    }
    return this.#writer.append(partition, group)
  }
}
