// The bytes of a record as they go to the writing thread, and the checksum that guards them on disk.

import { crc32 } from 'node:zlib'
import type { TopicHeader, TopicRecord } from '../topic/port.ts'

/** A record with its place, as columns hold it. */
export interface RecordRow {
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array
  /** JSON `[[name, value], ...]`; null where there are none. */
  readonly headers: Uint8Array | null
  readonly value: Uint8Array | null
}

export interface DecodedRow extends RecordRow {
  readonly crc: number
}

/** Head: partition, lengths of key, headers and value (-1: null), timestamp, offset. Then key, headers, value. */
const HEAD_BYTES = 32

/** What a group takes of the topic's max.message.bytes. */
export function sizeOf(records: readonly TopicRecord[]): number {
  return records.reduce((sum, record) => sum + HEAD_BYTES + bodySize(record), 0)
}

/** Collects records into one buffer of exactly `size` bytes, which can then be handed to another thread without a copy. */
export class RecordPacker {
  readonly bytes: Buffer<ArrayBuffer>
  #at = 0

  /** @param size the sum of `sizeOf` over everything that will be added */
  constructor(size: number) {
    // Slow on purpose: a pooled buffer cannot be transferred.
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  add(partition: number, offset: number, record: TopicRecord): void {
    const { key, value, timestampMs } = record
    const headers = encodeHeaders(record.headers)
    writeHead(this.bytes, this.#at, { partition, offset, timestampMs, key, headers, value })
    this.#at += HEAD_BYTES
    for (const part of [key, headers, value]) {
      if (part === null) continue
      this.bytes.set(part, this.#at)
      this.#at += part.length
    }
  }
}

/** Every record of a packed buffer, as views into it. */
export function* unpackRecords(bytes: Buffer): Generator<DecodedRow, void, undefined> {
  for (let at = 0; at < bytes.length;) {
    const keyEnd = at + HEAD_BYTES + bytes.readUInt32LE(at + 4)
    const headersLength = bytes.readInt32LE(at + 8)
    const headersEnd = keyEnd + Math.max(0, headersLength)
    const valueLength = bytes.readInt32LE(at + 12)
    const end = headersEnd + Math.max(0, valueLength)
    yield {
      partition: bytes.readUInt32LE(at),
      offset: bytes.readDoubleLE(at + 24),
      timestampMs: bytes.readDoubleLE(at + 16),
      key: bytes.subarray(at + HEAD_BYTES, keyEnd),
      headers: headersLength < 0 ? null : bytes.subarray(keyEnd, headersEnd),
      value: valueLength < 0 ? null : bytes.subarray(headersEnd, end),
      crc: crc32(bytes.subarray(at, end)),
    }
    at = end
  }
}

/** CRC-32 over head, key, headers and value: a record that moved to another place fails as well. */
export function checksumOf(row: RecordRow): number {
  writeHead(headScratch, 0, row)
  let sum = crc32(row.key, crc32(headScratch))
  if (row.headers !== null) sum = crc32(row.headers, sum)
  return row.value === null ? sum : crc32(row.value, sum)
}

/** @throws SyntaxError, TypeError for bytes that are no headers */
export function decodeHeaders(bytes: Uint8Array | null): readonly TopicHeader[] {
  if (bytes === null) return []
  const pairs: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  if (!Array.isArray(pairs)) throw new TypeError('Cannot read headers: wanted a list')
  return pairs.map((pair: unknown) => {
    if (!Array.isArray(pair)) throw new TypeError('Cannot read header: wanted a name and a value')
    const [name, value]: readonly unknown[] = pair
    if (typeof name !== 'string' || typeof value !== 'string') {
      throw new TypeError('Cannot read header: wanted a name and a value that are texts')
    }
    return { name, value }
  })
}

const headScratch = Buffer.alloc(HEAD_BYTES)

function writeHead(target: Buffer, at: number, row: RecordRow): void {
  target.writeUInt32LE(row.partition, at)
  target.writeUInt32LE(row.key.length, at + 4)
  target.writeInt32LE(row.headers?.length ?? -1, at + 8)
  target.writeInt32LE(row.value?.length ?? -1, at + 12)
  target.writeDoubleLE(row.timestampMs, at + 16)
  target.writeDoubleLE(row.offset, at + 24)
}

function bodySize({ key, headers, value }: TopicRecord): number {
  return key.length + (encodeHeaders(headers)?.length ?? 0) + (value?.length ?? 0)
}

function encodeHeaders(headers: readonly TopicHeader[]): Buffer | null {
  return headers.length === 0 ? null : Buffer.from(JSON.stringify(headers.map(({ name, value }) => [name, value])))
}
