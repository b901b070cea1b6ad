// Keeps the groups of a lane that are appended and neither acknowledged nor rejected.

import type { KubedeltaError } from '../base/errors.ts'
import type { Appended, RecordGroup, TopicRecord } from '../topic/port.ts'
import { recordBytes } from './batch-encode.ts'

/** A group on its way, with the promise of who appended it. */
export interface PendingGroup {
  /** What stands on the topic in the end: what was appended, or what took its place. */
  readonly records: readonly TopicRecord[]
  /** About what it takes before compression. */
  readonly bytes: number
  resolve(appended: Appended): void
  reject(error: KubedeltaError): void
  /** Puts what `whenTooLarge` gives in the group's place: true if that is smaller. */
  shrink(): boolean
  /** Gives all records this time. Milliseconds since the Unix epoch. */
  restamp(timestampMs: number): void
}

/** The outstanding groups in the order in which they were appended. */
export class Outstanding {
  // A set keeps the order of insertion: its first element is the oldest group.
  readonly #groups = new Set<Group>()
  #waiters: Array<{ readonly upTo: number; readonly resolve: () => void }> = []
  #appended = 0
  #records = 0

  /** Records in all of them. */
  get records(): number {
    return this.#records
  }

  add(group: RecordGroup): { readonly pending: PendingGroup; readonly appended: Promise<Appended> } {
    this.#appended += 1
    const pending = new Group(group, this.#appended, (settled) => this.#settle(settled))
    this.#groups.add(pending)
    this.#records += group.records.length
    return { pending, appended: pending.promise }
  }

  /** Resolves when nothing of what was added before is left. */
  async drained(): Promise<void> {
    if (this.#groups.size === 0) return
    await new Promise<void>((resolve) => this.#waiters.push({ upTo: this.#appended, resolve }))
  }

  rejectAll(error: KubedeltaError): void {
    for (const group of this.#groups) group.reject(error)
  }

  #settle(group: Group): void {
    if (!this.#groups.delete(group)) return
    this.#records -= group.countedRecords
    if (this.#waiters.length === 0) return
    const oldest = this.#groups.values().next().value?.ordinal ?? Infinity
    const reached = this.#waiters.filter(({ upTo }) => upTo < oldest)
    this.#waiters = this.#waiters.filter(({ upTo }) => upTo >= oldest)
    for (const { resolve } of reached) resolve()
  }
}

class Group implements PendingGroup {
  readonly ordinal: number
  readonly promise: Promise<Appended>
  /** What was appended, whatever took its place later. */
  readonly countedRecords: number
  records: readonly TopicRecord[]
  bytes: number
  readonly #settle: (group: Group) => void
  readonly #resolve: (appended: Appended) => void
  readonly #reject: (error: KubedeltaError) => void
  readonly #whenTooLarge: (() => readonly TopicRecord[]) | undefined

  constructor(group: RecordGroup, ordinal: number, settle: (group: Group) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<Appended>()
    this.ordinal = ordinal
    this.promise = promise
    this.records = group.records
    this.countedRecords = group.records.length
    this.bytes = totalBytes(group.records)
    this.#whenTooLarge = group.whenTooLarge
    this.#settle = settle
    this.#resolve = resolve
    this.#reject = reject
  }

  resolve(appended: Appended): void {
    this.#resolve(appended)
    this.#settle(this)
  }

  reject(error: KubedeltaError): void {
    this.#reject(error)
    this.#settle(this)
  }

  shrink(): boolean {
    const smaller = this.#whenTooLarge?.() ?? []
    const bytes = totalBytes(smaller)
    if (smaller.length === 0 || bytes >= this.bytes) return false
    this.records = smaller
    this.bytes = bytes
    return true
  }

  restamp(timestampMs: number): void {
    this.records = this.records.map((record) => ({ ...record, timestampMs }))
  }
}

function totalBytes(records: readonly TopicRecord[]): number {
  let bytes = 0
  for (const record of records) bytes += recordBytes(record)
  return bytes
}
