import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { expiredError, tooLargeError } from '../../../src/testing/fake-faults.ts'
import { fakeObject, PODS } from '../../../src/testing/fake-objects.ts'
import { watchTimeoutSeconds } from '../../../src/watch/reflector-calls.ts'
import { Harness, withReflector } from './reflector-harness.ts'

const PAGES = { watchList: false }

describe('list and watch', () => {
  test('#1 a list in pages asks for anything cached, then watches from where the list was', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      harness.source.add({ name: 'bar' })
      harness.source.modify({ name: 'foo' })
      harness.source.delete({ name: 'bar' })
      await harness.settle()
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 1'])
      assert.deepEqual(harness.seen, [
        'replaced default/foo@1',
        'listed 1 initial',
        'added default/bar@2',
        'deleted default/bar@4',
        'updated default/foo@3',
      ])
      assert.deepEqual(harness.lists, ['initial'])
      harness.assertSame()
    })
  })

  test('#6 an abort before, while listing, while waiting or while watching ends run without an error', async () => {
    const harness = new Harness()
    await harness.reflector.run(AbortSignal.abort())
    assert.deepEqual(harness.requests, [])
    for (const watchList of [true, false]) {
      await withReflector({ reflector: { watchList } }, async () => {})
      await withReflector({ reflector: { watchList } }, async (own) => own.settle())
      await withReflector({ reflector: { watchList } }, async (own) => {
        own.source.failNext('watch', { kind: 'slow', until: new Promise(() => {}) })
        own.source.failNext('list', { kind: 'slow', until: new Promise(() => {}) })
        await own.settle()
      })
      await withReflector({ reflector: { watchList } }, async (own) => {
        own.source.failNext('watch', { kind: 'refused' })
        own.source.failNext('list', { kind: 'refused' })
        await own.settle()
        assert.equal(own.reflector.status.phase, 'waiting')
      })
    }
  })

  test('#11 pages of a given size are continued to the last', async () => {
    await withReflector({ reflector: { ...PAGES, pageSize: 4 }, watchCache: false }, async (harness) => {
      for (let index = 0; index < 10; index++) harness.source.add({ name: `pod-${index}` })
      await harness.settle()
      assert.deepEqual(harness.requests, [
        'list 0 limit=4',
        'list continue=C1 limit=4',
        'list continue=C2 limit=4',
        'watch 10',
      ])
      assert.equal(harness.store.size, 10)
    })
  })

  test('#12 a list that asks for nothing older than a resourceVersion is not paged', async () => {
    const initialResourceVersion = { notOlderThan: '10' }
    await withReflector({ reflector: { ...PAGES, initialResourceVersion } }, async (harness) => {
      harness.source.advanceTo(10)
      await harness.settle()
      assert.deepEqual(harness.requests, ['list 10 limit=0', 'watch 10'])
    })
  })

  test('#13 a server that pages what it could have cached is asked for pages ever after', async () => {
    for (const [watchCache, limit] of [
      [false, 500],
      [true, 0],
    ] as const) {
      await withReflector({ reflector: PAGES, watchCache }, async (harness) => {
        for (let index = 0; index < 501; index++) harness.source.add({ name: `pod-${index}` })
        await harness.settle()
        harness.reflector.relist()
        await harness.settle()
        assert.ok(harness.requests.includes(`list 501 limit=${limit}`))
        harness.assertSame()
      })
    }
  })

  test('#14 the next list asks for nothing older than what was seen last', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.advanceTo(10)
      await harness.settle()
      harness.reflector.relist()
      await harness.settle()
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'watch 10', 'list 10 limit=0', 'watch 10'])
      assert.deepEqual(harness.lists, ['initial', 'requested'])
    })
  })

  test('#15 a list at an expired resourceVersion is followed at once by a consistent one', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.advanceTo(10)
      await harness.settle()
      harness.source.failNext('list', { kind: 'error', error: expiredError('too old') })
      harness.reflector.relist()
      await harness.settle()
      assert.deepEqual(harness.requests.slice(2), ['list 10 limit=0', "list '' limit=0", 'watch 10'])
      assert.deepEqual(harness.lists, ['initial', 'expired'])
      assert.deepEqual(harness.errors, [])
      harness.reflector.relist()
      await harness.settle()
      assert.equal(harness.requests.at(-2), 'list 10 limit=0', 'a success ends the unavailability')
    })
  })

  test('#16 a list whose next page has expired is made without pages', async () => {
    await withReflector({ reflector: { ...PAGES, pageSize: 4 }, watchCache: false }, async (harness) => {
      for (let index = 0; index < 10; index++) harness.source.add({ name: `pod-${index}` })
      harness.source.failNext(
        'list',
        { kind: 'slow', until: Promise.resolve() },
        { kind: 'error', error: expiredError('continue') },
      )
      await harness.settle()
      // The four that were handed over: the whole list may not be older than they are.
      assert.deepEqual(harness.requests, ['list 0 limit=4', 'list continue=C1 limit=4', 'list 4 limit=0', 'watch 10'])
      assert.deepEqual(harness.lists, ['initial'])
      harness.assertSame()
    })
  })

  test('what expired pages listed and is gone from the whole list is deleted', async () => {
    await withReflector({ reflector: { ...PAGES, pageSize: 1 }, watchCache: false }, async (harness) => {
      harness.source.add({ name: 'foo' })
      harness.source.add({ name: 'bar' })
      let goOn = (): void => {}
      const until = new Promise<void>((resolve) => (goOn = resolve))
      harness.source.failNext('list', { kind: 'slow', until: Promise.resolve() }, { kind: 'slow', until })
      await harness.settle()
      harness.source.delete({ name: 'foo' })
      harness.source.expireContinue()
      goOn()
      await harness.settle()
      assert.deepEqual(harness.seen, [
        'replaced default/foo@1',
        'replaced default/bar@2',
        'missed default/foo@1',
        'listed 3 initial',
      ])
      harness.assertSame()
    })
  })

  test('#17 a list at a resourceVersion not reached yet is followed at once by a consistent one, as in client-go', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.advanceTo(10)
      await harness.settle()
      harness.source.failNext('list', { kind: 'error', error: tooLargeError('10', '9') })
      harness.reflector.relist()
      await harness.settle()
      assert.deepEqual(harness.requests.slice(2), ['list 10 limit=0', "list '' limit=0", 'watch 10'])
      assert.deepEqual(harness.lists, ['initial', 'too-large'])
    })
  })

  test('#18 watches are asked to last a random time between min and twice min, min being 5 minutes at least', () => {
    for (const [minMs, least, most] of [
      [0, 300, 600],
      [1_000, 300, 600],
      [1_800_000, 1_800, 3_600],
    ] as const) {
      assert.equal(
        watchTimeoutSeconds(minMs, () => 0),
        least,
      )
      assert.equal(
        watchTimeoutSeconds(minMs, () => 0.999_999),
        most - 1,
      )
    }
  })

  test('#18 each watch draws its own timeout', async () => {
    const chances = [0, 0.5]
    await withReflector({ reflector: { ...PAGES, random: () => chances.shift() ?? 0 } }, async (harness) => {
      await harness.settle()
      harness.source.add({ name: 'foo' })
      await harness.settle()
      harness.source.closeWatches()
      await harness.settle()
      const timeouts = harness.source.requests.flatMap((request) =>
        request.kind === 'watch' ? [request.timeoutSeconds] : [],
      )
      assert.deepEqual(timeouts, [300, 450])
    })
  })

  test('#19 the resourceVersion follows adds, updates, bookmarks and deletes', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.advanceTo(1)
      await harness.settle()
      const followed: string[] = []
      const note = async (): Promise<void> => {
        await harness.settle()
        followed.push(harness.reflector.status.lastSyncResourceVersion)
      }
      harness.source.advanceTo(9)
      harness.source.add({ name: 'foo' })
      await note()
      harness.source.advanceTo(19)
      harness.source.modify({ name: 'foo' })
      await note()
      harness.source.advanceTo(30)
      harness.source.bookmark()
      await note()
      harness.source.advanceTo(39)
      harness.source.delete({ name: 'foo' })
      await note()
      assert.deepEqual(followed, ['10', '20', '30', '40'])
      assert.deepEqual(harness.seen.slice(1), [
        'added default/foo@10',
        'updated default/foo@20',
        'bookmark 30',
        'deleted default/foo@40',
      ])
    })
  })

  test('#4 objects of another kind or group are skipped without moving the resourceVersion, lower ones move it', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.add({ name: 'foo' })
      harness.source.add({ name: 'bar' })
      await harness.settle()
      const at = (name: string, resourceVersion: string, resource = PODS) =>
        fakeObject(resource, { name, uid: name, resourceVersion })
      harness.source.emit({ kind: 'added', object: at('x', '90', { ...PODS, kind: 'Service' }) })
      harness.source.emit({ kind: 'added', object: at('y', '91', { ...PODS, group: 'metrics.k8s.io' }) })
      await harness.settle()
      assert.equal(harness.reflector.status.lastSyncResourceVersion, '2')
      harness.source.emit({ kind: 'deleted', object: at('foo', '40') })
      harness.source.emit({ kind: 'modified', object: at('bar', '55') })
      harness.source.emit({ kind: 'added', object: at('baz', '32') })
      await harness.settle()
      assert.equal(harness.reflector.status.lastSyncResourceVersion, '32')
      assert.deepEqual([...harness.store.keys()], ['default/bar', 'default/baz'])
      assert.deepEqual(harness.warnings, ['skipped an object of another kind', 'skipped an object of another kind'])
    })
  })

  test('an event of unknown type is skipped and moves the resourceVersion', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.advanceTo(1)
      await harness.settle()
      harness.source.emit({ kind: 'unknown', type: 'RENAMED', resourceVersion: '7' })
      await harness.settle()
      assert.equal(harness.reflector.status.lastSyncResourceVersion, '7')
      assert.deepEqual(harness.warnings, ['skipped an event of unknown type'])
    })
  })
})

describe('nothing older than what is known', () => {
  const known = [fakeObject(PODS, { name: 'foo', uid: 'u', resourceVersion: '10' })]
  const initialResourceVersion = { notOlderThan: '10' }

  test('the first list asks for nothing older than what the topic holds, streamed or not', async () => {
    await withReflector({ known, reflector: { initialResourceVersion } }, async (harness) => {
      harness.source.advanceTo(10)
      await harness.settle()
      assert.deepEqual(harness.requests, ['watch 10 initial'])
      assert.deepEqual(harness.seen, ['missed default/foo@10', 'listed 10 initial'])
    })
  })

  test('with an empty topic the first list is consistent', async () => {
    const reflector = { ...PAGES, initialResourceVersion: { notOlderThan: '' } }
    await withReflector({ reflector }, async (harness) => {
      harness.source.add({ name: 'foo' })
      await harness.settle()
      assert.deepEqual(harness.requests, ["list '' limit=500", 'watch 1'])
    })
  })

  test('a server that lags behind is asked again for 60 s, then for a consistent list', async () => {
    for (const watchList of [true, false]) {
      await withReflector({ known, reflector: { watchList, initialResourceVersion } }, async (harness) => {
        await harness.settle()
        await harness.advance(59_000)
        assert.ok(harness.requests.length > 3)
        assert.deepEqual(new Set(harness.requests), new Set([watchList ? 'watch 10 initial' : 'list 10 limit=0']))
        await harness.advance(60_000)
        assert.ok(harness.requests.includes(watchList ? "watch '' initial" : "list '' limit=0"))
        assert.deepEqual(harness.lists, ['initial'])
        // An older, consistent list is a new history: what it lacks is gone.
        harness.assertSame()
      })
    }
  })

  test('a server that catches up in time is never asked for a consistent list', async () => {
    await withReflector({ known, reflector: { ...PAGES, initialResourceVersion } }, async (harness) => {
      await harness.advance(5_000)
      harness.source.advanceTo(10)
      await harness.advance(10_000)
      assert.equal(harness.requests.includes("list '' limit=0"), false)
      assert.deepEqual(harness.errors, [])
      assert.deepEqual(harness.lists, ['initial'])
    })
  })

  test('after a list that failed half way, the next asks for nothing older than what was handed over', async () => {
    await withReflector({ reflector: PAGES }, async (harness) => {
      for (const name of ['foo', 'bar']) harness.source.add({ name })
      harness.source.failNext('list', { kind: 'corrupt' })
      await harness.settle()
      assert.deepEqual(harness.seen, ['replaced default/foo@1', 'replaced default/bar@2'])
      await harness.advance(800)
      assert.deepEqual(harness.requests, ['list 0 limit=500', 'list 2 limit=0', 'watch 2'])
      harness.assertSame()
    })
  })
})

describe('relists in time', () => {
  test('a list is made so long after each list, whatever the watch does', async () => {
    for (const watchList of [true, false]) {
      await withReflector({ reflector: { watchList, relistEveryMs: 5_000 } }, async (harness) => {
        harness.source.add({ name: 'foo' })
        await harness.settle()
        await harness.advance(3_000)
        harness.source.closeWatches()
        await harness.advance(1_999)
        assert.deepEqual(harness.lists, ['initial'])
        await harness.advance(1)
        assert.deepEqual(harness.lists, ['initial', 'resync'])
        assert.equal(harness.seen.at(-2), 'replaced default/foo@1')
        await harness.advance(10_000)
        assert.deepEqual(harness.lists, ['initial', 'resync', 'resync', 'resync'])
        assert.deepEqual(harness.errors, [])
      })
    }
  })

  test('a list for another reason starts the period anew', async () => {
    await withReflector({ reflector: { relistEveryMs: 5_000 } }, async (harness) => {
      await harness.advance(4_000)
      harness.reflector.relist()
      await harness.advance(4_000)
      assert.deepEqual(harness.lists, ['initial', 'requested'])
      await harness.advance(1_000)
      assert.deepEqual(harness.lists, ['initial', 'requested', 'resync'])
    })
  })

  test('a list wanted while another is under way follows it', async () => {
    for (const watchList of [true, false]) {
      await withReflector({ reflector: { watchList } }, async (harness) => {
        harness.reflector.relist()
        await harness.settle()
        assert.deepEqual(harness.lists, ['initial', 'requested'])
      })
    }
  })
})

describe('back-pressure', () => {
  test('a full queue holds back the reflector, and is not taken for a dead watch', async () => {
    await withReflector({ limit: 100 }, async (harness) => {
      for (const name of ['foo', 'bar', 'baz']) harness.source.add({ name })
      await harness.clock.advance(0)
      assert.equal(harness.queue.size, 1)
      await harness.clock.advance(3_600_000)
      assert.equal(harness.reflector.status.watchEndsAtMs, undefined)
      assert.deepEqual(harness.warnings, [])
      await harness.settle()
      harness.assertSame()
      assert.equal(harness.reflector.status.watchEndsAtMs, harness.clock.now())
      assert.deepEqual(harness.warnings, ['listed slowly'])
    })
  })

  test('an abort ends a reflector that is held back', async () => {
    await withReflector({ limit: 100 }, async (harness) => {
      for (const name of ['foo', 'bar', 'baz']) harness.source.add({ name })
      await harness.clock.advance(0)
      assert.equal(harness.queue.size, 1)
    })
  })

  test('a list of over 10 s is logged with its phases', async () => {
    let answer = (): void => {}
    const until = new Promise<void>((resolve) => (answer = resolve))
    await withReflector({ reflector: PAGES }, async (harness) => {
      harness.source.add({ name: 'foo' })
      harness.source.failNext('list', { kind: 'slow', until })
      await harness.advance(11_000)
      answer()
      await harness.settle()
      const slow = harness.logs.find(({ message }) => message === 'listed slowly')
      assert.deepEqual(slow?.fields, {
        resource: 'pods',
        reason: 'initial',
        items: 1,
        resourceVersion: '1',
        durationMs: 11_000,
        firstByteMs: 11_000,
        itemsMs: 0,
        endMs: 0,
      })
    })
  })
})

describe('what ends a run', () => {
  const refused = new KubedeltaError('forbidden', 'Cannot list pods: wanted the permission to list')

  test('an error handler that throws, with what it threw', async () => {
    const harness = new Harness({
      reflector: {
        ...PAGES,
        errorHandler: (error) => {
          throw error
        },
      },
    })
    harness.source.failNext('list', { kind: 'error', error: refused })
    await assert.rejects(harness.reflector.run(new AbortController().signal), refused)
    assert.equal(harness.source.openRequests, 0)
  })

  test('a sink that fails, and nothing is left open', async () => {
    const harness = new Harness()
    const run = harness.reflector.run(new AbortController().signal)
    await harness.settle()
    harness.queue.close()
    harness.source.add({ name: 'foo' })
    await assert.rejects(run, { code: 'aborted' })
    assert.equal(harness.source.openRequests, 0)
    assert.equal(harness.clock.sleepers, 0)
  })

  test('a bug in the source', async () => {
    const harness = new Harness({ reflector: PAGES })
    const bug = new KubedeltaError('internal', 'Cannot read property')
    harness.source.failNext('list', { kind: 'error', error: bug })
    await assert.rejects(harness.reflector.run(new AbortController().signal), bug)
  })
})

test('the status says where the reflector stands', async () => {
  await withReflector({ reflector: PAGES }, async (harness) => {
    assert.deepEqual(harness.reflector.status.phase, 'listing')
    assert.equal(harness.reflector.status.synced, false)
    await harness.settle()
    const startMs = harness.clock.now()
    assert.deepEqual(harness.reflector.status, {
      phase: 'watching',
      lastSyncResourceVersion: '0',
      synced: true,
      lastAttemptAtMs: startMs,
      lastEventAtMs: undefined,
      watchEndsAtMs: startMs + 300_000,
      error: undefined,
    })
    await harness.advance(5_000)
    harness.source.add({ name: 'foo' })
    await harness.settle()
    assert.equal(harness.reflector.status.lastEventAtMs, startMs + 5_000)
  })
})
