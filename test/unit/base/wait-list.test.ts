import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WaitList } from '../../../src/base/wait-list.ts'

const { signal } = new AbortController()

test('all who wait are woken, in the order in which they came', async () => {
  const list = new WaitList()
  const woken: number[] = []
  const waits = [1, 2, 3].map(async (each) => {
    await list.wait(signal)
    woken.push(each)
  })
  assert.equal(list.waiting, true)
  list.wake()
  await Promise.all(waits)
  assert.deepEqual(woken, [1, 2, 3])
  assert.equal(list.waiting, false)
})

test('one whose signal aborts leaves the others waiting', async () => {
  const list = new WaitList()
  const stop = new AbortController()
  const left = list.wait(stop.signal)
  const kept = list.wait(signal)
  stop.abort(new Error('enough'))
  await assert.rejects(left, /enough/)
  assert.equal(list.waiting, true)
  list.wake()
  await kept
})
