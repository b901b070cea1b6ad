import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { liveness, loopCheck } from '../../../src/health/liveness.ts'
import type { Activity } from '../../../src/health/liveness.ts'

const now = 1_000_000_000

describe('liveness', () => {
  const cases: ReadonlyArray<{ name: string; activity: Activity; ok: boolean; detail: string }> = [
    {
      name: 'a watch within its own timeout is live',
      activity: { kind: 'watch', name: 'watch pods', timeoutAtMs: now + 1 },
      ok: true,
      detail: '',
    },
    {
      name: 'a watch is live up to 30 s past its own timeout',
      activity: { kind: 'watch', name: 'watch pods', timeoutAtMs: now - 29_999 },
      ok: true,
      detail: '',
    },
    {
      name: 'a watch open 30 s past its own timeout is not live',
      activity: { kind: 'watch', name: 'watch pods', timeoutAtMs: now - 30_000 },
      ok: false,
      detail: 'open 30 s past its own timeout',
    },
    {
      name: 'a lane that tries is live however often it fails',
      activity: { kind: 'attempt', name: 'lane pods', lastAttemptAtMs: now - 299_999 },
      ok: true,
      detail: '',
    },
    {
      name: 'a lane without an attempt for 5 minutes is not live',
      activity: { kind: 'attempt', name: 'lane pods', lastAttemptAtMs: now - 300_000 },
      ok: false,
      detail: 'no attempt for 300 s',
    },
  ]
  for (const { name, activity, ok, detail } of cases) {
    test(name, () => {
      assert.deepEqual(liveness([activity], now), { ok, checks: [{ name: activity.name, ok, detail }] })
    })
  }

  test('one late activity among many fails the whole', () => {
    const report = liveness(
      [
        { kind: 'watch', name: 'a', timeoutAtMs: now },
        { kind: 'attempt', name: 'b', lastAttemptAtMs: 0 },
      ],
      now,
    )
    assert.equal(report.ok, false)
    assert.deepEqual(
      report.checks.map(({ ok }) => ok),
      [true, false],
    )
  })

  test('nothing under way is live', () => assert.deepEqual(liveness([], now), { ok: true, checks: [] }))
})

test('an event loop is blocked from the limit on', () => {
  assert.deepEqual(loopCheck(9_999, 10_000), { name: 'event-loop', ok: true, detail: '' })
  assert.deepEqual(loopCheck(12_340, 10_000), { name: 'event-loop', ok: false, detail: 'blocked for 12.3 s' })
})
