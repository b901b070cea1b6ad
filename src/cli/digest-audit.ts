// Checks the digests of one partition against its records, in a log that may have been compacted since they were written.

import type { DigestRecord } from '../record/control.ts'
import { Digest, DIGEST_ALGORITHM, isSameSum, type DigestedObject, type DigestSum } from '../record/digest.ts'
import type { Previous } from '../record/record.ts'

/** What one record says of its key. */
export type AuditedRecord =
  | {
      readonly kind: 'present'
      readonly object: DigestedObject
      readonly previous: Previous | null
    }
  /** `previous` is undefined where only a tombstone is left. */
  | { readonly kind: 'gone'; readonly key: string; readonly previous: Previous | null | undefined }

/** What came of the newest digest of a partition. */
export type DigestVerdict =
  | { readonly kind: 'none' }
  /** Behind the digest records have been compacted away, and with them what their keys held at it. */
  | { readonly kind: 'unknown'; readonly asOf: number }
  | {
      readonly kind: 'same' | 'different'
      readonly asOf: number
      readonly wanted: DigestSum
      readonly current: DigestSum
    }

/**
 * Takes the records of one partition in their order and judges its newest digest.
 *
 * A key with a newer record behind the digest may be missing before it, because compaction keeps the last record alone. What it was at
 * the digest says the `previous` of the first record behind it, as long as nothing is missing there: a gap in the offsets tells.
 * A tombstone without a DELETED, where nothing is missing, is another producer's: what it took away counts as missing.
 */
export class DigestAudit {
  readonly #held = new Map<string, DigestedObject>()
  readonly #sum = new Digest()
  #newest: Pending | undefined

  /** How many keys hold an object now. */
  get size(): number {
    return this.#held.size
  }

  /** To be called with the offset of each record before it is taken, and with the end of the partition at last. */
  reach(offset: number): void {
    if (this.#newest === undefined) return
    if (offset !== this.#newest.nextOffset) this.#newest.isKnown = false
    this.#newest.nextOffset = offset + 1
  }

  takeDigest(record: DigestRecord, offset: number): void {
    if (record.algorithm !== DIGEST_ALGORITHM) return
    const { streamId, asOf, count, digest } = record
    this.#newest = {
      streamId,
      asOf,
      wanted: { count, digest },
      current: this.#sum.copy(),
      met: new Set(),
      takenAway: new Map(),
      nextOffset: offset + 1,
      isKnown: true,
    }
  }

  take(record: AuditedRecord): void {
    const key = record.kind === 'present' ? record.object.key : record.key
    const before = this.#held.get(key)
    if (this.#newest !== undefined) {
      noteFirst(this.#newest, key, before, record.previous)
      noteTaken(this.#newest, record, before)
    }
    if (before !== undefined) this.#sum.remove(before)
    if (record.kind === 'present') {
      this.#sum.add(record.object)
      this.#held.set(key, record.object)
    } else {
      this.#held.delete(key)
    }
  }

  /** @param streamId of the topic's newest control record: digests of another content say nothing */
  verdict(streamId: string | undefined): DigestVerdict {
    const newest = this.#newest
    if (newest === undefined || newest.streamId !== streamId) return { kind: 'none' }
    const { asOf, wanted, isKnown, takenAway } = newest
    if (!isKnown) return { kind: 'unknown', asOf }
    const left = newest.current.copy()
    for (const object of takenAway.values()) left.remove(object)
    const current = left.sum()
    return { kind: isSameSum(wanted, current) ? 'same' : 'different', asOf, wanted, current }
  }
}

interface Pending {
  readonly streamId: string
  readonly asOf: number
  readonly wanted: DigestSum
  /** Over what stood there, as far as the log still says it. */
  readonly current: Digest
  /** Keys with a record behind the digest. */
  readonly met: Set<string>
  /** Key -> what it held, of keys whose last record is a tombstone that no DELETED stands before. */
  readonly takenAway: Map<string, DigestedObject>
  /** Of the record that has to come next, unless one was compacted away. */
  nextOffset: number
  isKnown: boolean
}

function noteFirst(
  pending: Pending,
  key: string,
  before: DigestedObject | undefined,
  previous: Previous | null | undefined,
): void {
  if (pending.met.has(key)) return
  pending.met.add(key)
  if (before !== undefined || previous === null) return
  if (previous === undefined) pending.isKnown = false
  else pending.current.add({ key, ...previous })
}

function noteTaken({ takenAway }: Pending, record: AuditedRecord, before: DigestedObject | undefined): void {
  if (record.kind === 'present') takenAway.delete(record.object.key)
  else if (record.previous === undefined && before !== undefined) takenAway.set(record.key, before)
}
