import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entriesOf, keyOfRecord, replacementEntries } from '../../../src/record/order.ts'
import { sampleRecord } from './samples.ts'

test('the key is namespace/name, and the name alone for cluster scope', () => {
  assert.equal(keyOfRecord(sampleRecord()), 'shop/cart-0')
  assert.equal(keyOfRecord(sampleRecord({ namespace: null, name: 'node-7' })), 'node-7')
})

for (const op of ['ADDED', 'UPDATED'] as const) {
  test(`${op} is one record`, () => {
    const record = sampleRecord({ op })
    assert.deepEqual(entriesOf(record), [{ kind: 'record', key: 'shop/cart-0', record }])
  })
}

test('DELETED is the record with the last state, then the tombstone that names the object', () => {
  const record = sampleRecord({ op: 'DELETED', finalStateUnknown: true })
  const { uid, resourceVersion, epoch, observedAt } = record
  assert.deepEqual(entriesOf(record), [
    { kind: 'record', key: 'shop/cart-0', record },
    { kind: 'tombstone', key: 'shop/cart-0', uid, resourceVersion, epoch, observedAt },
  ])
})

test('a changed uid is DELETED of the old object, its tombstone, ADDED of the new one', () => {
  const deleted = sampleRecord({ op: 'DELETED', uid: 'old' })
  const added = sampleRecord({ uid: 'new' })
  const entries = replacementEntries(deleted, added)
  assert.deepEqual(
    entries.map((entry) => (entry.kind === 'record' ? [entry.record.op, entry.record.uid] : [entry.kind, entry.uid])),
    [
      ['DELETED', 'old'],
      ['tombstone', 'old'],
      ['ADDED', 'new'],
    ],
  )
})

test('a replacement of anything but another uid under the same key is refused', () => {
  const deleted = sampleRecord({ op: 'DELETED', uid: 'old' })
  const added = sampleRecord({ uid: 'new' })
  for (const [first, second] of [
    [added, deleted],
    [deleted, { ...added, uid: 'old' }],
    [deleted, { ...added, name: 'cart-1' }],
    [deleted, { ...added, op: 'UPDATED' }],
  ] as const) {
    assert.throws(() => replacementEntries(first, second), RangeError)
  }
})
