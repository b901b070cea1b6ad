// What a delta queue holds: the deltas of each key together, barriers between them, in the order of first arrival.

import type { Delta, ListReason } from './delta.ts'

export type QueueEntry<T> = KeyEntry<T> | ListedEntry | BookmarkEntry

export interface KeyEntry<T> {
  readonly kind: 'deltas'
  readonly key: string
  readonly deltas: Delta<T>[]
  readonly initial: boolean
  bytes: number
}

export interface ListedEntry {
  readonly kind: 'listed'
  readonly resourceVersion: string
  readonly reason: ListReason
  readonly initial: boolean
}

export interface BookmarkEntry {
  readonly kind: 'bookmark'
  resourceVersion: string
  readonly initial: boolean
}

/** The plain data of a queue: no waiting, no bounds. */
export class DeltaQueueEntries<T> {
  // Invariant: a key is in `items` if and only if its entry is in `queue`, after `head`.
  readonly #items = new Map<string, KeyEntry<T>>()
  #queue: Array<QueueEntry<T> | undefined> = []
  #head = 0
  #size = 0
  readonly #isInitial: () => boolean

  /** `isInitial` is asked once for each new entry. */
  constructor(isInitial: () => boolean) {
    this.#isInitial = isInitial
  }

  /** Deltas and barriers. */
  get size(): number {
    return this.#size
  }

  has(key: string): boolean {
    return this.#items.has(key)
  }

  /** The queued keys, each with its newest delta. */
  *newest(): Iterable<readonly [string, Delta<T> | undefined]> {
    for (const [key, { deltas }] of this.#items) yield [key, deltas.at(-1)]
  }

  /** Adds a delta that holds these bytes; returns the bytes that are not held after all. */
  append(key: string, delta: Delta<T>, bytes: number): number {
    const entry = this.#items.get(key)
    if (entry === undefined) {
      const created: KeyEntry<T> = { kind: 'deltas', key, deltas: [delta], bytes, initial: this.#isInitial() }
      this.#items.set(key, created)
      this.#push(created)
      return 0
    }
    const last = entry.deltas.at(-1)
    if (last?.kind !== 'deleted' || delta.kind !== 'deleted') {
      entry.deltas.push(delta)
      entry.bytes += bytes
      this.#size++
      return 0
    }
    // Two deletes in a row are one: the one with a final state, the older of equals (client-go delta_fifo.go, isDeletionDup).
    if (!last.finalStateUnknown || delta.finalStateUnknown) return bytes
    // Nothing is given back for the older one: a missed delete holds no bytes.
    entry.deltas[entry.deltas.length - 1] = delta
    entry.bytes += bytes
    return 0
  }

  listed(resourceVersion: string, reason: ListReason): void {
    this.#push({ kind: 'listed', resourceVersion, reason, initial: this.#isInitial() })
  }

  bookmark(resourceVersion: string): void {
    const last = this.#head < this.#queue.length ? this.#queue.at(-1) : undefined
    // Bookmarks in a row say no more than the last of them, and so are never more than the other entries.
    if (last?.kind === 'bookmark') last.resourceVersion = resourceVersion
    else this.#push({ kind: 'bookmark', resourceVersion, initial: this.#isInitial() })
  }

  shift(): QueueEntry<T> | undefined {
    const entry = this.#queue[this.#head]
    if (entry === undefined) return undefined
    this.#queue[this.#head++] = undefined
    if (this.#head === this.#queue.length || this.#head === COMPACT_AT) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    if (entry.kind === 'deltas') this.#items.delete(entry.key)
    this.#size -= entry.kind === 'deltas' ? entry.deltas.length : 1
    return entry
  }

  #push(entry: QueueEntry<T>): void {
    this.#queue.push(entry)
    this.#size++
  }
}

/** Entries taken before the rest is moved to the front: rare enough that a shift costs nothing. */
const COMPACT_AT = 4_096
