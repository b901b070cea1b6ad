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

test('a share is granted its guarantee however much another one holds', () => {
  const budget = new ByteBudget(100)
  const [stuck, other] = [budget.share(), budget.share()]
  assert.ok(stuck.tryAcquire(75), 'its own 25 and all that is common')
  assert.equal(stuck.tryAcquire(1), false)
  assert.ok(other.tryAcquire(25))
  assert.equal(other.tryAcquire(1), false, 'nothing common is left')
  assert.equal(budget.used, 100)
})

test('a share whose guarantee has room overtakes another that waits for common bytes', async () => {
  const budget = new ByteBudget(100)
  const [stuck, other] = [budget.share(), budget.share()]
  stuck.tryAcquire(75)
  const waiting = stuck.acquire(1, signal)
  assert.ok(other.tryAcquire(25))
  other.release(25)
  assert.ok(other.tryAcquire(25))
  stuck.release(1)
  await waiting
  assert.equal(stuck.used, 75)
})

test('shares get common bytes in the order they asked for them', async () => {
  const budget = new ByteBudget(100)
  const [stuck, large, small] = [budget.share(), budget.share(), budget.share()]
  stuck.tryAcquire(66)
  const granted: string[] = []
  const both = [
    large.acquire(40, signal).then(() => granted.push('large')),
    small.acquire(17, signal).then(() => granted.push('small')),
  ]
  assert.equal(small.tryAcquire(1), false, 'nobody overtakes himself')
  stuck.release(66)
  await Promise.all(both)
  assert.deepEqual(granted, ['large', 'small'])
})

test('a share takes what is larger than it may ever hold once nobody else holds common bytes', async () => {
  const budget = new ByteBudget(100)
  const [large, other] = [budget.share(), budget.share()]
  other.tryAcquire(30)
  const waiting = large.acquire(1_000, signal)
  other.release(5)
  await waiting
  assert.equal(budget.used, 1_025)
})

test('a share that is disposed of leaves its guarantee to the others once it holds nothing', () => {
  const budget = new ByteBudget(100)
  const [leaving, staying] = [budget.share(), budget.share()]
  leaving.tryAcquire(10)
  leaving[Symbol.dispose]()
  assert.ok(staying.tryAcquire(75))
  assert.equal(staying.tryAcquire(1), false)
  leaving.release(10)
  assert.ok(staying.tryAcquire(25))
})

test('a share refuses to be given back more than it holds, whatever others hold', () => {
  const budget = new ByteBudget(100)
  const [one, other] = [budget.share(), budget.share()]
  other.tryAcquire(10)
  assert.throws(() => one.release(1), RangeError)
})
