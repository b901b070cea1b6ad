import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { GroupQueue, TARGET_BATCH_BYTES, TARGET_BATCH_RECORDS } from '../../../src/kafka/group-queue.ts'
import { Outstanding, type PendingGroup } from '../../../src/kafka/outstanding.ts'
import { prepareBatches } from '../../../src/kafka/prepare.ts'
import type { Appended, RecordGroup, TopicRecord } from '../../../src/topic/port.ts'

function record(size: number): TopicRecord {
  return { key: Buffer.from('key'), value: Buffer.alloc(size), headers: [], timestampMs: 0 }
}

function added(
  outstanding: Outstanding,
  ...groups: readonly RecordGroup[]
): readonly { pending: PendingGroup; appended: Promise<Appended> }[] {
  return groups.map((group) => outstanding.add(group))
}

const options = { topic: 'topic', compression: 'none', maxBatchBytes: 1_000 } as const

describe('batches', () => {
  test('are split between groups, never inside of one', async () => {
    const groups = added(
      new Outstanding(),
      ...Array.from({ length: 5 }, () => ({ records: [record(200), record(200)] })),
    )
    const batches = await prepareBatches(
      groups.map(({ pending }) => pending),
      options,
    )
    assert.ok(batches.length > 1)
    assert.deepEqual(
      batches.flatMap((batch) => batch.groups),
      groups.map(({ pending }) => pending),
    )
    for (const batch of batches) {
      assert.ok(batch.bytes.length <= 1_000)
      assert.equal(batch.records, batch.groups.length * 2)
    }
  })

  test('take what stands in for a group that is too large, and leave out one that nothing stands in for', async () => {
    const outstanding = new Outstanding()
    const groups = added(
      outstanding,
      { records: [record(100)] },
      { records: [record(5_000)], whenTooLarge: () => [record(1)] },
      { records: [record(5_000)] },
      { records: [record(100)] },
    )
    const rejected = assert.rejects(
      groups[2]?.appended ?? Promise.resolve(),
      (error) => hasCode(error, 'too-large') && error.fields['limit'] === 1_000,
    )
    const batches = await prepareBatches(
      groups.map(({ pending }) => pending),
      options,
    )
    await rejected
    assert.equal(
      batches.reduce((sum, batch) => sum + batch.records, 0),
      3,
    )
    assert.equal(outstanding.records, 3)
  })

  test('reject groups whose stand-in throws', async () => {
    const fault = new Error('no stand-in')
    const [group] = added(new Outstanding(), {
      records: [record(5_000)],
      whenTooLarge: () => {
        throw fault
      },
    })
    const rejected = assert.rejects(
      group?.appended ?? Promise.resolve(),
      (error) => error instanceof Error && error.cause === fault,
    )
    assert.deepEqual(await prepareBatches(group === undefined ? [] : [group.pending], options), [])
    await rejected
  })
})

describe('group queue', () => {
  test('gives batches of the target size, in order', () => {
    const queue = new GroupQueue()
    const groups = added(new Outstanding(), ...Array.from({ length: 2_500 }, () => ({ records: [record(10)] })))
    for (const { pending } of groups) queue.push(pending)
    assert.ok(queue.holdsFullBatch)
    const taken = [queue.take(), queue.take(), queue.take()]
    assert.deepEqual(
      taken.map(({ length }) => length),
      [TARGET_BATCH_RECORDS, TARGET_BATCH_RECORDS, 500],
    )
    assert.deepEqual(
      taken.flat(),
      groups.map(({ pending }) => pending),
    )
    assert.equal(queue.length, 0)
    assert.ok(!queue.holdsFullBatch)
  })

  test('gives a group that is larger than the target a batch of its own', () => {
    const queue = new GroupQueue()
    for (const size of [10, TARGET_BATCH_BYTES * 2, 10]) {
      queue.push(new Outstanding().add({ records: [record(size)] }).pending)
    }
    assert.deepEqual([queue.take().length, queue.take().length, queue.take().length], [1, 1, 1])
  })
})

describe('outstanding groups', () => {
  test('are drained when everything added before is settled, whatever comes later', async () => {
    const outstanding = new Outstanding()
    const [first, second] = added(outstanding, { records: [record(1)] }, { records: [record(1), record(1)] })
    let drained = false
    const waiting = outstanding.drained().then(() => (drained = true))
    outstanding.add({ records: [record(1)] })
    second?.pending.resolve({ partition: 0, baseOffset: 1 })
    await second?.appended
    assert.equal(drained, false)
    first?.pending.resolve({ partition: 0, baseOffset: 0 })
    await waiting
    assert.equal(outstanding.records, 1)
  })

  test('count what was appended, whatever stood in for it', async () => {
    const outstanding = new Outstanding()
    const { pending } = outstanding.add({ records: [record(9), record(9)], whenTooLarge: () => [record(1)] })
    assert.equal(outstanding.records, 2)
    assert.deepEqual([pending.shrink(), pending.shrink()], [true, false])
    assert.equal(pending.records.length, 1)
    pending.resolve({ partition: 0, baseOffset: 0 })
    assert.equal(outstanding.records, 0)
    await outstanding.drained()
  })
})
