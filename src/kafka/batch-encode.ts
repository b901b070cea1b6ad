// Turns records into one record batch, compressed off the main thread.

import type { Compression, TopicRecord } from '../topic/port.ts'
import { BATCH_HEADER_BYTES, writeBatchHeader } from './batch-header.ts'
import { CODEC_BITS, compress } from './compression.ts'
import { varintSize, writeVarint } from './varint.ts'

/**
 * Encodes records as a batch of magic 2 without a sender: `sealBatch` adds it.
 * @throws RangeError when there are no records
 */
export async function encodeBatch(records: readonly TopicRecord[], compression: Compression): Promise<Buffer> {
  const first = records[0]
  if (first === undefined)
    throw new RangeError('Cannot encode batch: wanted at least one record: current value is none')
  const baseTimestamp = first.timestampMs
  const sizes = records.map((record, index) => bodySize(record, index, record.timestampMs - baseTimestamp))
  const total = sizes.reduce((sum, size) => sum + varintSize(size) + size, 0)
  // The header's place stands before the records, so that an uncompressed batch is copied once.
  const plain = Buffer.allocUnsafe(BATCH_HEADER_BYTES + total)
  let at = BATCH_HEADER_BYTES
  let maxTimestamp = baseTimestamp
  for (const [index, record] of records.entries()) {
    at = writeVarint(plain, at, sizes[index] ?? 0)
    at = writeBody(plain, at, record, index, record.timestampMs - baseTimestamp)
    if (record.timestampMs > maxTimestamp) maxTimestamp = record.timestampMs
  }
  const batch = compression === 'none' ? plain : await compressed(plain, compression)
  writeBatchHeader(batch, {
    codecBits: CODEC_BITS[compression],
    baseTimestamp,
    maxTimestamp,
    recordCount: records.length,
  })
  return batch
}

/** About what a record takes in a batch before compression. */
export function recordBytes(record: TopicRecord): number {
  let bytes = 24 + record.key.length + (record.value?.length ?? 0)
  for (const header of record.headers) bytes += 4 + header.name.length + header.value.length
  return bytes
}

async function compressed(plain: Buffer, compression: Compression): Promise<Buffer> {
  const records = await compress(plain.subarray(BATCH_HEADER_BYTES), compression)
  const batch = Buffer.allocUnsafe(BATCH_HEADER_BYTES + records.length)
  records.copy(batch, BATCH_HEADER_BYTES)
  return batch
}

function bodySize(record: TopicRecord, offsetDelta: number, timestampDelta: number): number {
  let size = 1 + varintSize(timestampDelta) + varintSize(offsetDelta)
  size += varintSize(record.key.length) + record.key.length
  size += record.value === null ? 1 : varintSize(record.value.length) + record.value.length
  size += varintSize(record.headers.length)
  for (const header of record.headers) size += textSize(header.name) + textSize(header.value)
  return size
}

function writeBody(
  bytes: Buffer,
  start: number,
  record: TopicRecord,
  offsetDelta: number,
  timestampDelta: number,
): number {
  bytes[start] = 0
  let at = writeVarint(bytes, start + 1, timestampDelta)
  at = writeVarint(bytes, at, offsetDelta)
  at = writeVarint(bytes, at, record.key.length)
  at += record.key.copy(bytes, at)
  at = writeVarint(bytes, at, record.value === null ? -1 : record.value.length)
  if (record.value !== null) at += record.value.copy(bytes, at)
  at = writeVarint(bytes, at, record.headers.length)
  for (const header of record.headers) {
    at = writeText(bytes, at, header.name)
    at = writeText(bytes, at, header.value)
  }
  return at
}

function textSize(text: string): number {
  const length = Buffer.byteLength(text)
  return varintSize(length) + length
}

function writeText(bytes: Buffer, start: number, text: string): number {
  const at = writeVarint(bytes, start, Buffer.byteLength(text))
  return at + bytes.write(text, at)
}
