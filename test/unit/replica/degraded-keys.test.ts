import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DegradedKeys } from '../../../src/replica/degraded-keys.ts'
import type { StoredRecord } from '../../../src/topic/port.ts'

function stored(offset: number): StoredRecord {
  return { partition: 0, offset, key: Buffer.from('k'), value: Buffer.from('v'), headers: [], timestampMs: 0 }
}

function taken(keys: DegradedKeys, ...known: readonly string[]): readonly (readonly [string, number, boolean])[] {
  const readable = keys.takeReadable((schema) => known.includes(schema))
  return readable.map(({ key, record, later }) => [key, record.offset, later !== undefined] as const)
}

describe('degraded keys', () => {
  test('give the last record of each key whose schema is known, once', () => {
    const keys = new DegradedKeys()
    keys.markWaiting('k', 'one', stored(1))
    keys.markWaiting('k', 'one', stored(2))
    assert.deepEqual(taken(keys, 'other'), [])
    assert.deepEqual(taken(keys, 'one'), [['k', 2, false]])
    assert.deepEqual([taken(keys, 'one'), keys.size], [[], 0])
  })

  test('give an earlier record as last good state while the last one waits', () => {
    const keys = new DegradedKeys()
    keys.markWaiting('k', 'one', stored(1))
    keys.markWaiting('k', 'two', stored(2))
    const [first] = keys.takeReadable((schema) => schema === 'one')
    assert.equal(first?.record.offset, 1)
    if (first?.later !== undefined) keys.put('k', first.later)
    assert.deepEqual(taken(keys, 'one', 'two'), [['k', 2, false]])
  })

  test('drop what stands before a record that can be read', () => {
    const keys = new DegradedKeys()
    keys.markWaiting('k', 'one', stored(1))
    keys.markWaiting('k', 'two', stored(2))
    assert.deepEqual(taken(keys, 'two'), [['k', 2, false]])
    assert.deepEqual(taken(keys, 'one'), [])
  })

  test('keep what waits when a corrupt record follows, and stay degraded when it was read', () => {
    const keys = new DegradedKeys()
    keys.markWaiting('k', 'one', stored(1))
    keys.mark('k', 'corrupt')
    assert.equal(keys.reasons().get('k'), 'corrupt')
    assert.deepEqual(taken(keys, 'one'), [['k', 1, true]])
  })

  test('are good again by one good record', () => {
    const keys = new DegradedKeys()
    keys.markWaiting('k', 'one', stored(1))
    keys.clear('k')
    assert.deepEqual([taken(keys, 'one'), keys.size], [[], 0])
  })

  test('pin nothing of what the record was read from', () => {
    const keys = new DegradedKeys()
    const record = stored(1)
    keys.markWaiting('k', 'one', record)
    record.value?.fill(0)
    assert.equal(keys.takeReadable(() => true)[0]?.record.value?.toString(), 'v')
  })
})
