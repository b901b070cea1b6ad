// Decodes what a fetch brought of a partition, a few batches at a time.

import { hasCode } from '../base/errors.ts'
import type { BrokenBatch, ReadBatch, StoredRecord } from '../topic/port.ts'
import { decodeBatch } from './batch-decode.ts'
import type { PassedBatch } from './passable.ts'

/** Batches of one partition, still encoded. */
export interface Taken {
  readonly topic: string
  readonly partition: number
  /** Where the fetch began: a batch may begin before it. */
  readonly from: number
  /** Where reading ends: a batch may end behind it. */
  readonly until: number
  readonly batches: readonly PassedBatch[]
  /** The partition's end when this was fetched. */
  readonly endOffset: number
}

/** What was fetched, decoded while it is consumed. @throws KubedeltaError `unsupported` */
export async function* readTaken(taken: Taken): AsyncGenerator<ReadBatch, void, undefined> {
  let next = decode(taken, 0)
  for (let at = 0; at < taken.batches.length; at += DECODE_AT_ONCE) {
    const batch = await next
    next = decode(taken, at + DECODE_AT_ONCE)
    // If the caller leaves here nobody waits for it; the next read would meet the same failure again.
    next.catch(() => {})
    yield batch
  }
}

/** A few batches together: inflating runs on several threads, and what is held at once stays small. */
const DECODE_AT_ONCE = 4

async function decode(taken: Taken, at: number): Promise<ReadBatch> {
  const { partition, from, until, batches, endOffset } = taken
  const some = batches.slice(at, at + DECODE_AT_ONCE)
  const decoded = await Promise.all(
    some.map(async (batch, index) => decodeOrTell(batch, batches[at + index + 1], taken)),
  )
  const records = decoded.flatMap((each) => ('error' in each ? [] : each.records))
  const broken = decoded.flatMap((each) => ('error' in each ? [each] : []))
  const last = some.at(-1)
  const leaderEpoch = last?.header.leaderEpoch ?? -1
  return {
    partition,
    records: records.filter(({ offset }) => offset >= from && offset < until),
    nextOffset: Math.min(last?.nextOffset ?? from, until),
    endOffset,
    ...(leaderEpoch >= 0 && { leaderEpoch }),
    ...(broken.length > 0 && { broken }),
  }
}

/** @param next what follows the batch: a damaged one may be wrong about its own end */
async function decodeOrTell(
  batch: PassedBatch,
  next: PassedBatch | undefined,
  { topic, partition }: Taken,
): Promise<{ readonly records: readonly StoredRecord[] } | BrokenBatch> {
  try {
    return { records: await decodeBatch(batch, { topic, partition }) }
  } catch (error) {
    if (!hasCode(error, 'corrupt')) throw error
    const { header, nextOffset } = batch
    return { baseOffset: header.baseOffset, nextOffset: next?.header.baseOffset ?? nextOffset, error }
  }
}
