// The options of snapshots, checked, and the fingerprint of what a cache keeps of its topic.

import { createHash } from 'node:crypto'
import { KubedeltaError } from '../base/errors.ts'

/** A snapshot of the cache on disk, so that a restart does not read the whole topic. */
export interface SnapshotOptions {
  /**
   * Where snapshots stand, one file a topic and selection; made when it is missing. Several processes may share it: each file is replaced
   * as a whole, the last one stands. It holds the objects as the cache does: Secrets are masked as on the topic, nothing is encrypted.
   */
  readonly directory: string
  /** How often one is written while objects change; one more when the cache stops. Milliseconds. @default 60_000 */
  readonly intervalMs?: number
  /**
   * Names what `transform` and other functions that decide on the content do; another name means that what the snapshot holds was made
   * in another way. Required beside such functions, which cannot be compared. @default ''
   */
  readonly version?: string
}

/** What beside the topic decides what a cache holds; the order of keys does not count. */
export interface ContentOptions {
  /** A function decides on the content too. */
  readonly hasTransform: boolean
  /** Everything else that selects or changes objects, as JSON can hold it; what is undefined does not count. */
  readonly selection: Readonly<Record<string, unknown>>
}

/** Snapshot options, complete. */
export interface CheckedSnapshotOptions {
  readonly directory: string
  readonly intervalMs: number
  /** 16 hexadecimal digits: two caches hold the same of a topic if and only if theirs are equal. */
  readonly content: string
}

/** @throws KubedeltaError `usage` without a directory, or without a version beside a transform; RangeError when `intervalMs` is not above 0 */
export function checkSnapshotOptions(
  { directory, intervalMs = 60_000, version = '' }: SnapshotOptions,
  { hasTransform, selection }: ContentOptions,
): CheckedSnapshotOptions {
  const named: unknown = directory
  if (typeof named !== 'string' || named === '') {
    throw new KubedeltaError(
      'usage',
      `Cannot create cache: 'snapshot.directory' must name a directory: current value is ${JSON.stringify(named)}`,
    )
  }
  if (!(intervalMs > 0)) {
    throw new RangeError(`Cannot create cache: 'snapshot.intervalMs' must be > 0: current value is ${intervalMs}`)
  }
  if (hasTransform && version === '') {
    throw new KubedeltaError(
      'usage',
      "Cannot create cache: 'snapshot.version' must name what 'transform' and other functions that decide on the content do: current value is '': give it another name whenever they change",
    )
  }
  const content = createHash('sha256')
    .update(canonical({ ...selection, hasTransform, version }))
    .digest('hex')
  return { directory, intervalMs, content: content.slice(0, 16) }
}

/** JSON with sorted names. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}
