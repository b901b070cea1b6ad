import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Clock } from '../../../src/base/clock.ts'
import { RateLimiter } from '../../../src/kube/rate-limiter.ts'

/** Time that passes exactly by sleeping. */
function clockOfSleeps(): Clock & { pass(ms: number): void } {
  let now = 1_000_000
  return {
    now: () => now,
    sleep: async (ms, signal) => {
      signal.throwIfAborted()
      now += ms
    },
    pass: (ms) => {
      now += ms
    },
  }
}

const { signal } = new AbortController()

test('rate limiter lets a burst through at once, then qps a second', async () => {
  const limiter = new RateLimiter({ qps: 10, burst: 3, clock: clockOfSleeps() })
  const waits = []
  for (let request = 0; request < 5; request += 1) waits.push(await limiter.take(signal))
  assert.deepEqual(waits, [0, 0, 0, 100, 100])
})

test('rate limiter fills no further than its burst', async () => {
  const clock = clockOfSleeps()
  const limiter = new RateLimiter({ qps: 10, burst: 2, clock })
  clock.pass(60_000)
  assert.deepEqual([await limiter.take(signal), await limiter.take(signal), await limiter.take(signal)], [0, 0, 100])
})

test('requests at the same time wait for one token each', async () => {
  const waited: number[] = []
  const clock: Clock = { now: () => 0, sleep: async (ms) => void waited.push(ms) }
  const limiter = new RateLimiter({ qps: 10, burst: 1, clock })
  await Promise.all([limiter.take(signal), limiter.take(signal), limiter.take(signal)])
  assert.deepEqual(waited, [100, 200])
})

test('one who gives up costs the others nothing', async () => {
  const abort = new AbortController()
  const waited: number[] = []
  const clock: Clock = {
    now: () => 0,
    sleep: async (ms, given) => {
      waited.push(ms)
      if (given === abort.signal) throw new Error('stop')
    },
  }
  const limiter = new RateLimiter({ qps: 10, burst: 1, clock })
  await limiter.take(signal)
  await assert.rejects(limiter.take(abort.signal), /stop/)
  await limiter.take(signal)
  assert.deepEqual(waited, [100, 100])
})

test('a clock set back does not drain the bucket', async () => {
  const clock = clockOfSleeps()
  const limiter = new RateLimiter({ qps: 1, burst: 2, clock })
  clock.pass(-3_600_000)
  assert.equal(await limiter.take(signal), 0)
})

describe('rate limiter refuses limits that let nothing through', () => {
  for (const [qps, burst] of [
    [0, 1],
    [-1, 1],
    [Number.NaN, 1],
    [1, 0],
  ] as const) {
    test(`qps ${qps}, burst ${burst}`, () => {
      assert.throws(() => new RateLimiter({ qps, burst, clock: clockOfSleeps() }), RangeError)
    })
  }
})
