import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INCOMPLETE, INVALID, JsonScan } from '../../../src/object/json-scan.ts'

test('a value ends where it ends, whatever follows', () => {
  for (const [text, end] of [
    ['{"a":1},', 7],
    ['[[]]]', 4],
    ['"a""b"', 3],
    ['12,', 2],
    ['1.5e3}', 5],
    ['0]', 1],
    ['-7 ', 2],
    ['true,', 4],
    ['null', 4],
  ] as const) {
    assert.equal(new JsonScan().advance(Buffer.from(text), 0), end, text)
  }
})

test('a number goes on until something else follows', () => {
  const scan = new JsonScan()
  assert.equal(scan.advance(Buffer.from('12'), 0), INCOMPLETE)
  assert.equal(scan.advance(Buffer.from('3e'), 0), INCOMPLETE)
  assert.equal(scan.advance(Buffer.from('4,'), 0), 1)
  assert.equal(scan.length, 5)
})

test('a scan goes on byte by byte', () => {
  const bytes = Buffer.from(String.raw`{"metadata":{"n\u0061me":"caf\u00e9 \"","name":[-1.5e+3,true,null,false]}}`)
  const scan = new JsonScan([4])
  for (const byte of bytes.subarray(0, -1)) assert.equal(scan.advance(Buffer.from([byte]), 0), INCOMPLETE)
  assert.equal(scan.advance(bytes.subarray(-1), 0), 1)
  assert.equal(scan.length, bytes.length)
  assert.equal(scan.hasEscapedKey, true)
})

test('a scan that was reset knows nothing of the value before', () => {
  const scan = new JsonScan([1])
  scan.advance(Buffer.from(String.raw`{ "\u0061":[`), 0)
  scan.reset()
  assert.equal(scan.advance(Buffer.from('{}'), 0), 2)
  assert.deepEqual([scan.length, scan.hasWhitespace, scan.hasEscapedKey, scan.keys], [2, false, false, []])
})

test('keys of the first level and wanted ones of the second are noted', () => {
  const text = '{"kind":{"name":"a","other":1,"uid":{"name":2}},"b":[{"name":3}]}'
  const scan = new JsonScan([3, 4])
  scan.advance(Buffer.from(text), 0)
  assert.deepEqual(
    scan.keys.map(({ depth, start, end }) => [depth, text.slice(start, end)]),
    [
      [1, 'kind'],
      [2, 'name'],
      [2, 'uid'],
      [1, 'b'],
    ],
  )
})

test('what is not JSON is invalid at once', () => {
  for (const text of [
    '}',
    '{]',
    '{"a":1,}',
    '{"a"}',
    '[1 2]',
    'truE',
    '"\u0000',
    String.raw`"\u00g`,
    '+1',
    '.5',
    '1.e',
    '00',
  ]) {
    assert.equal(new JsonScan().advance(Buffer.from(text), 0), INVALID, text)
  }
})
