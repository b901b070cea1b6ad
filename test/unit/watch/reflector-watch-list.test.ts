import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { expiredError } from '../../../src/testing/fake-faults.ts'
import { fakeObject, PODS } from '../../../src/testing/fake-objects.ts'
import type { WatchFrame } from '../../../src/watch/source.ts'
import { withReflector } from './reflector-harness.ts'

function frame(kind: 'added' | 'modified' | 'deleted', name: string, resourceVersion: string): WatchFrame {
  return { kind, object: fakeObject(PODS, { name, uid: name, resourceVersion }) }
}

function bookmark(resourceVersion: string, initialEventsEnd: boolean): WatchFrame {
  return { kind: 'bookmark', resourceVersion, initialEventsEnd }
}

const SILENT_MESSAGE = 'awaiting the bookmark that ends the initial events, no events received'
const QUIET_MESSAGE = 'awaiting the bookmark that ends the initial events, the last event was received some time ago'

describe('streamed lists', () => {
  test('#2 a streamed list is consistent, and its stream goes on as the watch', async () => {
    await withReflector({}, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      harness.source.add({ name: 'bar' })
      await harness.settle()
      assert.deepEqual(harness.requests, ["watch '' initial"])
      assert.deepEqual(harness.seen, ['replaced default/foo@1', 'listed 1 initial', 'added default/bar@2'])
      assert.deepEqual(harness.lists, ['initial'])
      assert.equal(harness.queue.hasSynced, true)
      harness.assertSame()
    })
  })

  test('#22 a bookmark that does not end the initial events ends no list', async () => {
    await withReflector({}, async (harness) => {
      harness.source.failNext('watch', {
        kind: 'frames',
        frames: [frame('added', 'p1', '1'), bookmark('2', false)],
        close: false,
      })
      await harness.settle()
      assert.equal(harness.reflector.status.synced, false)
      assert.equal(harness.reflector.status.phase, 'watch-listing')
      assert.equal(harness.queue.hasSynced, false)
      assert.deepEqual(harness.seen, ['replaced default/p1@1'])
    })
  })

  test('#23 what is updated and deleted while the list streams has its last state at the end', async () => {
    const known = [fakeObject(PODS, { name: 'p4', uid: 'p4', resourceVersion: '1' })]
    await withReflector({ known }, async (harness) => {
      harness.source.failNext('watch', {
        kind: 'frames',
        frames: [
          frame('added', 'p1', '1'),
          frame('added', 'p2', '2'),
          frame('added', 'p4', '1'),
          frame('modified', 'p1', '3'),
          frame('added', 'p3', '4'),
          frame('deleted', 'p3', '5'),
          frame('deleted', 'p4', '6'),
          bookmark('7', true),
        ],
        close: false,
      })
      await harness.settle()
      assert.deepEqual(
        [...harness.store.values()].map(({ name, resourceVersion }) => `${name}@${resourceVersion}`),
        ['p1@3', 'p2@2'],
      )
      assert.equal(harness.reflector.status.lastSyncResourceVersion, '7')
      assert.equal(harness.seen.at(-1), 'listed 7 initial')
    })
  })

  for (const error of [
    new KubedeltaError('server', 'Cannot watch: invalid', { fields: { status: 422, reason: 'Invalid' } }),
    new KubedeltaError('corrupt', 'Cannot read the stream'),
    new KubedeltaError('forbidden', 'Cannot watch: forbidden'),
  ]) {
    test(`#24 any error falls back to pages for this list, unreported: ${error.code}`, async () => {
      await withReflector({}, async (harness) => {
        harness.source.add({ name: 'foo' })
        harness.source.failNext('watch', { kind: 'error', error })
        await harness.settle()
        assert.deepEqual(harness.requests, ["watch '' initial", 'list 0 limit=500', 'watch 1'])
        assert.deepEqual(harness.errors, [])
        harness.reflector.relist()
        await harness.settle()
        assert.equal(harness.requests.at(-1), 'watch 1 initial', 'the next list is streamed again')
        harness.assertSame()
      })
    })
  }

  test('#24 a server that cannot stream lists is listed in pages', async () => {
    await withReflector({ watchList: false, reflector: { watchList: true } }, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      assert.deepEqual(harness.requests, ["watch '' initial", 'list 0 limit=500', 'watch 1'])
    })
  })

  test('#25 a stream that closes before the end of the list is asked for again at once', async () => {
    await withReflector({}, async (harness) => {
      harness.source.add({ name: 'p1' })
      harness.source.failNext('watch', { kind: 'frames', frames: [frame('added', 'p0', '1')], close: true })
      await harness.settle()
      assert.deepEqual(harness.requests, ["watch '' initial", "watch '' initial"])
      assert.deepEqual(harness.seen, [
        'replaced default/p0@1',
        'missed default/p0@1',
        'replaced default/p1@1',
        'listed 1 initial',
      ])
      harness.assertSame()
    })
  })

  test('#26 a stream that closes after the end of the list goes on as a plain watch', async () => {
    await withReflector({}, async (harness) => {
      harness.source.add({ name: 'p1' })
      await harness.settle()
      harness.source.add({ name: 'p2' })
      harness.source.add({ name: 'p3' })
      harness.source.closeWatches()
      await harness.settle()
      assert.deepEqual(harness.requests, ["watch '' initial", 'watch 3'])
      harness.assertSame()
    })
  })

  test('#27 a throttled or refused streamed list is asked for again after backoff', async () => {
    for (const kind of ['throttled', 'refused'] as const) {
      await withReflector({}, async (harness) => {
        harness.source.add({ name: 'p1' })
        harness.source.failNext('watch', { kind }, { kind })
        await harness.settle()
        await harness.advance(800)
        assert.equal(harness.queue.hasSynced, false)
        await harness.advance(1_600)
        assert.deepEqual(harness.requests, ["watch '' initial", "watch '' initial", "watch '' initial"])
        assert.equal(harness.queue.hasSynced, true)
        assert.deepEqual(harness.errors, [])
      })
    }
  })

  test('#28 adds in a streamed list move no resourceVersion, the bookmark that ends it does', async () => {
    await withReflector({}, async (harness) => {
      harness.source.failNext('watch', { kind: 'frames', frames: [frame('added', 'p1', '1')], close: false })
      await harness.settle()
      assert.equal(harness.reflector.status.lastSyncResourceVersion, '')
      harness.source.emit(bookmark('2', true))
      await harness.settle()
      assert.equal(harness.reflector.status.lastSyncResourceVersion, '2')
      assert.deepEqual(harness.seen, ['replaced default/p1@1', 'listed 2 initial'])
    })
  })

  test('#29 a list that waits for its end bookmark is warned of every 10 s', async () => {
    await withReflector({}, async (harness) => {
      harness.source.failNext('watch', { kind: 'frames', frames: [], close: false })
      await harness.advance(20_000)
      harness.source.emit(frame('added', 'p1', '1'))
      await harness.advance(10_000)
      assert.deepEqual(harness.warnings, [SILENT_MESSAGE, SILENT_MESSAGE, QUIET_MESSAGE])
      assert.equal(harness.logs.filter(({ message }) => message === QUIET_MESSAGE)[0]?.fields['waitedMs'], 10_000)
      harness.source.emit(bookmark('2', true))
      await harness.advance(60_000)
      assert.equal(harness.warnings.filter((message) => message.startsWith('awaiting')).length, 3)
    })
  })

  test('#29 a watch after a list in pages is not warned of', async () => {
    await withReflector({ reflector: { watchList: false } }, async (harness) => {
      await harness.advance(60_000)
      assert.deepEqual(harness.warnings, [])
    })
  })

  test('a very short stream without an event falls back to pages', async () => {
    await withReflector({}, async (harness) => {
      harness.source.failNext('watch', { kind: 'close' })
      await harness.settle()
      assert.deepEqual(harness.requests, ["watch '' initial", 'list 0 limit=500', 'watch 0'])
    })
  })

  test('a streamed list at an expired resourceVersion is asked for again at once as a consistent one', async () => {
    await withReflector({}, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      harness.source.failNext('watch', { kind: 'error', error: expiredError('too old') })
      harness.reflector.relist()
      await harness.settle()
      assert.deepEqual(harness.requests.slice(1), ['watch 1 initial', "watch '' initial"])
      assert.deepEqual(harness.lists, ['initial', 'expired'])
    })
  })

  test('a consistent streamed list that is expired nevertheless falls back to pages instead of going in circles', async () => {
    await withReflector({}, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      const expired = { kind: 'error', error: expiredError('too old') } as const
      harness.source.failNext('watch', expired, expired)
      harness.reflector.relist()
      await harness.settle()
      assert.deepEqual(harness.requests.slice(1), [
        'watch 1 initial',
        "watch '' initial",
        "list '' limit=500",
        'watch 1',
      ])
    })
  })

  test('a streamed list after one that broke off asks for nothing older than what that one brought', async () => {
    await withReflector({}, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      harness.source.advanceTo(8)
      const object = harness.source.modify({ name: 'foo' }, { dropWatch: true })
      harness.source.failNext('watch', { kind: 'frames', frames: [{ kind: 'added', object }], close: true })
      harness.reflector.relist()
      await harness.settle()
      assert.deepEqual(harness.requests.slice(1), ['watch 1 initial', 'watch 9 initial'])
    })
  })
})
