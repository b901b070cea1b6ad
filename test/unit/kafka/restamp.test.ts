import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outstanding } from '../../../src/kafka/outstanding.ts'
import { restamp } from '../../../src/kafka/restamp.ts'

const NOW_MS = Date.UTC(2026, 0, 1)

function groupAt(...times: readonly number[]) {
  const records = times.map((timestampMs) => ({ key: Buffer.from('key'), value: null, headers: [], timestampMs }))
  return new Outstanding().add({ records }).pending
}

test('untimely records get the time of now', () => {
  const group = groupAt(NOW_MS - 7_200_000, NOW_MS)
  assert.equal(restamp([group], NOW_MS), true)
  assert.deepEqual(
    group.records.map(({ timestampMs }) => timestampMs),
    [NOW_MS, NOW_MS],
  )
})

test('records of now that are untimely are no case for another time', () => {
  assert.equal(restamp([groupAt(NOW_MS - 9_000), groupAt(NOW_MS + 9_000)], NOW_MS), false)
})
