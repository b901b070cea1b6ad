// Rows of the embedded log as SQLite hands them out, with other types and sizes than were written.

import assert from 'node:assert/strict'
import { KubedeltaError } from '../../src/base/errors.ts'
import { decodeRow, type Columns } from '../../src/embedded/decode-row.ts'
import { checksumOf, RecordPacker, sizeOf, unpackRecords } from '../../src/embedded/record-bytes.ts'
import type { TopicRecord } from '../../src/topic/port.ts'
import { fuzz } from './fuzz.ts'

const PARTITION = 3
const NAMES = ['pos', 'timestamp', 'crc', 'key', 'headers', 'value'] as const

const records: readonly TopicRecord[] = [
  { key: Buffer.from('shop/cart-0'), value: Buffer.from('{"a":"ü"}'), headers: [], timestampMs: 1_760_000_000_000 },
  {
    key: Buffer.from('shop/cart-1'),
    value: null,
    headers: [{ name: 'uid', value: 'ü✓' }],
    timestampMs: 1_760_000_000_001,
  },
  {
    key: Buffer.from('$progress'),
    value: null,
    headers: [
      { name: 'epoch', value: '3' },
      { name: 'resourceVersion', value: '' },
    ],
    timestampMs: 0,
  },
]

const [first, ...rest] = rowsOf(records).map(frameOf)
assert.ok(first)

fuzz({
  name: 'a row of the embedded log gives the record that was appended, or none',
  frames: [first, ...rest],
  mend: seal,
  decode: (input, original) => {
    const record = decodeRow(PARTITION, columnsOf(input))
    if (record === undefined) throw new KubedeltaError('corrupt', 'Cannot use row')
    // With its checksum as it was, all of the row is.
    if (original !== undefined) assert.deepEqual(record, decodeRow(PARTITION, columnsOf(original)))
    // What was taken is a record that can be appended, and comes back as itself.
    const [again] = rowsOf([record], record.offset)
    assert.deepEqual(again && decodeRow(PARTITION, again), record)
  },
  refusals: ['corrupt'],
})

/** The columns of appended records. */
function rowsOf(appended: readonly TopicRecord[], from = 7_000_000_000): readonly Columns[] {
  const packer = new RecordPacker(sizeOf(appended))
  for (const [index, record] of appended.entries()) packer.add(PARTITION, from + index, record)
  return [...unpackRecords(packer.bytes)].map(({ offset, timestampMs, crc, key, headers, value }) => ({
    pos: BigInt(offset),
    timestamp: BigInt(timestampMs),
    crc: BigInt(crc),
    key,
    headers,
    value,
  }))
}

/** A frame holds for each column the letter of its type, the length and the bytes: a damage is another type, size or content. */
function frameOf(columns: Columns): Buffer {
  return Buffer.concat(NAMES.map((name) => columnBytes(columns[name])))
}

function columnBytes(value: unknown): Buffer {
  if (value === null) return Buffer.from('n\0')
  if (typeof value === 'bigint')
    return withLength('i', Buffer.from(BigInt.asUintN(64, value).toString(16).padStart(16, '0'), 'hex'))
  if (value instanceof Uint8Array) return withLength('b', value)
  throw new TypeError(`Cannot make a column of a ${typeof value}`)
}

function withLength(type: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(type), Buffer.from([bytes.length]), bytes])
}

function columnsOf(frame: Buffer): Columns {
  const columns: Record<string, unknown> = {}
  let at = 0
  for (const name of NAMES) {
    const bytes = frame.subarray(at + 2, at + 2 + (frame[at + 1] ?? 0))
    columns[name] = valueOf(frame.toString('latin1', at, at + 1), bytes)
    at += 2 + bytes.length
  }
  return columns
}

/** As node:sqlite gives the types of SQLite. */
function valueOf(type: string, bytes: Buffer): unknown {
  switch (type) {
    case 'b':
      return new Uint8Array(bytes)
    case 'i':
      return BigInt.asIntN(64, BigInt(`0x0${bytes.subarray(0, 8).toString('hex')}`))
    case 'n':
      return null
    default:
      // One more letter than there are types is a number with a point or a text.
      return bytes.length === 8 ? bytes.readDoubleBE() : bytes.toString()
  }
}

/** Gives the row a checksum that fits, so that the types and headers themselves have to be refused. */
function seal(frame: Buffer): Buffer {
  const columns = columnsOf(frame)
  const { key, headers, value } = columns
  if (!(key instanceof Uint8Array) || (headers !== null && !(headers instanceof Uint8Array))) return frame
  if (value !== null && !(value instanceof Uint8Array)) return frame
  const [offset, timestampMs] = [Number(columns['pos']), Number(columns['timestamp'])]
  if (typeof columns['pos'] !== 'bigint' || typeof columns['timestamp'] !== 'bigint') return frame
  const crc = BigInt(checksumOf({ partition: PARTITION, offset, timestampMs, key, headers, value }))
  return frameOf({ ...columns, crc })
}
