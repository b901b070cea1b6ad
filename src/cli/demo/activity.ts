// Remembers what a viewer of the demo wants to see: the last records, how many come, how old they are when they arrive.

import type { Cause, KubeRecord, Operation } from '../../record/record.ts'

/** A record as the view shows it. */
export interface SeenRecord {
  readonly atMs: number
  readonly resource: string
  readonly key: string
  readonly op: Operation
  readonly cause: Cause
  readonly resourceVersion: string
  readonly finalStateUnknown: boolean
}

/** Of one stretch of time. */
interface Bucket {
  readonly number: number
  records: number
  /** Longest way from the bridge's sight to here of what was watched; what is listed has waited elsewhere. Milliseconds. */
  lagMs: number
}

/** How long a bar of the strip stands for. */
export const BUCKET_MS = 500

/** The widest terminal that anyone has. */
const MAX_BUCKETS = 400
const MAX_RECORDS = 100

/** The recent past of the whole log. Bounded: what is too old is forgotten. */
export class Activity {
  #records: SeenRecord[] = []
  #buckets: Bucket[] = []

  take(resource: string, record: KubeRecord, { key, atMs }: { readonly key: string; readonly atMs: number }): void {
    const { op, cause, resourceVersion, finalStateUnknown, observedAt } = record
    this.#records.push({ atMs, resource, key, op, cause, resourceVersion, finalStateUnknown })
    if (this.#records.length > 2 * MAX_RECORDS) this.#records = this.#records.slice(-MAX_RECORDS)
    const bucket = this.#bucketAt(atMs)
    bucket.records += 1
    if (cause === 'WATCH') bucket.lagMs = Math.max(bucket.lagMs, atMs - observedAt)
  }

  /** The newest records, oldest first. */
  last(count: number): readonly SeenRecord[] {
    return count > 0 ? this.#records.slice(-Math.min(count, MAX_RECORDS)) : []
  }

  /** Records of each of the last stretches of `BUCKET_MS`, oldest first; the one that is going on is left out. */
  strip(count: number, nowMs: number): readonly number[] {
    const current = numberAt(nowMs)
    const known = new Map(this.#buckets.map(({ number, records }) => [number, records]))
    return Array.from({ length: count }, (_, index) => known.get(current - count + index) ?? 0)
  }

  /** Records a second, over the last two. */
  rate(nowMs: number): number {
    const seconds = 2
    const buckets = (seconds * 1000) / BUCKET_MS
    return this.strip(buckets, nowMs).reduce((sum, records) => sum + records, 0) / seconds
  }

  /** The longest lag of the last two seconds; undefined where nothing was watched. Milliseconds. */
  lagMs(nowMs: number): number | undefined {
    const from = numberAt(nowMs) - 2000 / BUCKET_MS
    const recent = this.#buckets.filter(({ number, lagMs }) => number >= from && lagMs >= 0)
    return recent.length === 0 ? undefined : Math.max(...recent.map(({ lagMs }) => lagMs))
  }

  #bucketAt(atMs: number): Bucket {
    const number = numberAt(atMs)
    const newest = this.#buckets.at(-1)
    if (newest?.number === number) return newest
    const bucket = { number, records: 0, lagMs: -1 }
    this.#buckets.push(bucket)
    if (this.#buckets.length > 2 * MAX_BUCKETS) this.#buckets = this.#buckets.slice(-MAX_BUCKETS)
    return bucket
  }
}

function numberAt(ms: number): number {
  return Math.floor(ms / BUCKET_MS)
}
