// One partition's changes and control records in order: handed to the writer as long as it keeps up, else kept waiting.

import { fromUnknown, hasCode, type KubedeltaError } from '../base/errors.ts'
import type { WireEntry } from '../record/order.ts'
import type { Appended, RecordGroup } from '../topic/port.ts'
import { coalesce } from './coalesce.ts'

/** What one delta puts on the topic. */
export interface Change {
  readonly key: string
  readonly entries: readonly WireEntry[]
  /** Encodes these entries, or what took their place; called once, when nothing can any more. */
  readonly toGroup: (entries: readonly WireEntry[]) => RecordGroup
}

export type ChangeOutcome =
  | { readonly kind: 'appended'; readonly entries: readonly WireEntry[]; readonly at: Appended }
  /** A later change of the key stands in its place. */
  | { readonly kind: 'replaced' }

export interface OutboxOptions {
  /** False: each change is handed on at once, and none is replaced. */
  readonly coalesce: boolean
  readonly now: () => number
  /** Told of each acknowledgement, by partition in the order of the log. */
  readonly onAppended: (appended: Appended, records: number) => void
}

/** Handed to the writer and not acknowledged, before encoding: some more than keeps its batches full. */
export const MAX_HANDED_BYTES = 8 * 1024 * 1024

/** Without an acknowledgement for so long the writer is taken to be stuck: what comes now waits where it can be replaced. */
export const STALLED_MS = 200

/** Keeps the order of one partition. */
export class PartitionOutbox {
  readonly #append: (group: RecordGroup) => Promise<Appended>
  readonly #options: OutboxOptions
  #waiting: Waiting[] = []
  // Those before it were handed on.
  #head = 0
  // Invariant: the newest waiting change of each key that has one behind the last control record.
  readonly #newest = new Map<string, WaitingChange>()
  #waitingRecords = 0
  // Handed to the writer and not answered: how many groups, and about how many bytes.
  #handed = 0
  #handedBytes = 0
  /** When the writer last acknowledged something, or got something to do. */
  #progressAtMs = 0
  #failure: KubedeltaError | undefined

  constructor(append: (group: RecordGroup) => Promise<Appended>, options: OutboxOptions) {
    this.#append = append
    this.#options = options
  }

  get waitingRecords(): number {
    return this.#waitingRecords
  }

  append(group: RecordGroup): Promise<Appended> {
    if (this.#isOpen(0)) return this.#hand(() => group, 0)
    const { promise, resolve, reject } = Promise.withResolvers<Appended>()
    // What a control record says of the records before it must stay true: nothing that comes later takes a place there.
    this.#newest.clear()
    this.#enqueue({ kind: 'group', group, records: group.records.length, resolve, reject })
    return promise
  }

  appendChange(change: Change): Promise<ChangeOutcome> {
    const bytes = bytesOf(change.entries)
    if (this.#isOpen(bytes)) return this.#handChange(change, change.entries)
    const { promise, resolve, reject } = Promise.withResolvers<ChangeOutcome>()
    const waiting = this.#newest.get(change.key)
    const entries = waiting === undefined ? undefined : coalesce(waiting.entries, change.entries)
    if (waiting === undefined || entries === undefined) {
      const records = change.entries.length
      const created: WaitingChange = { kind: 'change', change, entries: change.entries, records, resolve, reject }
      this.#newest.set(change.key, created)
      this.#enqueue(created)
    } else {
      waiting.resolve({ kind: 'replaced' })
      Object.assign(waiting, { change, entries, resolve, reject })
    }
    return promise
  }

  /** Resolves when everything appended before was handed to the writer, or has failed. */
  async handedOn(): Promise<void> {
    if (this.#head === this.#waiting.length) return
    await new Promise<void>((resolve) => this.#enqueue({ kind: 'mark', records: 0, resolve }))
  }

  /** Rejects what waits and whatever comes. */
  fail(error: KubedeltaError): void {
    this.#failure ??= error
    const rest = this.#waiting.slice(this.#head)
    this.#clear()
    for (const waiting of rest) {
      if (waiting.kind === 'mark') waiting.resolve()
      else waiting.reject(this.#failure)
    }
  }

  #enqueue(waiting: Waiting): void {
    this.#waiting.push(waiting)
    this.#waitingRecords += waiting.records
  }

  /** Whether so many more bytes may be handed on now. */
  #isOpen(bytes: number): boolean {
    if (!this.#options.coalesce || this.#failure !== undefined) return true
    return this.#head === this.#waiting.length && this.#hasRoom(bytes)
  }

  #hasRoom(bytes: number): boolean {
    if (this.#handed === 0) return true
    const isStalled = this.#options.now() - this.#progressAtMs > STALLED_MS
    return !isStalled && this.#handedBytes + bytes <= MAX_HANDED_BYTES
  }

  #handOn(): void {
    for (let next = this.#waiting[this.#head]; next !== undefined; next = this.#waiting[this.#head]) {
      if (next.kind !== 'mark' && !this.#hasRoom(next.kind === 'change' ? bytesOf(next.entries) : 0)) return
      this.#shift(next)
      if (next.kind === 'mark') next.resolve()
      else if (next.kind === 'group') this.#hand(() => next.group, 0).then(next.resolve, next.reject)
      else this.#handChange(next.change, next.entries).then(next.resolve, next.reject)
    }
    this.#clear()
  }

  #shift(next: Waiting): void {
    this.#head++
    this.#waitingRecords -= next.records
    if (next.kind === 'change' && this.#newest.get(next.change.key) === next) this.#newest.delete(next.change.key)
    if (this.#head % COMPACT_AT !== 0) return
    this.#waiting = this.#waiting.slice(this.#head)
    this.#head = 0
  }

  #clear(): void {
    this.#waiting = []
    this.#head = 0
    this.#waitingRecords = 0
    this.#newest.clear()
  }

  async #handChange({ toGroup }: Change, entries: readonly WireEntry[]): Promise<ChangeOutcome> {
    const at = await this.#hand(() => toGroup(entries), bytesOf(entries))
    return { kind: 'appended', entries, at }
  }

  async #hand(toGroup: () => RecordGroup, bytes: number): Promise<Appended> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#handed === 0) this.#progressAtMs = this.#options.now()
    this.#handed++
    this.#handedBytes += bytes
    try {
      const group = toGroup()
      const appended = await this.#append(group)
      this.#progressAtMs = this.#options.now()
      this.#options.onAppended(appended, group.records.length)
      return appended
    } catch (cause) {
      const error = fromUnknown(cause, 'Cannot append records')
      // A writer that has failed for good refuses whatever comes; one group alone may be too large.
      if (!hasCode(error, 'too-large')) this.fail(error)
      throw error
    } finally {
      this.#handed--
      this.#handedBytes -= bytes
      this.#handOn()
    }
  }
}

type Waiting = WaitingChange | WaitingGroup | Mark

interface WaitingChange {
  readonly kind: 'change'
  /** The one that came last. */
  change: Change
  /** What is to be written of all that came. */
  entries: readonly WireEntry[]
  readonly records: number
  resolve: (outcome: ChangeOutcome) => void
  reject: (error: KubedeltaError) => void
}

interface WaitingGroup {
  readonly kind: 'group'
  readonly group: RecordGroup
  readonly records: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: KubedeltaError) => void
}

/** Tells who flushes that everything before it was handed on. */
interface Mark {
  readonly kind: 'mark'
  readonly records: 0
  readonly resolve: () => void
}

/** Handed on before the rest is moved to the front: rare enough that it costs nothing. */
const COMPACT_AT = 4_096

/** About what they take before compression. */
function bytesOf(entries: readonly WireEntry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += 256 + (entry.kind === 'record' ? (entry.record.object?.length ?? 0) : 0)
  return bytes
}
