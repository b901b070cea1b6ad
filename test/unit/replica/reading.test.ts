import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { beginReading, resourceVersionOf, stepReading } from '../../../src/replica/reading.ts'
import type { Reading, ReadingInput } from '../../../src/replica/reading.ts'
import { replicaStatus, type ReplicaStatus } from '../../../src/replica/replica-status.ts'
import type { Control, Fence, Progress } from '../../../src/record/control.ts'
import { progress } from '../consumer/support.ts'

function begin(targets: readonly number[], starts: readonly number[] = []): Reading {
  return beginReading({
    from: new Map(targets.map((_, partition) => [partition, starts[partition] ?? 0])),
    until: new Map(targets.map((target, partition) => [partition, target])),
    partitionCount: targets.length,
  })
}

function moved(partition: number, position: number, end = position): ReadingInput {
  return { kind: 'moved', partition, position, end }
}

function at(partition: number, offset: number, control: Control): ReadingInput {
  return { kind: 'control', partition, offset, control }
}

function fence(change: Partial<Progress>): Fence {
  const { synced: _, resourceVersion: __, ...leadership } = progress(1, change)
  return { ...leadership, kind: 'fence' }
}

/** The state behind each input, or what ended the reading. */
function states(reading: Reading, ...inputs: readonly ReadingInput[]): readonly string[] {
  const seen: string[] = []
  let current = reading
  for (const input of inputs) {
    const step = stepReading(current, input)
    if (step.kind === 'new-stream') return [...seen, step.kind]
    current = step.reading
    seen.push(current.state)
  }
  return seen
}

function after(reading: Reading, ...inputs: readonly ReadingInput[]): Reading {
  let current = reading
  for (const input of inputs) {
    const step = stepReading(current, input)
    assert.equal(step.kind, 'go-on')
    if (step.kind === 'go-on') current = step.reading
  }
  return current
}

function statusOf(reading: Reading): ReplicaStatus {
  return replicaStatus({ reading, shown: undefined, brokenBatches: 0, nowMs: 0 })
}

describe('a reading', () => {
  test('of an empty topic waits for progress', () => {
    assert.equal(begin([0]).state, 'CatchingUp')
  })

  test('reaches the ends first, then waits for progress on every partition', () => {
    const ready = progress(5, { partitions: 2 })
    const seen = states(begin([2, 1]), moved(0, 2), moved(1, 1), at(0, 2, ready), at(1, 1, ready))
    assert.deepEqual(seen, ['Recovering', 'CatchingUp', 'CatchingUp', 'Live'])
  })

  test('is not live by progress alone', () => {
    assert.deepEqual(states(begin([3]), at(0, 0, progress(5)), moved(0, 2), moved(0, 3)), [
      'Recovering',
      'Recovering',
      'Live',
    ])
  })

  test('passes over the gaps of compaction by position', () => {
    assert.deepEqual(states(begin([100], [40]), moved(0, 90), moved(0, 120)), ['Recovering', 'CatchingUp'])
  })

  test('takes neither a fence nor unsynced progress for the end of the first list', () => {
    const unsynced = progress(5, { synced: false })
    assert.deepEqual(states(begin([0]), at(0, 0, fence({})), at(0, 1, unsynced)), ['CatchingUp', 'CatchingUp'])
  })

  test('does not count the progress of a former stream', () => {
    const next = { streamId: 'new', epoch: 2 }
    const inputs = [at(0, 0, progress(5)), at(0, 1, fence(next)), moved(0, 2), at(0, 2, progress(6, next))]
    assert.deepEqual(states(begin([2]), ...inputs.slice(0, 3)), ['Recovering', 'Recovering', 'CatchingUp'])
    assert.equal(states(begin([2]), ...inputs).at(-1), 'Live')
  })

  test('stays live when another leader of the same stream takes over', () => {
    const next = fence({ epoch: 2 })
    assert.deepEqual(states(begin([0]), at(0, 0, progress(5)), at(0, 1, next)), ['Live', 'Live'])
  })

  test('begins anew when an unknown stream begins behind the old end, whatever its epoch', () => {
    for (const epoch of [1, 2]) {
      const other = fence({ streamId: 'other', epoch })
      assert.deepEqual(states(begin([0]), at(0, 0, progress(5, { epoch: 2 })), at(0, 1, other)), ['Live', 'new-stream'])
    }
  })

  test('takes the first stream of an empty topic as its own', () => {
    assert.deepEqual(states(begin([0]), at(0, 0, fence({})), at(0, 1, progress(5))), ['CatchingUp', 'Live'])
  })

  test('passes over the late word of an old leader', () => {
    const old = progress(5)
    const current = progress(6, { streamId: 'new', epoch: 2 })
    const inputs = [at(0, 0, old), at(0, 1, current), moved(0, 2), at(0, 2, old)]
    assert.deepEqual(states(begin([2]), ...inputs).slice(2), ['Live', 'Live'])
    assert.equal(after(begin([2]), ...inputs).control?.streamId, 'new')
  })

  test('is as far as its slowest partition', () => {
    const [first, second] = [progress(9, { partitions: 2 }), progress(10, { partitions: 2 })]
    const reading = after(begin([0, 0]), at(0, 0, first), at(1, 0, second))
    assert.equal(resourceVersionOf(reading), '9')
    const { asOf, stream } = statusOf(reading)
    assert.equal(asOf, 9_000)
    assert.equal(stream?.streamId, 's')
  })

  test('knows no resourceVersion before every partition has told', () => {
    assert.equal(resourceVersionOf(after(begin([0, 0]), at(0, 0, progress(9, { partitions: 2 })))), undefined)
  })

  test('does not count the progress of keys that were spread over other partitions', () => {
    assert.deepEqual(states(begin([0, 0]), at(0, 0, progress(9)), at(1, 0, progress(9))), ['CatchingUp', 'CatchingUp'])
  })

  test('goes on from what a snapshot knew, and takes any other stream for news', () => {
    const known = { control: progress(5), progress: new Map([[0, progress(5)]]) }
    const range = { from: new Map([[0, 4]]), until: new Map([[0, 8]]), partitionCount: 1, known }
    assert.deepEqual(states(beginReading(range), moved(0, 6), moved(0, 8)), ['Recovering', 'Live'])
    assert.deepEqual(states(beginReading(range), at(0, 5, fence({ streamId: 'other', epoch: 2 }))), ['new-stream'])
  })

  test('tells what is done and to do, to the old end at first and to the new one later', () => {
    const reading = after(begin([10, 4], [2, 0]), moved(0, 6, 12))
    assert.deepEqual(statusOf(reading).offsets, { done: 4, toDo: 8 })
    assert.deepEqual(statusOf(reading).partitions.get(0), { done: 4, toDo: 4 })
    assert.deepEqual(statusOf(after(reading, moved(0, 10, 12), moved(1, 4))).offsets, { done: 12, toDo: 2 })
  })
})
