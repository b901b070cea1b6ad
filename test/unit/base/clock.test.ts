import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../../src/base/clock.ts'

test('the system clock tells the time of day', () => {
  const before = Date.now()
  const now = systemClock.now()
  assert.ok(now >= before && now <= Date.now())
})

test('a sleep ends when aborted, however long it is', async () => {
  const controller = new AbortController()
  const sleeping = systemClock.sleep(2 ** 40, controller.signal)
  controller.abort()
  await assert.rejects(sleeping, { name: 'AbortError' })
})
