// Holds appended groups in order until a batch takes them.

import type { PendingGroup } from './outstanding.ts'

/** Uncompressed; a group that is larger makes a batch of its own. */
export const TARGET_BATCH_BYTES = 512 * 1024
export const TARGET_BATCH_RECORDS = 1_000

/** A FIFO of groups that is cut into batches. */
export class GroupQueue {
  #groups: PendingGroup[] = []
  /** Groups before this index are taken: shifting a long array for each batch would copy it. */
  #head = 0
  #bytes = 0
  #records = 0

  get length(): number {
    return this.#groups.length - this.#head
  }

  /** Whether waiting longer would not make the next batch larger. */
  get holdsFullBatch(): boolean {
    return this.#bytes >= TARGET_BATCH_BYTES || this.#records >= TARGET_BATCH_RECORDS
  }

  push(group: PendingGroup): void {
    this.#groups.push(group)
    this.#bytes += group.bytes
    this.#records += group.records.length
  }

  /** The groups of the next batch: at least one, then as many as stay within the targets. */
  take(): readonly PendingGroup[] {
    let bytes = 0
    let records = 0
    let end = this.#head
    for (let group = this.#groups[end]; group !== undefined; group = this.#groups[end]) {
      const fits = bytes + group.bytes <= TARGET_BATCH_BYTES && records + group.records.length <= TARGET_BATCH_RECORDS
      if (end > this.#head && !fits) break
      bytes += group.bytes
      records += group.records.length
      end += 1
    }
    const taken = this.#groups.slice(this.#head, end)
    this.#head = end
    this.#bytes -= bytes
    this.#records -= records
    if (this.#head > 1_000 && this.#head * 2 > this.#groups.length) {
      this.#groups = this.#groups.slice(this.#head)
      this.#head = 0
    }
    return taken
  }
}
