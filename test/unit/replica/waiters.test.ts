import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { Waiters } from '../../../src/replica/waiters.ts'

const never = new AbortController().signal

describe('waiters', () => {
  test('wait until it holds, and no longer than that', async () => {
    const waiters = new Waiters()
    let value = 0
    const waiting = waiters.until(() => value === 2, never)
    for (value = 1; value <= 2; value++) waiters.check()
    await waiting
    value = 2
    await waiters.until(() => value === 2, never)
  })

  test('give up with their signal and leave no listener behind', async () => {
    const waiters = new Waiters()
    const stop = new AbortController()
    const waiting = waiters.until(() => false, stop.signal)
    stop.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    await assert.rejects(
      waiters.until(() => true, stop.signal),
      /enough/,
    )
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
  })

  test('are told of the end, also those that come later, unless it holds', async () => {
    const waiters = new Waiters()
    const waiting = waiters.until(() => false, never)
    waiters.end(new Error('stopped'))
    await assert.rejects(waiting, /stopped/)
    await assert.rejects(
      waiters.until(() => false, never),
      /stopped/,
    )
    await waiters.until(() => true, never)
  })
})
