import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const { signal } = new AbortController()

test('manual clock wakes sleepers in the order of their times, each at its own', async () => {
  const clock = new ManualClock(0)
  const woken: string[] = []
  const sleep = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms, signal)
    woken.push(`${name} ${clock.now()}`)
  }
  const sleeping = [sleep('late', 30), sleep('first', 10), sleep('second', 10)]
  await clock.advance(20)
  assert.deepEqual(woken, ['first 10', 'second 10'])
  assert.equal(clock.now(), 20)
  assert.equal(clock.nextWakeMs, 10)
  await clock.advance(10)
  await Promise.all(sleeping)
  assert.deepEqual(woken, ['first 10', 'second 10', 'late 30'])
})

test('manual clock wakes who falls asleep again within the time that passes', async () => {
  const clock = new ManualClock(0)
  const ticks: number[] = []
  const ticking = (async () => {
    while (ticks.length < 3) {
      await clock.sleep(10, signal)
      ticks.push(clock.now())
    }
  })()
  await clock.advance(30)
  await ticking
  assert.deepEqual(ticks, [10, 20, 30])
})

test('manual clock tells when so many sleep', async () => {
  const clock = new ManualClock()
  const waiting = clock.waitForSleepers(2)
  const sleeping = [clock.sleep(1, signal), clock.sleep(1, signal)]
  await waiting
  await clock.waitForSleepers(1)
  assert.equal(clock.sleepers, 2)
  await clock.advance(1)
  await Promise.all(sleeping)
})

test('an aborted sleep ends and is forgotten', async () => {
  const clock = new ManualClock()
  const controller = new AbortController()
  const reason = new Error('enough')
  const sleeping = clock.sleep(1, controller.signal)
  controller.abort(reason)
  await assert.rejects(sleeping, reason)
  await assert.rejects(clock.sleep(1, controller.signal), reason)
  assert.equal(clock.sleepers, 0)
})
