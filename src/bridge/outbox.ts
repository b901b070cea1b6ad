// Keeps what a writer could only queue, so that later updates of an object can take the place of waiting ones.

import { abortable } from '../base/abort.ts'
import { KubedeltaError } from '../base/errors.ts'
import { noSuchPartition } from '../topic/check-append.ts'
import type { Appended, RecordGroup, TopicWriter, WriterStatus } from '../topic/port.ts'
import { PartitionOutbox, type Change, type ChangeOutcome, type OutboxOptions } from './partition-outbox.ts'

/**
 * A writer in front of another one of the same topic.
 *
 * - The order of the calls is the order of each partition, control records included; a change that replaces another takes its place,
 *   and never one before a control record: what stood before it when it was appended stands before it on the topic.
 * - What was handed on is never replaced: it may be on its way to the broker.
 * - Changes wait while the writer's hands are full: `MAX_HANDED_BYTES`, or nothing acknowledged for `STALLED_MS`. So an outage costs
 *   memory by keys, not by time.
 */
export class Outbox implements TopicWriter {
  readonly #writer: TopicWriter
  readonly #partitions: readonly PartitionOutbox[]

  constructor(writer: TopicWriter, options: OutboxOptions) {
    this.#writer = writer
    this.#partitions = Array.from({ length: writer.partitions }, (_, partition) => {
      return new PartitionOutbox((group) => writer.append(partition, group), options)
    })
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
    return this.#at(partition).append(group)
  }

  /** @throws as `append` */
  appendChange(partition: number, change: Change): Promise<ChangeOutcome> {
    return this.#at(partition).appendChange(change)
  }

  async flush(signal: AbortSignal): Promise<void> {
    await abortable(Promise.all(this.#partitions.map((partition) => partition.handedOn())), signal)
    await this.#writer.flush(signal)
  }

  status(): WriterStatus {
    const { pendingRecords, lastAttemptAtMs } = this.#writer.status()
    const waiting = this.#partitions.reduce((sum, partition) => sum + partition.waitingRecords, 0)
    return { pendingRecords: pendingRecords + waiting, lastAttemptAtMs }
  }

  /** Rejects what is still pending with `aborted`: flush first. */
  async [Symbol.asyncDispose](): Promise<void> {
    const error = new KubedeltaError('aborted', `Cannot append to topic ${this.topic}: the writer is closed`)
    for (const partition of this.#partitions) partition.fail(error)
    await this.#writer[Symbol.asyncDispose]()
  }

  #at(partition: number): PartitionOutbox {
    const found = this.#partitions[partition]
    if (found !== undefined) return found
    throw noSuchPartition(this, partition)
  }
}
