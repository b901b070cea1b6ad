import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checksumOf, decodeHeaders, RecordPacker, sizeOf, unpackRecords } from '../../../src/embedded/record-bytes.ts'
import type { TopicRecord } from '../../../src/topic/port.ts'

const records: readonly TopicRecord[] = [
  { key: Buffer.from('shop/cart-0'), value: Buffer.from('{"ä":1}'), headers: [], timestampMs: 1_700_000_000_123 },
  {
    key: Buffer.from('shop/cart-0'),
    value: null,
    headers: [
      { name: 'uid', value: 'ü✓' },
      { name: 'uid', value: '' },
    ],
    timestampMs: 0,
  },
  { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [], timestampMs: -1 },
]

function pack(): Buffer {
  const packer = new RecordPacker(sizeOf(records))
  for (const [index, record] of records.entries()) packer.add(index, 7_000_000_000 + index, record)
  return packer.bytes
}

test('records come out of a buffer as they went in', () => {
  const rows = [...unpackRecords(pack())]
  assert.deepEqual(
    rows.map(({ partition, offset }) => [partition, offset]),
    [
      [0, 7_000_000_000],
      [1, 7_000_000_001],
      [2, 7_000_000_002],
    ],
  )
  assert.deepEqual(
    rows.map(({ key, value, headers, timestampMs }) => ({ key, value, headers: decodeHeaders(headers), timestampMs })),
    records,
  )
})

test('the checksum of a row is the one of its bytes', () => {
  for (const row of unpackRecords(pack())) assert.equal(checksumOf(row), row.crc)
})

test('every part of a record and its place count in the checksum', () => {
  const [row] = unpackRecords(pack())
  assert.ok(row !== undefined)
  const changes = [
    { offset: row.offset + 1 },
    { partition: 1 },
    { timestampMs: row.timestampMs + 1 },
    { key: Buffer.from('shop/cart-1') },
    { headers: Buffer.from('[]') },
    { value: Buffer.from('{"ä":2}') },
    { value: null },
  ]
  for (const change of changes) assert.notEqual(checksumOf({ ...row, ...change }), row.crc, JSON.stringify(change))
})
