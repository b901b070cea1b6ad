import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginReading } from '../../../src/replica/reading.ts'
import { replicaStatus } from '../../../src/replica/replica-status.ts'

const reading = beginReading({ from: new Map([[0, 0]]), until: new Map([[0, 0]]), partitionCount: 1 })

for (const [what, nowMs, staleMs] of [
  ['as old as its last contact', 7_000, 2_000],
  ['new where the clock was put back behind that', 4_000, 0],
] as const) {
  test(`a content is ${what}`, () => {
    const shown = { reading, contactAtMs: 5_000 }
    const status = replicaStatus({ reading, shown, brokenBatches: 0, nowMs })
    assert.deepEqual([status.contactAt, status.staleMs], [5_000, staleMs])
  })
}
