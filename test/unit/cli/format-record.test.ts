import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { brokenLine, formatEntry, toEntry, unreadableLine } from '../../../src/cli/format-record.ts'
import type { KubeRecord } from '../../../src/record/record.ts'
import type { StoredRecord } from '../../../src/topic/port.ts'

const topic = 'kubedelta.prod.pods'

const record: KubeRecord = {
  op: 'DELETED',
  cause: 'RELIST',
  finalStateUnknown: true,
  initial: false,
  cluster: 'prod',
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  namespace: 'shop',
  name: 'cart-0',
  uid: 'u2',
  resourceVersion: '12345678901234567890',
  previous: { uid: 'u1', resourceVersion: '7' },
  observedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  epoch: 3,
  object: Buffer.from('{"kind":"Pod","big":12345678901234567890,"csi":"\u009b31m"}'),
}

function stored(more: Partial<StoredRecord> = {}): StoredRecord {
  return {
    key: Buffer.from('shop/cart-0'),
    value: Buffer.from('{}'),
    headers: [],
    timestampMs: record.observedAt,
    partition: 2,
    offset: 41,
    ...more,
  }
}

const tombstone = stored({
  value: null,
  headers: [
    { name: 'uid', value: 'u1' },
    { name: 'resourceVersion', value: '7' },
    { name: 'epoch', value: '3' },
  ],
})

const progress = stored({
  key: Buffer.from('$kubedelta/progress'),
  value: null,
  headers: [
    { name: 'epoch', value: '3' },
    { name: 'synced', value: 'true' },
    { name: 'resourceVersion', value: '99' },
  ],
})

describe('json', () => {
  const format = formatEntry('json', topic)

  test('has the fields of the record and its place', () => {
    const { object, ...fields } = JSON.parse(format(toEntry(stored(), record)))
    const { object: _bytes, ...expected } = record
    assert.deepEqual(fields, { ...expected, topic, partition: 2, offset: 41, key: 'shop/cart-0', tombstone: false })
    assert.equal(object.kind, 'Pod')
  })

  test('keeps the numbers of the object and escapes what a terminal may act on', () => {
    const line = format(toEntry(stored(), record))
    assert.match(line, /"big":12345678901234567890,"csi":"\\u009b31m"/)
    assert.ok(!line.includes('\n'))
  })

  test('gives a tombstone its headers, null where another program wrote it', () => {
    const place = {
      topic,
      partition: 2,
      offset: 41,
      key: 'shop/cart-0',
      tombstone: true,
      observedAt: record.observedAt,
    }
    assert.deepEqual(JSON.parse(format(toEntry(tombstone, undefined))), {
      ...place,
      uid: 'u1',
      resourceVersion: '7',
      epoch: 3,
    })
    assert.deepEqual(JSON.parse(format(toEntry(stored({ value: null }), undefined))), {
      ...place,
      uid: null,
      resourceVersion: null,
      epoch: null,
    })
  })

  test('gives a control record its kind and headers', () => {
    const { control, headers } = JSON.parse(format(toEntry(progress, undefined)))
    assert.deepEqual(
      { control, headers },
      { control: 'progress', headers: { epoch: '3', synced: 'true', resourceVersion: '99' } },
    )
  })
})

describe('wide', () => {
  const format = formatEntry('wide', topic)
  const words = (line: string): readonly string[] => line.split(/ {2,}/)

  test('says when, what, why, which, and what is special', () => {
    assert.deepEqual(words(format(toEntry(stored(), record))), [
      '2026-01-02T03:04:05.006Z',
      'DELETED',
      'RELIST',
      'shop/cart-0',
      '12345678901234567890',
      'final-state-unknown other-uid',
    ])
  })

  test('shows that an object was withheld', () => {
    const line = format(toEntry(stored(), { ...record, object: null, finalStateUnknown: false, initial: true }))
    assert.match(line, / initial object-withheld other-uid$/)
  })

  test('shows tombstones and control records', () => {
    assert.deepEqual(words(format(toEntry(tombstone, undefined))).slice(1), ['TOMBSTONE', 'shop/cart-0', '7'])
    assert.deepEqual(words(format(toEntry(progress, undefined))).slice(1), [
      'CONTROL',
      '$kubedelta/progress',
      '99',
      'epoch=3 synced=true',
    ])
  })

  test('escapes control characters of names', () => {
    const line = format(toEntry(stored({ key: Buffer.from('a\u001b[31m\n\u0000b') }), record))
    assert.ok(line.includes('a\\u{1b}[31m\\u{a}\\u{0}b'))
  })

  test('columns stand under each other', () => {
    const at = (line: string): number => line.indexOf('shop/cart-0')
    assert.equal(at(format(toEntry(tombstone, undefined))), at(format(toEntry(stored(), record))))
  })
})

test('an unreadable record is named by place, key and reason', () => {
  assert.equal(
    unreadableLine(stored(), topic, new KubedeltaError('corrupt', 'Cannot decode record: x')),
    'kubedelta: kubedelta.prod.pods partition 2 offset 41, key "shop/cart-0": Cannot decode record: x',
  )
})

test('a batch that does not decode is named by place, extent and reason', () => {
  const error = new KubedeltaError('corrupt', 'Cannot read topic: x')
  assert.equal(
    brokenLine({ baseOffset: 41, nextOffset: 44, error }, 2, topic),
    'kubedelta: kubedelta.prod.pods partition 2 offsets 41 to 43: their keys are unknown: Cannot read topic: x',
  )
})
