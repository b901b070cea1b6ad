// Turns fetched bytes back into records.

import { KubedeltaError } from '../base/errors.ts'
import type { StoredRecord, TopicHeader } from '../topic/port.ts'
import { BATCH_HEADER_BYTES, isIntact, readBatchHeader, type BatchHeader } from './batch-header.ts'
import { inflate, MAX_INFLATED_BYTES, unknownCodec } from './compression.ts'
import { VarintReader } from './varint.ts'

/** A whole batch inside fetched bytes. */
export interface RawBatch {
  readonly header: BatchHeader
  /** Header and records; a slice of what was fetched. */
  readonly bytes: Buffer
  /** Its checksum was found right before. @default false */
  readonly isIntact?: boolean
}

/** Where bytes come from, for the errors about them. */
export interface Source {
  readonly topic: string
  readonly partition: number
}

/**
 * Cuts fetched bytes into batches; one that is cut off at the end is left out.
 * @throws KubedeltaError `corrupt` for a length that cannot be one, `unsupported` for a format older than Kafka 0.11
 */
export function splitBatches(fetched: Buffer, source: Source): RawBatch[] {
  const batches: RawBatch[] = []
  let at = 0
  for (;;) {
    const header = headerAt(fetched, at, source)
    if (header === undefined) return batches
    batches.push({ header, bytes: fetched.subarray(at, at + header.size) })
    at += header.size
  }
}

/**
 * The records of one batch; none of a transaction marker or of a batch that compaction has emptied.
 * Keys and values are slices: of the fetched bytes, or of what they were inflated to.
 * @throws KubedeltaError `corrupt` for a wrong checksum, records that do not decode or inflate to more than `MAX_INFLATED_BYTES`,
 *   `unsupported` for snappy and lz4
 */
export async function decodeBatch(batch: RawBatch, source: Source): Promise<StoredRecord[]> {
  const records = await decodeBatchWithin(batch, source, MAX_INFLATED_BYTES)
  if (records !== 'too-large') return records
  throw corrupt(source, batch.header.baseOffset, `its records inflate to more than ${MAX_INFLATED_BYTES} bytes`)
}

/** As `decodeBatch`; `too-large` where the records inflate to more than `maxInflatedBytes`. @throws as `decodeBatch` */
export async function decodeBatchWithin(
  batch: RawBatch,
  source: Source,
  maxInflatedBytes: number,
): Promise<StoredRecord[] | 'too-large'> {
  const { header, bytes } = batch
  if (batch.isIntact !== true && !isIntact(bytes, 0, header))
    throw corrupt(source, header.baseOffset, 'the checksum of the batch is wrong')
  if (header.control || header.recordCount === 0) return []
  const codec = unknownCodec(header.codecBits)
  if (codec !== undefined) {
    throw new KubedeltaError(
      'unsupported',
      `Cannot read topic ${source.topic}: wanted batches compressed with none, gzip or zstd: current one at partition ${source.partition}, offset ${header.baseOffset} uses ${codec}`,
      { fields: { ...source, offset: header.baseOffset } },
    )
  }
  try {
    const records = await inflate(bytes.subarray(BATCH_HEADER_BYTES), header.codecBits, maxInflatedBytes)
    return records === 'too-large' ? records : readRecords(records, header, source.partition)
  } catch (error) {
    throw corrupt(source, header.baseOffset, 'its records do not decode', error)
  }
}

function headerAt(fetched: Buffer, at: number, source: Source): BatchHeader | undefined {
  // The magic byte stands at one place in every format (KIP-98), so an old one is known before anything else is read.
  const magic = fetched[at + 16]
  if (magic !== undefined && magic !== 2) {
    throw new KubedeltaError(
      'unsupported',
      `Cannot read topic ${source.topic}: wanted record batches of format 2: current one in partition ${source.partition} has format ${magic}`,
      { fields: { ...source } },
    )
  }
  try {
    return readBatchHeader(fetched, at)
  } catch (error) {
    throw corrupt(source, Number(fetched.readBigInt64BE(at)), 'the length of the batch is wrong', error)
  }
}

function readRecords(records: Buffer, header: BatchHeader, partition: number): StoredRecord[] {
  if (header.recordCount > MAX_RECORDS) {
    throw new RangeError(`wanted at most ${MAX_RECORDS} records: current value is ${header.recordCount}`)
  }
  const reader = new VarintReader(records)
  const found: StoredRecord[] = []
  for (let index = 0; index < header.recordCount; index += 1) {
    const end = reader.next() + reader.at
    // Skips the attributes byte: none are defined.
    reader.at += 1
    const timestampDelta = reader.next()
    const offset = header.baseOffset + reader.next()
    const key = readBytes(reader)
    const value = readBytes(reader)
    const headers = readHeaders(reader)
    if (reader.at !== end) throw new RangeError(`record ${index} ends at ${reader.at}, not at ${end}`)
    const timestampMs = header.logAppendTime ? header.maxTimestamp : header.baseTimestamp + timestampDelta
    // A record without a key cannot be on a compacted topic; elsewhere it reads as one with an empty key.
    found.push({ partition, offset, key: key ?? EMPTY, value, headers, timestampMs })
  }
  return found
}

function readHeaders(reader: VarintReader): readonly TopicHeader[] {
  const count = reader.next()
  if (count === 0) return NO_HEADERS
  const headers: TopicHeader[] = []
  for (let index = 0; index < count; index += 1) {
    const name = readBytes(reader)
    const value = readBytes(reader)
    headers.push({ name: name?.toString() ?? '', value: value?.toString() ?? '' })
  }
  return headers
}

function readBytes(reader: VarintReader): Buffer | null {
  const length = reader.next()
  if (length < 0) return null
  const at = reader.at
  if (at + length > reader.bytes.length) {
    throw new RangeError(`wanted ${length} bytes at ${at}: current length is ${reader.bytes.length}`)
  }
  reader.at = at + length
  return reader.bytes.subarray(at, at + length)
}

function corrupt(source: Source, offset: number, reason: string, cause?: unknown): KubedeltaError {
  return new KubedeltaError(
    'corrupt',
    `Cannot read topic ${source.topic}: the batch at partition ${source.partition}, offset ${offset} is corrupt: ${reason}`,
    { cause, fields: { ...source, offset } },
  )
}

/**
 * A record of nothing takes 7 bytes in a batch, and some 250 as an object: what inflates to 128 MiB would fill the heap. The records of
 * this project's batches have 100 bytes and more.
 */
const MAX_RECORDS = 500_000

const EMPTY = Buffer.alloc(0)
const NO_HEADERS: readonly TopicHeader[] = []
