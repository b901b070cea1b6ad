// Whatever is asked for and given back, shares of a budget keep its bound and none keeps another from its guarantee.

import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteBudget } from '../../src/base/byte-budget.ts'

const LIMIT = 1_000
const SHARES = 4
const GUARANTEE = LIMIT / 2 / SHARES

const { signal } = new AbortController()

/** One holder: takes one after the other, as a queue does. */
class Taker {
  readonly held: number[] = []
  waitsFor: number | undefined
  readonly #share: ReturnType<ByteBudget['share']>

  constructor(budget: ByteBudget) {
    this.#share = budget.share()
  }

  get used(): number {
    return this.#share.used
  }

  take(bytes: number): void {
    if (this.waitsFor !== undefined) return
    if (this.#share.tryAcquire(bytes)) {
      this.held.push(bytes)
      return
    }
    this.waitsFor = bytes
    void this.#share.acquire(bytes, signal).then(() => {
      this.held.push(bytes)
      this.waitsFor = undefined
    })
  }

  giveBack(): void {
    const bytes = this.held.shift()
    if (bytes !== undefined) this.#share.release(bytes)
  }
}

const action = fc.record({
  kind: fc.constantFrom('take' as const, 'take' as const, 'give' as const),
  taker: fc.integer({ min: 0, max: SHARES - 1 }),
  // At most what a share and the common half may hold together.
  bytes: fc.integer({ min: 1, max: GUARANTEE + LIMIT / 2 }),
})

test('shares keep the bound, and none that stays within its guarantee ever waits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const budget = new ByteBudget(LIMIT)
      const takers = Array.from({ length: SHARES }, () => new Taker(budget))
      for (const { kind, taker: number, bytes } of actions) {
        const taker = takers[number]
        if (kind === 'take') taker?.take(bytes)
        else taker?.giveBack()
        await turn()
        assert.ok(budget.used <= LIMIT)
        assert.equal(
          budget.used,
          takers.reduce((sum, { used }) => sum + used, 0),
        )
        for (const { used, waitsFor } of takers) {
          assert.ok(waitsFor === undefined || used + waitsFor > GUARANTEE, 'a guarantee was refused')
        }
      }
      // Nobody waits forever once all give back what they get.
      while (takers.some(({ held, waitsFor }) => held.length > 0 || waitsFor !== undefined)) {
        for (const taker of takers) taker.giveBack()
        await turn()
      }
      assert.equal(budget.used, 0)
    }),
    { numRuns: 1_000 },
  )
})
