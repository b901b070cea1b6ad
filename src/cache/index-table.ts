// One index of a content: which keys stand under a value.

import type { Entry } from './entry.ts'

/** One index of a content. */
export interface IndexTable<T> {
  /**
   * The values an object would stand under.
   * @throws what the index function throws; TypeError when it returns anything but texts
   */
  valuesOf(object: T): readonly string[]
  /**
   * Puts the entry, which stands in `slot`, under its values and nowhere else.
   * @param before the slot that its key had, or ABSENT
   * @throws as `valuesOf`; the key is out of the index then
   */
  set(entry: Entry<T>, slot: number, before: number): void
  /** Takes a key out that had this slot. */
  delete(key: string, slot: number): void
  /** The keys under a value. */
  keys(value: string): Iterable<string>
  /** Values with at least one key. */
  values(): string[]
}
