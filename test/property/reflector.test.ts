import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { KubedeltaError } from '../../src/base/errors.ts'
import { expiredError } from '../../src/testing/fake-faults.ts'
import type { FakeFault } from '../../src/testing/fake-faults.ts'
import { withReflector, type Harness } from '../unit/watch/reflector-harness.ts'

const names = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const gone = { code: 410, reason: 'Expired', message: 'too old', causes: [] }
const faults: fc.Arbitrary<FakeFault> = fc.constantFrom<FakeFault>(
  { kind: 'refused' },
  { kind: 'throttled', retryAfterMs: 2_000 },
  { kind: 'close' },
  { kind: 'status', status: gone },
  { kind: 'corrupt' },
  { kind: 'cut' },
  { kind: 'error', error: expiredError('too old') },
  { kind: 'error', error: new KubedeltaError('server', 'Cannot list or watch: internal error') },
  { kind: 'error', error: new KubedeltaError('unreachable', 'Cannot connect', { fields: { opening: true } }) },
)

/** Something happens to the cluster, or between it and the reflector. */
const events: fc.Arbitrary<(harness: Harness) => unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(names, fc.boolean()).map(([name, dropWatch]) => change(name, dropWatch)) },
  { weight: 3, arbitrary: fc.tuple(names, fc.boolean()).map(([name, dropWatch]) => remove(name, dropWatch)) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('list', 'watch').chain((request) => faults.map((fault) => fail(request, fault))),
  },
  { weight: 1, arbitrary: fc.constant((harness: Harness) => harness.source.closeWatches()) },
  { weight: 1, arbitrary: fc.constant((harness: Harness) => harness.source.resetWatch()) },
  { weight: 1, arbitrary: fc.constant((harness: Harness) => harness.source.expireContinue()) },
  { weight: 1, arbitrary: fc.constant((harness: Harness) => harness.source.bookmark()) },
  { weight: 1, arbitrary: fc.constant((harness: Harness) => harness.reflector.relist()) },
  { weight: 1, arbitrary: fc.nat(6).map((lag) => (harness: Harness) => harness.source.lagBehind(lag)) },
  { weight: 2, arbitrary: fc.record({ name: names, lag: fc.nat(6) }).map(breakOff) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(0, 500, 1_500, 20_000).map((ms) => (harness: Harness) => harness.advance(ms)),
  },
)

function change(name: string, dropWatch: boolean): (harness: Harness) => unknown {
  return ({ source }) =>
    source.objects.has(`default/${name}`) ? source.modify({ name }, { dropWatch }) : source.add({ name }, { dropWatch })
}

function remove(name: string, dropWatch: boolean): (harness: Harness) => unknown {
  return ({ source }) => source.objects.has(`default/${name}`) && source.delete({ name }, { dropWatch })
}

function fail(request: 'list' | 'watch', fault: FakeFault): (harness: Harness) => unknown {
  return ({ source }) => source.failNext(request, fault)
}

/** A list is cut off that brought news, and the next one is answered by a server that lags behind. */
function breakOff({ name, lag }: { name: string; lag: number }): (harness: Harness) => unknown {
  return async (harness) => {
    await harness.settle()
    change(name, true)(harness)
    harness.source.failNext('list', { kind: 'cut' })
    harness.source.failNext('watch', { kind: 'cut' })
    harness.reflector.relist()
    await harness.settle()
    harness.source.lagBehind(lag)
  }
}

describe('whatever happens, a list in the end leads to the state of the cluster, no key going back', () => {
  for (const watchList of [true, false]) {
    test(watchList ? 'streamed' : 'in pages', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(events, { maxLength: 30 }), fc.boolean(), async (story, watchCache) => {
          const reflector = { watchList, ...(watchCache ? {} : { pageSize: 2 }) }
          await withReflector({ watchList, watchCache, reflector, limit: 400 }, async (harness) => {
            for (const event of story) await event(harness)
            harness.source.heal()
            // What waits for room is taken first: while the sink holds the reflector back, no delay of a retry runs.
            await harness.settle()
            await harness.advance(1_200_000)
            harness.reflector.relist()
            await harness.settle()
            harness.assertSame()
          })
        }),
        { numRuns: 2_000 },
      )
    })
  }
})
