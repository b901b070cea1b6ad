// Decides which of the batches of a fetch are passed, and where the next fetch begins, whatever damage they have.

import type { RawBatch } from './batch-decode.ts'
import { isIntact } from './batch-header.ts'

/** A batch that is passed, readable or not. */
export interface PassedBatch extends RawBatch {
  /** Where what follows it begins. */
  readonly nextOffset: number
}

export interface PassRange {
  /** Where the fetch began. */
  readonly position: number
  /** What begins there is not wanted. */
  readonly until: number
  /** The end that readers may see. */
  readonly endOffset: number
}

/**
 * The batches that are passed, in order.
 *
 * A damaged batch may be wrong about where it ends, so the next batch decides; the last one of several is left for the next fetch, which
 * shows it beside what follows. An intact one is believed even where it ends behind `endOffset`: a broker takes note of that end before
 * it reads the log (kafka.cluster.Partition.readRecords), and what is written meanwhile comes along.
 */
export function passable(batches: readonly RawBatch[], range: PassRange): readonly PassedBatch[] {
  return withoutDamagedEnd(batches)
    .map((batch, index) => ({ ...batch, nextOffset: offsetBehind(batch, batches[index + 1], range) }))
    .filter(({ header, nextOffset }) => nextOffset > range.position && header.baseOffset < range.until)
}

function withoutDamagedEnd(batches: readonly RawBatch[]): readonly RawBatch[] {
  const last = batches.at(-1)
  if (last === undefined) return batches
  const others = batches.slice(0, -1)
  if (isIntact(last.bytes, 0, last.header)) return [...others, { ...last, isIntact: true }]
  return others.length === 0 ? batches : others
}

function offsetBehind(
  { header, isIntact: isBelieved }: RawBatch,
  next: RawBatch | undefined,
  { position, endOffset }: PassRange,
): number {
  const { baseOffset, nextOffset } = header
  if (isBelieved === true) return nextOffset
  const limit = next?.header.baseOffset ?? endOffset
  if (nextOffset > baseOffset && nextOffset <= limit) return nextOffset
  // One by one, where nothing follows that would tell: slow, and no record is passed over unseen.
  return next === undefined ? Math.max(baseOffset, position) + 1 : limit
}
