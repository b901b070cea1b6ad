// Headers of control records and tombstones.

import assert from 'node:assert/strict'
import { controlKey, fromHeaders, reservedKeys, toHeaders, type Control } from '../../src/record/control.ts'
import { parseTombstone, tombstoneHeaders } from '../../src/record/tombstone.ts'
import type { RecordHeader } from '../../src/record/headers.ts'
import { fuzz } from './fuzz.ts'

const leadership = {
  clusterId: '3f1c9a52-7d1e-4f8b-8a55-6f1f3f0c2f11',
  cluster: 'prod',
  streamId: 'a0d7f5f2-52c5-4f0a-9a2e-0d3c5a2f9b10',
  epoch: 7,
  producerId: '4711',
  holder: 'bridge-0_1',
  asOf: 1_760_000_000_000,
  partitions: 6,
  scope: '{"resource":"pods"}',
  policy: 'none/v1',
  schemas: { '00112233445566ff': '{"type":"string"}' },
} as const

const fence: Control = { kind: 'fence', ...leadership }
const digest: Control = { kind: 'digest', algorithm: 'xor-sha256-64/1', count: 3, digest: '00ff', ...leadership }
const progress: Control = {
  kind: 'progress',
  synced: true,
  resourceVersion: '12345',
  newestResourceVersion: '12350',
  ...leadership,
}

// A frame is a letter for the key and a line a header: a damage is a header renamed, lost, doubled or with another value.
function frameOf(letter: string, headers: readonly RecordHeader[]): Buffer {
  return Buffer.from([letter, ...headers.map(({ name, value }) => `${name}=${value}`)].join('\n'))
}

function headersOf(frame: Buffer): readonly RecordHeader[] {
  const [, ...lines] = frame.toString().split('\n')
  return lines.map((line) => {
    const [name = '', ...values] = line.split('=')
    return { name, value: values.join('=') }
  })
}

fuzz({
  name: 'the headers of a control record are read as what they print, or refused',
  frames: [frameOf('f', toHeaders(fence)), frameOf('p', toHeaders(progress)), frameOf('d', toHeaders(digest))],
  decode: (input) => {
    const [letter = ''] = input.toString('latin1', 0, 1)
    const key = { f: reservedKeys.fence, p: reservedKeys.progress }[letter] ?? reservedKeys.digest
    const control = fromHeaders(key, headersOf(input))
    assert.ok(control)
    assert.deepEqual(fromHeaders(controlKey(control), toHeaders(control)), control)
  },
  refusals: ['corrupt'],
})

fuzz({
  name: 'the headers of a tombstone are read as what they print, or count as those of another producer',
  frames: [frameOf('t', tombstoneHeaders({ uid: 'u-1', resourceVersion: '12', epoch: 3 }))],
  decode: (input) => {
    const tombstone = parseTombstone(headersOf(input))
    if (tombstone === undefined) return
    assert.deepEqual(parseTombstone(tombstoneHeaders(tombstone)), tombstone)
  },
  refusals: [],
})
