import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff } from '../../../src/base/backoff.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

function delays(backoff: Backoff, count: number): number[] {
  return Array.from({ length: count }, () => backoff.delay())
}

test('backoff doubles from 0.8 s to 30 s', () => {
  const backoff = new Backoff(new ManualClock(), () => 0)
  assert.deepEqual(delays(backoff, 8), [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
})

test('backoff is jittered to less than twice its delay', () => {
  const backoff = new Backoff(new ManualClock(), () => 0.5)
  assert.deepEqual(delays(backoff, 3), [1_200, 2_400, 4_800])
})

test('backoff starts anew when none was asked for in 2 minutes (the reset rule before client-go 0.36)', async () => {
  const clock = new ManualClock()
  const backoff = new Backoff(clock, () => 0)
  delays(backoff, 3)
  await clock.advance(119_999)
  assert.equal(backoff.delay(), 6_400)
  await clock.advance(120_000)
  assert.equal(backoff.delay(), 800)
})

test('backoff keeps growing through an outage longer than 2 minutes', async () => {
  const clock = new ManualClock()
  const backoff = new Backoff(clock, () => 0)
  let last = 0
  for (let attempt = 0; attempt < 30; attempt++) {
    const delay = backoff.delay()
    assert.ok(delay >= last)
    last = delay
    await clock.advance(delay)
  }
})

test('backoff starts anew after a success', () => {
  const backoff = new Backoff(new ManualClock(), () => 0, { baseMs: 10, maxMs: 15 })
  assert.deepEqual(delays(backoff, 3), [10, 15, 15])
  backoff.reset()
  assert.equal(backoff.delay(), 10)
})
