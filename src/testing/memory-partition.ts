// One partition of a log in memory: what it holds, what befalls it, and what a reader gets of it.

import { KubedeltaError } from '../base/errors.ts'
import type { ReadBatch, StoredRecord } from '../topic/port.ts'

export interface Partition {
  records: StoredRecord[]
  /** Record batches that do not decode: first offset and the one behind. */
  broken: { readonly baseOffset: number; readonly nextOffset: number }[]
  /** The first offset that can be read. */
  start: number
  end: number
  leaderEpoch: number
  /** Leader epoch -> its first offset. */
  epochs: Map<number, number>
}

export function emptyPartition(): Partition {
  return { records: [], broken: [], start: 0, end: 0, leaderEpoch: 0, epochs: new Map([[0, 0]]) }
}

/** Leaves the last record of each key alone. */
export function compact(partition: Partition, tombstones: 'keep' | 'drop'): void {
  const last = new Map(partition.records.map((record) => [record.key.toString(), record.offset]))
  partition.records = partition.records.filter(
    ({ key, offset, value }) => last.get(key.toString()) === offset && (tombstones === 'keep' || value !== null),
  )
}

/** Removes what stands before an offset. */
export function truncateBefore(partition: Partition, offset: number): void {
  partition.start = Math.min(Math.max(partition.start, offset), partition.end)
  partition.records = partition.records.filter((record) => record.offset >= partition.start)
}

/** Gives the partition a leader whose log ends at an offset. */
export function loseFrom(partition: Partition, offset: number): void {
  const { epochs } = partition
  partition.records = partition.records.filter((record) => record.offset < offset)
  partition.broken = partition.broken.filter(({ nextOffset }) => nextOffset <= offset)
  partition.end = Math.min(partition.end, offset)
  partition.leaderEpoch += 1
  for (const [epoch, start] of epochs) if (start >= partition.end) epochs.delete(epoch)
  epochs.set(partition.leaderEpoch, partition.end)
}

/** Makes of the last record a batch that does not decode. */
export function breakLast(partition: Partition): void {
  const last = partition.records.pop()
  if (last !== undefined) partition.broken.push({ baseOffset: last.offset, nextOffset: last.offset + 1 })
}

/** As KIP-320 has it: the log ends an epoch where the next one begins, and who has read further has read what is lost. */
export function checkHistory(
  topic: string,
  partition: Partition,
  { position, epoch }: { readonly position: number; readonly epoch: number | undefined },
): void {
  const fields = { topic, offset: position }
  if (epoch !== undefined) {
    const next = Math.min(partition.end, ...[...partition.epochs].filter(([each]) => each > epoch).map(([, at]) => at))
    if (position > next) {
      throw new KubedeltaError('log-truncated', `Cannot read topic ${topic}: what was read of it is lost`, { fields })
    }
  }
  if (position < partition.start || position > partition.end) {
    throw new KubedeltaError(
      'offset-out-of-range',
      `Cannot read topic ${topic}: wanted an offset of ${partition.start} to ${partition.end}: current value is ${position}`,
      { fields },
    )
  }
}

/** What stands between two offsets; undefined where nothing does. */
export function nextBatch(
  number: number,
  partition: Partition,
  { from, until }: { readonly from: number; readonly until: number },
): ReadBatch | undefined {
  const nextOffset = Math.min(until, partition.end)
  if (nextOffset <= from) return undefined
  const records = partition.records.filter(({ offset }) => offset >= from && offset < nextOffset)
  const broken = partition.broken
    .filter(({ baseOffset }) => baseOffset >= from && baseOffset < nextOffset)
    .map((each) => ({ ...each, error: new KubedeltaError('corrupt', 'Cannot decode record batch: it is broken') }))
  return {
    partition: number,
    records,
    nextOffset,
    endOffset: partition.end,
    leaderEpoch: epochBefore(partition, nextOffset),
    ...(broken.length > 0 ? { broken } : {}),
  }
}

/** The epoch of the leader that wrote the record before an offset. */
function epochBefore({ epochs }: Partition, offset: number): number {
  return Math.max(0, ...[...epochs].filter(([, start]) => start < offset).map(([epoch]) => epoch))
}
