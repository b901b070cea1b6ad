import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { ByteBudget } from '../../../src/base/byte-budget.ts'

const { signal } = new AbortController()

test('byte budget grants what fits, and the rest in the order it was asked for', async () => {
  const budget = new ByteBudget(10)
  const granted: string[] = []
  assert.ok(budget.tryAcquire(8))
  const large = budget.acquire(9, signal).then(() => granted.push('large'))
  const small = budget.acquire(1, signal).then(() => granted.push('small'))
  assert.equal(budget.tryAcquire(1), false, 'nobody overtakes who waits')
  budget.release(8)
  await Promise.all([large, small])
  assert.deepEqual(granted, ['large', 'small'])
  assert.equal(budget.used, 10)
})

test('byte budget lets through what is larger than its bound once it is alone', async () => {
  const budget = new ByteBudget(10)
  assert.ok(budget.tryAcquire(1))
  const waiting = budget.acquire(100, signal)
  budget.release(1)
  await waiting
  assert.equal(budget.used, 100)
})

test('byte budget lets the next one go on when the one before it aborts', async () => {
  const budget = new ByteBudget(10)
  const controller = new AbortController()
  budget.tryAcquire(5)
  const large = budget.acquire(9, controller.signal)
  const small = budget.acquire(1, signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await assert.rejects(large, reason)
  await small
  assert.equal(budget.used, 6)
  await assert.rejects(budget.acquire(9, controller.signal), reason)
  assert.equal(budget.used, 6)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('byte budget refuses to be given back more than is held', () => {
  const budget = new ByteBudget(10)
  budget.tryAcquire(5)
  assert.throws(() => budget.release(6), RangeError)
})

test('byte budget refuses a bound that is not positive', () => {
  for (const limit of [0, -1, Number.NaN]) assert.throws(() => new ByteBudget(limit), RangeError)
})
