import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { controlKey, fromHeaders, isReservedKey, toHeaders } from '../../../src/record/control.ts'
import type { Control, DigestRecord, Fence, Progress } from '../../../src/record/control.ts'

const leadership = {
  clusterId: '5ad5b6b4-0000-4000-8000-000000000001',
  cluster: 'prod',
  streamId: 'x7Gh2',
  epoch: 4,
  producerId: '2001',
  holder: 'kubedelta-0',
  asOf: 1_760_000_000_123,
  partitions: 6,
  scope: 'pods; namespaces: *; labels: *; fields: *',
  policy: 'mask secrets',
  schemas: { c20d0e435a78afae: '"int"' },
}
const fence: Fence = { kind: 'fence', ...leadership }
const progress: Progress = { kind: 'progress', ...leadership, synced: true, resourceVersion: '10482' }

const digest: DigestRecord = {
  kind: 'digest',
  ...leadership,
  algorithm: 'xor-sha256-64/1',
  count: 3,
  digest: '00000000000000ff',
}

const variants: readonly Control[] = [
  fence,
  progress,
  digest,
  { ...progress, newestResourceVersion: '10490' },
  { ...progress, synced: false, resourceVersion: '', producerId: '', schemas: {} },
]
for (const control of variants) {
  test(`a ${control.kind} record comes back from its headers: ${JSON.stringify(control.schemas)}`, () => {
    assert.deepEqual(fromHeaders(controlKey(control), toHeaders(control)), control)
  })
}

test('a progress record carries one fact a header, as text', () => {
  assert.deepEqual(Object.fromEntries(toHeaders(progress).map(({ name, value }) => [name, value])), {
    clusterId: '5ad5b6b4-0000-4000-8000-000000000001',
    cluster: 'prod',
    streamId: 'x7Gh2',
    epoch: '4',
    producerId: '2001',
    holder: 'kubedelta-0',
    synced: 'true',
    resourceVersion: '10482',
    asOf: '1760000000123',
    partitions: '6',
    scope: 'pods; namespaces: *; labels: *; fields: *',
    policy: 'mask secrets',
    schemas: '{"c20d0e435a78afae":"\\"int\\""}',
  })
})

test('headers that are not known are passed over, and of a repeated one the last counts', () => {
  const headers = [{ name: 'epoch', value: '1' }, ...toHeaders(progress), { name: 'future', value: '{' }]
  assert.deepEqual(fromHeaders('$kubedelta/progress', headers), progress)
})

for (const { name } of toHeaders(progress)) {
  test(`a progress record without ${name} is corrupt`, () => {
    const headers = toHeaders(progress).filter((header) => header.name !== name)
    assert.throws(
      () => fromHeaders('$kubedelta/progress', headers),
      (error) => hasCode(error, 'corrupt') && error.message.includes(`'${name}'`),
    )
  })
}

const invalid: ReadonlyArray<readonly [name: string, values: readonly string[]]> = [
  ['epoch', ['', '-1', '1.5', '9007199254740993', 'x']],
  ['partitions', ['six']],
  ['asOf', ['2026-01-01T00:00:00Z']],
  ['synced', ['', 'TRUE', '1']],
  ['schemas', ['', '[]', 'null', '{"a":1}', '{']],
]
for (const [name, values] of invalid) {
  test(`a progress record with another form of ${name} is corrupt`, () => {
    for (const value of values) {
      assert.throws(
        () => fromHeaders('$kubedelta/progress', [...toHeaders(progress), { name, value }]),
        (error) => hasCode(error, 'corrupt') && error.message.includes(`'${name}'`),
        value,
      )
    }
  })
}

test('reserved keys that this version does not read are reserved, and ignored', () => {
  assert.equal(isReservedKey('$kubedelta/from-the-future'), true)
  assert.equal(fromHeaders('$kubedelta/from-the-future', []), undefined)
})

test('no key of an object is reserved', () => {
  for (const key of ['shop/cart-0', 'node-7', '$kubedelta', 'kubedelta/fence']) assert.equal(isReservedKey(key), false)
})
