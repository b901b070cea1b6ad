// The port to where a cache keeps the states of its objects, and the two ways that come with it.

import type { Entry } from './entry.ts'

/**
 * How the states of objects are kept.
 *
 * - `bytes`: as JSON text outside the V8 heap, parsed when someone looks; what was looked at lately stays parsed.
 * - `object`: parsed, their text dropped.
 */
export type StorageMode = 'bytes' | 'object'

/** What a storage holds. Bytes of text; 0 where no text is kept. */
export interface StorageUsage {
  readonly states: number
  /** Of the states that are held. */
  readonly bytes: number
  /** Of the memory that was taken for them, with what waits to be given back. */
  readonly reservedBytes: number
}

/**
 * Keeps states of objects, each in a slot. One storage serves one cache.
 *
 * - A slot is a small number from 0 on: whoever uses it lays arrays beside it. Released ones are given out again.
 * - An entry that was handed out stays true for ever, whatever is put and released later.
 * - Keys mean nothing to it: several slots may hold states of one key.
 *
 * Held to this by `test/conformance/object-storage.ts`.
 */
export interface ObjectStorage<T> {
  /**
   * Keeps a state and returns its slot. The entry's bytes, unless it has `room`, may be overwritten once this returns; its object, where it
   * has no bytes, is kept as it is.
   *
   * @param key equal to the entry's, and kept in its place: one text for all states of an object
   * @throws KubedeltaError `corrupt` where the bytes are parsed here and do not parse; nothing is kept then
   */
  put(entry: Entry<T>, key: string): number
  /** The key that was put, the same text each time. */
  key(slot: number): string
  entry(slot: number): Entry<T>
  /** Forgets a state. */
  release(slot: number): void
  usage(): StorageUsage
}
