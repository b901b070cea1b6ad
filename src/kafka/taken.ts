// Decodes what a fetch brought of a partition, a few batches at a time.

import { setImmediate as turn } from 'node:timers/promises'
import { hasCode } from '../base/errors.ts'
import type { BrokenBatch, ReadBatch, StoredRecord } from '../topic/port.ts'
import { decodeBatch } from './batch-decode.ts'
import { CODEC_BITS } from './compression.ts'
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
  const { batches } = taken
  let next: Promise<ReadBatch> | undefined
  for (let at = 0, behind = 0; at < batches.length; at = behind) {
    behind = endOfSome(batches, at)
    const batch = await (next ?? decode(taken, at, behind))
    next = undefined
    // What is inflated is so on other threads, while the caller is busy. Anything else waits for its turn: its bytes are still in the
    // processor's caches then, from checksum to cache.
    if ((batches[behind]?.header.codecBits ?? CODEC_BITS.none) !== CODEC_BITS.none) {
      next = decode(taken, behind, endOfSome(batches, behind))
      // If the caller leaves here nobody waits for it; the next read would meet the same failure again.
      next.catch(() => {})
    }
    yield batch
    // The socket is read meanwhile: what was fetched ahead would wait in the kernel, and the broker for room there.
    if (behind < batches.length) await turn()
  }
}

/** Batches together: inflating runs on several threads, and what is held at once stays small. */
const DECODE_AT_ONCE = 32
/** Bytes as fetched. */
const DECODE_BYTES_AT_ONCE = 512 * 1024

function endOfSome(batches: readonly PassedBatch[], from: number): number {
  let bytes = 0
  let at = from
  while (at < batches.length && at < from + DECODE_AT_ONCE && bytes < DECODE_BYTES_AT_ONCE) {
    bytes += batches[at]?.bytes.length ?? 0
    at += 1
  }
  return at
}

async function decode(taken: Taken, at: number, behind: number): Promise<ReadBatch> {
  const { partition, from, until, batches, endOffset } = taken
  const some = batches.slice(at, behind)
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
    ...producerOf(some),
    isGiven: true,
    ...(broken.length > 0 && { broken }),
  }
}

function producerOf(batches: readonly PassedBatch[]): { readonly producerId?: string } {
  const id = batches[0]?.header.producerId ?? NO_PRODUCER
  return id === NO_PRODUCER || batches.some(({ header }) => header.producerId !== id) ? {} : { producerId: String(id) }
}

const NO_PRODUCER = -1n

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
