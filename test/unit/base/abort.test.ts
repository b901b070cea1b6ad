import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { abortable, aborted } from '../../../src/base/abort.ts'

test('aborted resolves when the signal aborts, and at once when it has', async () => {
  const controller = new AbortController()
  const waiting = aborted(controller.signal)
  controller.abort()
  await waiting
  await aborted(controller.signal)
})

test('abortable gives what the promise gives and leaves no listener', async () => {
  const { signal } = new AbortController()
  assert.equal(await abortable(Promise.resolve(3), signal), 3)
  const failure = new Error('no')
  await assert.rejects(abortable(Promise.reject(failure), signal), failure)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('abortable ends with the reason when the signal aborts first', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const waiting = abortable(new Promise(() => {}), controller.signal)
  controller.abort(reason)
  await assert.rejects(waiting, reason)
  await assert.rejects(abortable(Promise.resolve(3), controller.signal), reason)
})
