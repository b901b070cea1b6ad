// Remembers what a topic holds: key -> uid, resourceVersion, hash of the published bytes, position. No objects.

import { hash } from 'node:crypto'

/** What the topic holds under one key, counting what was appended and is not acknowledged yet. */
export interface IndexEntry {
  readonly uid: string
  readonly resourceVersion: string
  /** `hashOf` the published object's bytes; '' where they are not known, `WITHHELD_HASH` or `UNREADABLE_HASH` where `object` is null. */
  hash: string
  /** Where the record stands; undefined until its append is acknowledged. */
  position: IndexPosition | undefined
}

export interface IndexPosition {
  readonly partition: number
  readonly offset: number
}

/**
 * The bridge's memory of one topic.
 *
 * - An entry is in it if and only if the last record of its key, appended or read, is not a delete.
 * - It costs one entry a key and holds no object.
 */
export class TopicIndex {
  readonly #entries = new Map<string, IndexEntry>()

  get size(): number {
    return this.#entries.size
  }

  get(key: string): IndexEntry | undefined {
    return this.#entries.get(key)
  }

  has(key: string): boolean {
    return this.#entries.has(key)
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys()
  }

  set(key: string, entry: IndexEntry): void {
    this.#entries.set(key, entry)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}

/** Stands for an object that was published as null: nothing to compare, so it waits for its next version. */
export const WITHHELD_HASH = 'withheld'

/** Stands for an object whose bytes were broken on their way here: written over as soon as a list shows it whole. */
export const UNREADABLE_HASH = 'unreadable'

/** A fingerprint of published bytes: the first 64 bits of their SHA-256. Tells versions of one key apart, nothing else. */
export function hashOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary').slice(0, 8)
}
