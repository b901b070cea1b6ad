// The informer: one collection of the apiserver in a cache, relists with deletes first, back-pressure, one life.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { waitForCacheSync } from '../../../src/cache/sync-tracker.ts'
import { recorder, type Pod } from '../cache/support.ts'
import { withInformer, type InformerHarness } from './informer-harness.ts'

const NAMESPACE = 'shop'
const pod = (name: string, body: Readonly<Record<string, unknown>> = {}) => ({ name, namespace: NAMESPACE, body })

/** Live, with what was there in the cache. */
async function live({ informer, run, advance, signal }: InformerHarness): Promise<void> {
  void run()
  await informer.whenLive(signal)
  await advance()
}

/** The watch loses its place: a relist follows once the backoff is over. */
async function relist({ source, advance }: InformerHarness): Promise<void> {
  source.resetWatch()
  await advance(5_000)
}

for (const watchList of [true, false]) {
  describe(watchList ? 'with streamed lists' : 'with paged lists', () => {
    test('the first list is swapped in as a whole, what comes after is applied in order', async () => {
      await withInformer({ watchList }, async (harness) => {
        const { source, informer, advance, content } = harness
        const handler = recorder()
        informer.addHandler(handler)
        source.add(pod('a'))
        source.add(pod('b'))
        await live(harness)
        assert.deepEqual(content(), ['shop/a@1', 'shop/b@2'])
        source.modify(pod('a'))
        source.delete(pod('b'))
        source.add(pod('c'))
        await advance()
        assert.deepEqual(content(), ['shop/a@3', 'shop/c@5'])
        assert.deepEqual(handler.calls, [
          'add shop/a@1 initial',
          'add shop/b@2 initial',
          'update shop/a@1 @3',
          'delete shop/b@4',
          'add shop/c@5',
        ])
        assert.equal(informer.lastSyncResourceVersion(), '5')
      })
    })

    test('#46 a relist tells deletes first, then updates and adds, over the final state', async () => {
      await withInformer({ watchList }, async (harness) => {
        const { source, informer, content } = harness
        for (const name of ['a', 'b', 'c']) source.add(pod(name))
        const states: string[][] = []
        const handler = recorder(() => void states.push(content()))
        await live(harness)
        informer.addHandler(handler)
        await harness.advance()
        handler.calls.length = 0
        states.length = 0
        source.delete(pod('a'), { dropWatch: true })
        source.modify(pod('b'), { dropWatch: true })
        source.modify(pod('c'), { dropWatch: true })
        source.add(pod('d'), { dropWatch: true })
        await relist(harness)
        assert.deepEqual(handler.calls, [
          'delete shop/a@1 unknown',
          'update shop/b@2 @5',
          'update shop/c@3 @6',
          'add shop/d@7',
        ])
        const final = ['shop/b@5', 'shop/c@6', 'shop/d@7']
        assert.deepEqual(states, [final, final, final, final])
      })
    })

    test('#47 what happened while the watch was lost comes as an update and an add that is not initial', async () => {
      await withInformer({ watchList }, async (harness) => {
        const { source, informer } = harness
        const handler = recorder()
        informer.addHandler(handler)
        source.add(pod('pod-1'))
        await live(harness)
        source.modify(pod('pod-1'), { dropWatch: true })
        source.add(pod('pod-2'), { dropWatch: true })
        await relist(harness)
        assert.deepEqual(handler.calls, ['add shop/pod-1@1 initial', 'update shop/pod-1@1 @2', 'add shop/pod-2@3'])
      })
    })

    test('#49 the resourceVersion of the cache follows changes, lists and bookmarks, also with a transform', async () => {
      const transform = (object: Pod): Pod => ({ metadata: { name: object.metadata.name } })
      await withInformer({ watchList, informer: { transform } }, async (harness) => {
        const { source, informer, advance } = harness
        source.add(pod('a'))
        await live(harness)
        assert.equal(informer.lastSyncResourceVersion(), '1')
        source.modify(pod('a'))
        await advance()
        assert.equal(informer.lastSyncResourceVersion(), '2')
        source.delete(pod('a'))
        await advance()
        assert.equal(informer.lastSyncResourceVersion(), '3')
        source.advanceTo(10)
        source.bookmark()
        await advance()
        assert.equal(informer.lastSyncResourceVersion(), '10')
        source.advanceTo(20)
        await relist(harness)
        assert.equal(informer.lastSyncResourceVersion(), '20')
      })
    })

    test('#53 after a gap a handler gets what changed, one that is due for a resync gets everything', async () => {
      await withInformer({ watchList, informer: { resyncMs: 1_000 } }, async (harness) => {
        const { source, informer, advance } = harness
        const [none, resync] = [recorder(), recorder()]
        informer.addHandler(none, { resyncMs: 0 })
        informer.addHandler(resync, { resyncMs: 1_000 })
        source.add(pod('pod1'))
        source.add(pod('pod2'))
        await live(harness)
        await advance(1_000)
        assert.deepEqual(none.calls.splice(0), ['add shop/pod1@1 initial', 'add shop/pod2@2 initial'])
        resync.calls.length = 0
        source.add(pod('pod3'), { dropWatch: true })
        source.modify(pod('pod2'), { dropWatch: true })
        // Before the next resync, so that what comes is the relist's.
        source.resetWatch()
        await advance(999)
        assert.deepEqual(none.calls, ['update shop/pod2@2 @4', 'add shop/pod3@3'])
        assert.deepEqual(resync.calls, ['update shop/pod1@1 @1', 'update shop/pod2@2 @4', 'add shop/pod3@3'])
      })
    })
  })
}

test('#54 a list that fails reaches the watch error handler, and the informer goes on trying', async () => {
  await withInformer({ watchList: false }, async (harness) => {
    const { source, informer, errors, run, advance } = harness
    source.add(pod('a'))
    source.failNext('list', { kind: 'error', error: new KubedeltaError('forbidden', 'Cannot list pods') })
    void run()
    await advance()
    assert.deepEqual(
      errors.map(({ code }) => code),
      ['forbidden'],
    )
    assert.equal(informer.hasSynced(), false)
    assert.equal(informer.status().reflector?.error?.code, 'forbidden')
    await advance(5_000)
    assert.equal(informer.hasSynced(), true)
  })
})

test('what the watch error handler throws ends the run, and whoever waits is told', async () => {
  const refusal = new KubedeltaError('forbidden', 'Cannot list pods')
  const watchErrorHandler = (error: KubedeltaError): void => {
    throw error
  }
  await assert.rejects(
    withInformer({ watchList: false, informer: { watchErrorHandler } }, async ({ source, informer, run, signal }) => {
      source.failNext('list', { kind: 'error', error: refusal })
      void run()
      await assert.rejects(informer.whenLive(signal), (error) => error === refusal)
      assert.equal(informer.status().state, 'stopped')
    }),
    (error) => error === refusal,
  )
})

test('without an error handler a failure is logged', async () => {
  await withInformer({ watchList: false, errorHandler: 'default' }, async ({ source, run, advance, lines }) => {
    source.failNext('list', { kind: 'refused' })
    void run()
    await advance()
    assert.ok(lines.some(({ level, message }) => level === 'warn' && message === 'cannot list or watch'))
  })
})

test('a list that fails half way leaves no trace', async () => {
  await withInformer({ watchList: false }, async (harness) => {
    const { source, informer, run, advance, content } = harness
    source.add(pod('a'))
    source.add(pod('b'))
    source.failNext('list', { kind: 'cut' })
    void run()
    await advance()
    assert.deepEqual(content(), [])
    assert.equal(informer.hasSynced(), false)
    source.delete(pod('a'))
    await advance(5_000)
    assert.deepEqual(content(), ['shop/b@2'])
  })
})

test('what changes while a list streams is in the list', async () => {
  await withInformer({}, async (harness) => {
    const { source, informer, run, advance, content } = harness
    const handler = recorder()
    informer.addHandler(handler)
    source.failNext('watch', {
      kind: 'frames',
      close: false,
      frames: [
        { kind: 'added', object: source.add(pod('a')) },
        { kind: 'added', object: source.add(pod('b')) },
        { kind: 'modified', object: source.modify(pod('a')) },
        { kind: 'deleted', object: source.delete(pod('b')) },
        { kind: 'bookmark', resourceVersion: '4', initialEventsEnd: true },
      ],
    })
    void run()
    await advance()
    assert.deepEqual(content(), ['shop/a@3'])
    assert.deepEqual(handler.calls, ['add shop/a@3 initial'])
  })
})

test('an object created anew under its key is an update with another uid', async () => {
  await withInformer({}, async (harness) => {
    const { source, informer } = harness
    const uids: Array<readonly [string | undefined, string | undefined]> = []
    informer.addHandler({ onUpdate: (before, after) => void uids.push([before.metadata.uid, after.metadata.uid]) })
    source.add(pod('a'))
    await live(harness)
    source.delete(pod('a'), { dropWatch: true })
    source.add(pod('a'), { dropWatch: true })
    await relist(harness)
    assert.deepEqual(uids, [['a-1', 'a-3']])
  })
})

test('a handler whose buffer is full holds back the watch', async () => {
  await withInformer({}, async (harness) => {
    const { source, informer, advance, content } = harness
    const gate = Promise.withResolvers<void>()
    const handler = recorder((call) => (call.startsWith('add shop/a') ? gate.promise : undefined))
    informer.addHandler(handler, { holdBackAt: 2 })
    await live(harness)
    source.add(pod('a'))
    for (let change = 0; change < 10; change += 1) source.modify(pod('b'))
    await advance()
    // One is being handled, two are buffered, the others are not read.
    assert.deepEqual(content(), ['shop/a@1', 'shop/b@3'])
    gate.resolve()
    await advance()
    assert.deepEqual(content(), ['shop/a@1', 'shop/b@11'])
    assert.equal(handler.calls.length, 11)
  })
})

test('a handler whose buffer is full of the first list, or of deletes, holds back the watch', async () => {
  await withInformer({}, async (harness) => {
    const { source, informer, advance, content } = harness
    const gates = { add: Promise.withResolvers<void>(), delete: Promise.withResolvers<void>() }
    const handler = recorder((call) => {
      if (call.startsWith('add shop/a')) return gates.add.promise
      return call.startsWith('delete shop/a') ? gates.delete.promise : undefined
    })
    informer.addHandler(handler, { holdBackAt: 2 })
    for (const name of ['a', 'b', 'c', 'd']) source.add(pod(name))
    await live(harness)
    source.modify(pod('d'))
    await advance()
    assert.equal(informer.get('shop/d')?.metadata.resourceVersion, '4')
    gates.add.resolve()
    await advance()
    assert.equal(informer.get('shop/d')?.metadata.resourceVersion, '5')

    for (const name of ['a', 'b', 'c', 'd']) source.delete(pod(name))
    await advance()
    // One is being handled, two are buffered, the fourth is not read.
    assert.deepEqual(content(), ['shop/d@5'])
    gates.delete.resolve()
    await advance()
    assert.deepEqual(content(), [])
  })
})

test('a resync shows what the cache holds and asks the server nothing', async () => {
  await withInformer({ informer: { resyncMs: 10_000 } }, async (harness) => {
    const { source, informer, advance } = harness
    const handler = recorder()
    informer.addHandler(handler)
    source.add(pod('a'))
    await live(harness)
    const requests = source.requests.length
    await advance(9_999)
    assert.deepEqual(handler.calls, ['add shop/a@1 initial'])
    await advance(1)
    await advance(10_000)
    assert.deepEqual(handler.calls, ['add shop/a@1 initial', 'update shop/a@1 @1', 'update shop/a@1 @1'])
    assert.equal(source.requests.length, requests)
  })
})

test('objects are kept as bytes and parsed once, when someone looks', async () => {
  await withInformer({}, async (harness) => {
    const { source, informer } = harness
    source.add(pod('a', { spec: { nodeName: 'node-7' } }))
    await live(harness)
    const first = informer.get('shop/a')
    assert.equal(first?.spec?.nodeName, 'node-7')
    assert.equal(informer.get('shop/a'), first)
    assert.ok(Object.isFrozen(first.spec))
  })
})

test('indexers and selectors read what the cache holds', async () => {
  const byNode = (object: Pod): readonly string[] => [object.spec?.nodeName ?? '']
  await withInformer({ informer: { indexers: { byNode } } }, async (harness) => {
    const { source, informer } = harness
    source.add({ ...pod('a', { spec: { nodeName: 'node-7' } }), labels: { app: 'cart' } })
    source.add(pod('b', { spec: { nodeName: 'node-8' } }))
    await live(harness)
    assert.deepEqual(informer.indexKeys('byNode', 'node-7'), ['shop/a'])
    assert.deepEqual(
      informer.list({ labels: 'app=cart' }).map(({ metadata }) => metadata.name),
      ['a'],
    )
  })
})

describe('one life', () => {
  test('waiting for sync is waiting for live', async () => {
    await withInformer({}, async (harness) => {
      const { informer, run, signal } = harness
      void run()
      assert.equal(await waitForCacheSync(signal, informer), true)
      await informer.whenLive(signal)
      assert.equal(informer.hasSynced(), true)
    })
  })

  test('a wait that is aborted says so and leaves the informer running', async () => {
    await withInformer({ watchList: false }, async ({ source, informer, run }) => {
      source.failNext('list', { kind: 'refused' })
      void run()
      await assert.rejects(informer.whenLive(AbortSignal.abort(new Error('enough'))), /enough/)
      assert.equal(informer.status().state, 'running')
    })
  })

  test('whoever waits for an informer that is stopped before it has synced is told', async () => {
    await withInformer({ watchList: false }, async ({ source, informer, run, advance, stop }) => {
      source.failNext('list', { kind: 'refused' })
      const running = run()
      const waiting = assert.rejects(
        informer.whenLive(new AbortController().signal),
        (error) => hasCode(error, 'aborted') && error.message.includes('pods'),
      )
      await advance()
      stop()
      await running
      await waiting
    })
  })

  test('a stopped informer stays stopped, and its content can be read', async () => {
    await withInformer({}, async (harness) => {
      const { source, informer, lines, content, stop, advance } = harness
      source.add(pod('a'))
      await live(harness)
      stop()
      await advance()
      const requests = source.requests.length
      await informer.run(new AbortController().signal)
      assert.equal(source.requests.length, requests)
      assert.deepEqual(content(), ['shop/a@1'])
      assert.ok(lines.some(({ message }) => message === 'informer has run already, it is not run again'))
      assert.throws(() => informer.addHandler({}), /has stopped already/)
    })
  })

  test('a second run while it runs is logged and returns', async () => {
    await withInformer({}, async (harness) => {
      const { source, informer, signal } = harness
      await live(harness)
      await informer.run(signal)
      assert.equal(informer.status().state, 'running')
      assert.equal(source.openRequests, 1)
    })
  })
})
