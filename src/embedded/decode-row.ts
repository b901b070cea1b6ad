// Turns a row of a partition's table, as SQLite hands it out, back into the record that was appended, if it still is that record.

import type { StoredRecord, TopicHeader } from '../topic/port.ts'
import { checksumOf, decodeHeaders } from './record-bytes.ts'

/** Column -> value; integers as bigint, since a damaged one may be beyond what a number holds. */
export type Columns = Readonly<Record<string, unknown>>

/**
 * The record of a row; undefined where a column is of another type than was written, the checksum is another one, or the headers are
 * none. Key and value are views of the columns.
 */
export function decodeRow(partition: number, columns: Columns): StoredRecord | undefined {
  const { key, headers, value } = columns
  const offset = wholeNumber(columns['pos'])
  const timestampMs = wholeNumber(columns['timestamp'])
  const crc = wholeNumber(columns['crc'])
  if (offset === undefined || timestampMs === undefined || crc === undefined) return undefined
  if (!(key instanceof Uint8Array) || !isBytesOrNull(headers) || !isBytesOrNull(value)) return undefined
  if (checksumOf({ partition, offset, timestampMs, key, headers, value }) !== crc) return undefined
  const decoded = headersOf(headers)
  if (decoded === undefined) return undefined
  return {
    partition,
    offset,
    timestampMs,
    key: asBuffer(key),
    headers: decoded,
    value: value === null ? null : asBuffer(value),
  }
}

function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value
  return Number.isSafeInteger(number) && typeof number === 'number' ? number : undefined
}

function isBytesOrNull(value: unknown): value is Uint8Array | null {
  return value === null || value instanceof Uint8Array
}

function headersOf(bytes: Uint8Array | null): readonly TopicHeader[] | undefined {
  try {
    return decodeHeaders(bytes)
  } catch {
    // Whoever asks tells of the row as a whole.
    return undefined
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
