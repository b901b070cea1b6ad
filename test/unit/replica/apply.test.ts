import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bytesEntry, type Entry } from '../../../src/cache/entry.ts'
import { applyRecord, type ReplicaChange } from '../../../src/replica/apply.ts'
import type { KeyRecord } from '../../../src/replica/key-record.ts'

const key = 'shop/a'

function entry(uid: string, resourceVersion: string, bytes = '{}'): Entry<unknown> {
  return bytesEntry({ bytes: Buffer.from(bytes), namespace: 'shop', name: 'a', uid, resourceVersion })
}

function state(after: Entry<unknown>, { resync = false, epoch = 1 } = {}): KeyRecord<unknown> {
  return { kind: 'state', key, epoch, resync, withheld: false, entry: after }
}

function deleted(uid: string, last: Entry<unknown> | undefined, finalStateUnknown = false): KeyRecord<unknown> {
  return { kind: 'deleted', key, epoch: 1, uid, resourceVersion: '9', finalStateUnknown, entry: last }
}

const tombstone: KeyRecord<unknown> = { kind: 'tombstone', key, epoch: 1, resourceVersion: '9' }

const a1 = entry('u', '1')
const a2 = entry('u', '2')
const a1Rewritten = entry('u', '1', '{"x":1}')
const b2 = entry('v', '2')

interface Case {
  readonly claim: string
  readonly held: Entry<unknown> | undefined
  readonly record: KeyRecord<unknown>
  readonly change: ReplicaChange<unknown> | undefined
}

const cases: readonly Case[] = [
  { claim: 'a new key is set', held: undefined, record: state(a1), change: { kind: 'set-entry', entry: a1 } },
  { claim: 'another resourceVersion is set', held: a1, record: state(a2), change: { kind: 'set-entry', entry: a2 } },
  { claim: 'an older resourceVersion is set', held: a2, record: state(a1), change: { kind: 'set-entry', entry: a1 } },
  {
    claim: 'the same resourceVersion with other bytes is set',
    held: a1,
    record: state(a1Rewritten),
    change: { kind: 'set-entry', entry: a1Rewritten },
  },
  { claim: 'another uid is set', held: a1, record: state(b2), change: { kind: 'set-entry', entry: b2 } },
  { claim: 'the same again is no change', held: a1, record: state(entry('u', '1')), change: undefined },
  {
    claim: 'the same again as RESYNC is shown again',
    held: a1,
    record: state(entry('u', '1'), { resync: true }),
    change: { kind: 'show-again', key },
  },
  {
    claim: 'a RESYNC that differs is set',
    held: a1,
    record: state(a2, { resync: true }),
    change: { kind: 'set-entry', entry: a2 },
  },
  {
    claim: 'a DELETED gives the final state',
    held: a1,
    record: deleted('u', a2),
    change: { kind: 'delete-key', key, entry: a2, finalStateUnknown: false },
  },
  {
    claim: 'a DELETED that was missed says so',
    held: a1,
    record: deleted('u', a1, true),
    change: { kind: 'delete-key', key, entry: a1, finalStateUnknown: true },
  },
  {
    claim: 'a DELETED of another uid deletes with the state held',
    held: a1,
    record: deleted('v', b2),
    change: { kind: 'delete-key', key, finalStateUnknown: true },
  },
  {
    claim: 'a DELETED without an object deletes with the state held',
    held: a1,
    record: deleted('u', undefined),
    change: { kind: 'delete-key', key, finalStateUnknown: true },
  },
  { claim: 'a DELETED of what is not held is no change', held: undefined, record: deleted('u', a2), change: undefined },
  {
    claim: 'a tombstone alone deletes with the state held',
    held: a1,
    record: tombstone,
    change: { kind: 'delete-key', key, finalStateUnknown: true },
  },
  { claim: 'a tombstone of what is not held is no change', held: undefined, record: tombstone, change: undefined },
]

describe('a record applied to its key', () => {
  for (const { claim, held, record, change } of cases) {
    test(claim, () => {
      assert.deepEqual(applyRecord({ entry: held, epoch: 1 }, record).change, change)
    })
  }

  test('an older epoch is applied and is a regression', () => {
    const { change, regressions } = applyRecord({ entry: a1, epoch: 2 }, state(a2))
    assert.equal(change?.kind, 'set-entry')
    assert.deepEqual(regressions, ['epoch'])
  })

  test('an older resourceVersion is a regression, for tombstones too', () => {
    assert.deepEqual(applyRecord({ entry: a2, epoch: 1 }, state(a1)).regressions, ['resource-version'])
    const late: KeyRecord<unknown> = { kind: 'tombstone', key, epoch: 1, resourceVersion: '1' }
    assert.deepEqual(applyRecord({ entry: a2, epoch: 1 }, late).regressions, ['resource-version'])
  })

  test('what cannot be compared is no regression', () => {
    const foreign: KeyRecord<unknown> = { kind: 'tombstone', key, epoch: undefined, resourceVersion: undefined }
    assert.deepEqual(applyRecord({ entry: a2, epoch: 5 }, foreign).regressions, [])
    assert.deepEqual(applyRecord({ entry: a2, epoch: 1 }, state(entry('u', 'x'))).regressions, [])
  })
})
