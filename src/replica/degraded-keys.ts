// Remembers which keys are not at their last state, and the records that may still be read once their schema is known.

import type { StoredRecord } from '../topic/port.ts'

/**
 * Why a key is not at its last state: its record does not decode, not yet, is of another collection, failed in `transform`, or holds
 * no object because the bridge could not publish it.
 */
export type DegradedReason = 'corrupt' | 'unknown-schema' | 'foreign' | 'transform' | 'withheld'

/** All the reasons. */
export const DEGRADED_REASONS: readonly DegradedReason[] = [
  'corrupt',
  'unknown-schema',
  'foreign',
  'transform',
  'withheld',
]

/** What is known of one degraded key. */
export interface DegradedKey {
  /** Of the key's last record. */
  readonly reason: DegradedReason
  /** Waiting for their schemas, in the order of the log: for each schema the last one. */
  readonly waiting: readonly Waiting[]
}

/** A record that cannot be read before its schema is known. */
export interface Waiting {
  readonly schema: string
  readonly record: StoredRecord
}

/** The degraded keys of one reading; a key leaves with the next record that is good. */
export class DegradedKeys {
  readonly #keys = new Map<string, DegradedKey>()

  get size(): number {
    return this.#keys.size
  }

  /** Key -> reason, at this moment. */
  reasons(): ReadonlyMap<string, DegradedReason> {
    return new Map([...this.#keys].map(([key, { reason }]) => [key, reason]))
  }

  entries(): Iterable<readonly [string, DegradedKey]> {
    return this.#keys.entries()
  }

  mark(key: string, reason: DegradedReason): void {
    this.#keys.set(key, { reason, waiting: this.#keys.get(key)?.waiting ?? [] })
  }

  /** Marks a key whose record may be read once its schema is known; keeps a copy of the record. */
  markWaiting(key: string, schema: string, record: StoredRecord): void {
    const copy = { ...record, key: Buffer.from(record.key), value: record.value && Buffer.from(record.value) }
    const others = this.#keys.get(key)?.waiting.filter((each) => each.schema !== schema) ?? []
    this.#keys.set(key, { reason: 'unknown-schema', waiting: [...others, { schema, record: copy }] })
  }

  clear(key: string): void {
    // Nearly always there are none, and even then a Map would compute the key's hash.
    if (this.#keys.size > 0) this.#keys.delete(key)
  }

  /** Puts back what was taken out, or what a snapshot held. */
  put(key: string, degraded: DegradedKey): void {
    this.#keys.set(key, degraded)
  }

  /**
   * Takes out each key of which a record can now be read, with the last such record. `later` is there when the records behind it
   * still cannot be read: the key remains degraded, and is to be put back.
   */
  takeReadable(isKnown: (schema: string) => boolean): readonly Readable[] {
    const readable: Readable[] = []
    for (const [key, { reason, waiting }] of this.#keys) {
      const last = waiting.findLastIndex(({ schema }) => isKnown(schema))
      const found = waiting[last]
      if (found === undefined) continue
      const behind = waiting.slice(last + 1)
      const isLast = reason === 'unknown-schema' && behind.length === 0
      this.#keys.delete(key)
      readable.push({ key, record: found.record, later: isLast ? undefined : { reason, waiting: behind } })
    }
    return readable
  }
}

interface Readable {
  readonly key: string
  readonly record: StoredRecord
  readonly later: DegradedKey | undefined
}
