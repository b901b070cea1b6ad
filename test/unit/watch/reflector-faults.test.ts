import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { expiredError } from '../../../src/testing/fake-faults.ts'
import type { KubeStatus } from '../../../src/watch/source.ts'
import { withReflector } from './reflector-harness.ts'

const PAGES = { reflector: { watchList: false } }

function status(code: number, reason: string): KubeStatus {
  return { code, reason, message: reason, causes: [] }
}

function serverError(): KubedeltaError {
  return new KubedeltaError('server', 'Cannot list: internal error', {
    fields: { status: 500, reason: 'InternalError' },
  })
}

describe('lists that fail', () => {
  test('#3 a failed list is reported, and nothing known is touched', async () => {
    for (const code of ['server', 'forbidden', 'unauthorized', 'not-found', 'unreachable', 'corrupt'] as const) {
      await withReflector(PAGES, async (harness) => {
        const error = new KubedeltaError(code, 'Cannot list pods: refused')
        harness.source.add({ name: 'foo' })
        harness.source.failNext('list', { kind: 'error', error })
        await harness.settle()
        assert.deepEqual(harness.errors, [error])
        assert.deepEqual(harness.seen, [])
        assert.equal(harness.reflector.status.error, error)
        await harness.advance(800)
        assert.deepEqual(harness.requests, ['list 0 limit=500', 'list 0 limit=500', 'watch 1'])
        assert.equal(harness.reflector.status.error, undefined)
        harness.assertSame()
      })
    }
  })

  test('#3 a watch that does not open is reported and a list follows', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.failNext('watch', { kind: 'error', error: serverError() })
      await harness.settle()
      assert.equal(harness.errors.length, 1)
      await harness.advance(800)
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 0', 'list 0 limit=500', 'watch 0'])
      assert.deepEqual(harness.lists, ['initial', 'watch-error'])
    })
  })

  test('a permission that is missing is asked for again for ever, ever more slowly', async () => {
    await withReflector(PAGES, async (harness) => {
      const error = new KubedeltaError('forbidden', 'Cannot list pods: wanted the permission to list')
      harness.source.failNext('list', ...Array.from({ length: 8 }, () => ({ kind: 'error', error }) as const))
      const waits: Array<number | undefined> = []
      for (let attempt = 0; attempt < 8; attempt++) {
        await harness.settle()
        waits.push(harness.clock.nextWakeMs)
        await harness.advance(harness.clock.nextWakeMs ?? 0)
      }
      assert.deepEqual(waits, [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
      assert.equal(harness.errors.length, 8)
      assert.deepEqual(harness.lists, ['initial'])
    })
  })

  test('a list that was throttled waits for what the server asked, where that is longer than the backoff', async () => {
    for (const [retryAfterMs, waitMs] of [
      [5_000, 5_000],
      [100, 800],
      [undefined, 800],
    ]) {
      await withReflector(PAGES, async (harness) => {
        const hint = retryAfterMs === undefined ? {} : { retryAfterMs }
        harness.source.failNext('list', { kind: 'throttled', ...hint })
        await harness.settle()
        assert.equal(harness.clock.nextWakeMs, waitMs)
      })
    }
  })
})

describe('watches that end', () => {
  test('#5 a very short watch without an event is an error: backoff, then a list', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.failNext('watch', { kind: 'close' })
      await harness.settle()
      assert.equal(harness.clock.nextWakeMs, 800)
      assert.deepEqual(harness.errors, [], 'what ends a watch is not reported')
      await harness.advance(800)
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 0', 'list 0 limit=500', 'watch 0'])
      assert.deepEqual(harness.lists, ['initial', 'watch-error'])
    })
  })

  test('a watch that lasted a second, or brought something, is opened again at once without a list', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      await harness.advance(1_000)
      harness.source.closeWatches()
      await harness.settle()
      harness.source.add({ name: 'bar' })
      harness.source.closeWatches()
      await harness.settle()
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 1', 'watch 1', 'watch 2'])
      harness.assertSame()
    })
  })

  test('a watch that was cut is opened again at once without a list', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.advanceTo(1)
      await harness.settle()
      harness.source.add({ name: 'foo' })
      harness.source.breakWatches(new KubedeltaError('unreachable', 'Cannot read the watch: ECONNRESET'))
      await harness.settle()
      harness.source.add({ name: 'bar' })
      await harness.settle()
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 1', 'watch 2'])
      assert.deepEqual(harness.errors, [])
      harness.assertSame()
    })
  })

  test('changes between two watches are not lost', async () => {
    await withReflector(PAGES, async (harness) => {
      await harness.settle()
      harness.source.add({ name: 'foo' })
      harness.source.closeWatches()
      harness.source.add({ name: 'bar' })
      harness.source.delete({ name: 'foo' })
      await harness.settle()
      assert.deepEqual(harness.lists, ['initial'])
      harness.assertSame()
    })
  })

  test('#7 a 429 while opening and one in the stream each cost one backoff', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.failNext(
        'watch',
        { kind: 'throttled' },
        { kind: 'status', status: status(429, 'TooManyRequests') },
      )
      await harness.settle()
      assert.equal(harness.clock.nextWakeMs, 800)
      await harness.advance(800)
      assert.equal(harness.clock.nextWakeMs, 1_600)
      await harness.advance(1_600)
      assert.equal(harness.reflector.status.phase, 'watching')
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 0', 'watch 0', 'watch 0'])
    })
  })

  test('#8 429s while opening a watch lead to no list', async () => {
    await withReflector(PAGES, async (harness) => {
      const throttled = { kind: 'throttled', retryAfterMs: 1_000 } as const
      harness.source.failNext('watch', throttled, throttled, throttled, throttled)
      await harness.settle()
      await harness.advance(60_000)
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 0', 'watch 0', 'watch 0', 'watch 0', 'watch 0'])
      assert.deepEqual(harness.errors, [])
    })
  })

  test('#9 refused connections are tried again after 0.8 s, doubling to 30 s, without a list', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.failNext('watch', ...Array.from({ length: 9 }, () => ({ kind: 'refused' }) as const))
      const waits: Array<number | undefined> = []
      await harness.settle()
      for (let attempt = 0; attempt < 9; attempt++) {
        waits.push(harness.clock.nextWakeMs)
        await harness.advance(harness.clock.nextWakeMs ?? 0)
      }
      assert.deepEqual(waits, [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000])
      assert.deepEqual(harness.lists, ['initial'])
      assert.equal(harness.reflector.status.phase, 'watching')
    })
  })

  test('backoff is forgotten after 2 minutes without one, and not during an outage (the rule before client-go 0.36)', async () => {
    await withReflector(PAGES, async (harness) => {
      const refused = Array.from({ length: 12 }, () => ({ kind: 'refused' }) as const)
      harness.source.failNext('watch', ...refused)
      await harness.settle()
      let longest = 0
      for (let attempt = 0; attempt < 12; attempt++) {
        const waitMs = harness.clock.nextWakeMs ?? 0
        assert.ok(waitMs >= longest, `the outage goes on, and the wait went from ${longest} to ${waitMs}`)
        longest = waitMs
        await harness.advance(waitMs)
      }
      await harness.advance(120_000)
      harness.source.failNext('watch', { kind: 'refused' })
      harness.source.closeWatches()
      await harness.settle()
      assert.equal(harness.clock.nextWakeMs, 800)
    })
  })

  test('a 410 in the stream leads to a list after backoff; it finds what the watch missed', async () => {
    await withReflector(PAGES, async (harness) => {
      for (const name of ['kept', 'gone', 'again']) harness.source.add({ name })
      await harness.settle()
      await harness.advance(1_000)
      harness.source.failNext('watch', { kind: 'status', status: status(410, 'Expired') })
      harness.source.modify({ name: 'kept' }, { dropWatch: true })
      harness.source.delete({ name: 'gone' }, { dropWatch: true })
      harness.source.delete({ name: 'again' }, { dropWatch: true })
      harness.source.add({ name: 'again' }, { dropWatch: true })
      harness.source.closeWatches()
      await harness.settle()
      assert.equal(harness.clock.nextWakeMs, 800)
      await harness.advance(800)
      assert.deepEqual(harness.lists, ['initial', 'expired'])
      assert.deepEqual(harness.errors, [])
      assert.deepEqual(harness.seen.slice(4), [
        'replaced default/kept@4',
        'replaced default/again@7',
        'missed default/gone@2',
        'listed 7 expired',
      ])
      harness.assertSame()
    })
  })

  test('a 410 while opening is reported, and the list that follows says why it was made', async () => {
    await withReflector(PAGES, async (harness) => {
      await harness.settle()
      harness.source.add({ name: 'foo' }, { dropWatch: true })
      harness.source.resetWatch()
      await harness.advance(1_600)
      assert.deepEqual(harness.lists, ['initial', 'watch-error'], 'a very short watch')
      harness.source.failNext('watch', { kind: 'error', error: expiredError('too old resource version') })
      await harness.advance(1_000)
      harness.source.closeWatches()
      await harness.settle()
      assert.deepEqual(
        harness.errors.map(({ code }) => code),
        ['expired'],
      )
      await harness.advance(3_200)
      assert.deepEqual(harness.lists, ['initial', 'watch-error', 'expired'])
      harness.assertSame()
    })
  })

  test('a corrupt frame leads to a list', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.failNext('watch', { kind: 'corrupt' })
      await harness.settle()
      await harness.advance(800)
      assert.deepEqual(harness.lists, ['initial', 'watch-error'])
      assert.deepEqual(harness.errors, [])
    })
  })

  test('#20 a StoreReadError in the stream leads to a list that removes the object', async () => {
    await withReflector(PAGES, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      harness.source.delete({ name: 'foo' }, { dropWatch: true })
      harness.source.emit({ kind: 'error', error: status(500, 'StoreReadError') })
      await harness.settle()
      await harness.advance(800)
      assert.deepEqual(harness.seen.at(-2), 'missed default/foo@1')
      harness.assertSame()
    })
  })

  for (const [name, internalErrorRetryMs, pauseAt, retries] of [
    ['never by default', 0, undefined, 0],
    ['for 30 s where asked', 30_000, undefined, 31],
    ['for 30 s from the last pause of a minute', 30_000, 10, 40],
  ] as const) {
    test(`#10 a 500 in the stream is tried again ${name}`, async () => {
      const failing = status(500, 'InternalError')
      await withReflector({ reflector: { watchList: false, internalErrorRetryMs } }, async (harness) => {
        await harness.settle()
        for (let count = 1; harness.reflector.status.phase === 'watching'; count++) {
          await harness.advance(count === pauseAt ? 61_000 : 1_000)
          harness.source.emit({ kind: 'error', error: failing })
          await harness.settle()
          assert.ok(count < 100)
        }
        assert.equal(harness.requests.filter((request) => request === 'watch 0').length - 1, retries)
      })
    })
  }
})
