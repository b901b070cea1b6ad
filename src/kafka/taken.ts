// Decodes what a fetch brought of a partition, a few batches at a time.

import { setImmediate as turn } from 'node:timers/promises'
import { hasCode } from '../base/errors.ts'
import type { BrokenBatch, ReadBatch, StoredRecord } from '../topic/port.ts'
import { decodeBatch, decodeBatchWithin } from './batch-decode.ts'
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

/**
 * What was fetched, decoded while it is consumed. However far it inflates, at most 128 MiB of it are with the caller, and as many ahead.
 * @throws KubedeltaError `unsupported`
 */
export async function* readTaken(taken: Taken): AsyncGenerator<ReadBatch, void, undefined> {
  const { batches } = taken
  let how: Manner = 'together'
  let next: Promise<Decoded> | undefined
  for (let at = 0, behind = 0; at < batches.length; at = behind) {
    const decoded: Decoded = await (next ?? decode(taken, at, how))
    next = undefined
    behind = decoded.behind
    how = decoded.how
    // What is inflated is so on other threads, while the caller is busy. Anything else waits for its turn: its bytes are still in the
    // processor's caches then, from checksum to cache.
    if ((batches[behind]?.header.codecBits ?? CODEC_BITS.none) !== CODEC_BITS.none) {
      next = decode(taken, behind, how)
      // If the caller leaves here nobody waits for it; the next read would meet the same failure again.
      next.catch(() => {})
    }
    yield decoded.batch
    // The socket is read meanwhile: what was fetched ahead would wait in the kernel, and the broker for room there.
    if (behind < batches.length) await turn()
  }
}

/** Batches together: inflating runs on several threads, and what is held at once stays small. */
const DECODE_AT_ONCE = 32
/** What one of them may inflate to; a larger one is inflated alone, up to MAX_INFLATED_BYTES, which is as much as all of them may take. */
const INFLATE_BYTES_TOGETHER = 4 * 1024 * 1024
/** Bytes as fetched. */
const DECODE_BYTES_AT_ONCE = 512 * 1024
/** Each of them is an object of some 250 bytes. */
const DECODE_RECORDS_AT_ONCE = 100_000

function endOfSome(batches: readonly PassedBatch[], from: number): number {
  let bytes = 0
  let records = 0
  let at = from
  while (
    at < batches.length &&
    at < from + DECODE_AT_ONCE &&
    bytes < DECODE_BYTES_AT_ONCE &&
    records < DECODE_RECORDS_AT_ONCE
  ) {
    bytes += batches[at]?.bytes.length ?? 0
    records += batches[at]?.header.recordCount ?? 0
    at += 1
  }
  return at
}

interface Decoded {
  readonly batch: ReadBatch
  /** Index of the first that was not decoded. */
  readonly behind: number
  /** How to decode the others. */
  readonly how: Manner
}

/** Several batches at once, or a batch by itself, that may be as large as memory is given to. */
type Manner = 'together' | 'alone'

async function decode(taken: Taken, at: number, how: Manner): Promise<Decoded> {
  const { batches } = taken
  const some = batches.slice(at, how === 'alone' ? at + 1 : endOfSome(batches, at))
  const tried = await Promise.all(
    some.map(async (batch, index) => decodeOrTell(batch, batches[at + index + 1], taken, how)),
  )
  const tooLarge = tried.indexOf('too-large')
  // What shares a fetch with a batch that inflates far is likely to do so too: it is not tried together again.
  if (tooLarge === 0) return decode(taken, at, 'alone')
  const fitting = tooLarge < 0 ? some : some.slice(0, tooLarge)
  const decoded = tried.filter((each) => each !== 'too-large').slice(0, fitting.length)
  return { batch: joined(taken, fitting, decoded), behind: at + fitting.length, how: tooLarge < 0 ? how : 'alone' }
}

function joined(
  { partition, from, until, endOffset }: Taken,
  some: readonly PassedBatch[],
  decoded: readonly DecodedBatch[],
): ReadBatch {
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

type DecodedBatch = { readonly records: readonly StoredRecord[] } | BrokenBatch

/** @param next what follows the batch: a damaged one may be wrong about its own end */
async function decodeOrTell(
  batch: PassedBatch,
  next: PassedBatch | undefined,
  { topic, partition }: Taken,
  how: Manner,
): Promise<DecodedBatch | 'too-large'> {
  const source = { topic, partition }
  try {
    if (how === 'alone') return { records: await decodeBatch(batch, source) }
    const records = await decodeBatchWithin(batch, source, INFLATE_BYTES_TOGETHER)
    return records === 'too-large' ? records : { records }
  } catch (error) {
    if (!hasCode(error, 'corrupt')) throw error
    const { header, nextOffset } = batch
    return { baseOffset: header.baseOffset, nextOffset: next?.header.baseOffset ?? nextOffset, error }
  }
}
