import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMetrics } from '../../../src/base/metrics.ts'
import { createCache } from '../../../src/cache/cache.ts'
import { bytesEntry } from '../../../src/cache/entry.ts'
import { TransactionError } from '../../../src/cache/indexer.ts'
import { waitForCacheSync } from '../../../src/cache/sync-tracker.ts'
import { pod, recorder, runningCache, settled, swap, type Pod } from './support.ts'

describe('changes', () => {
  test('the cache decides what is an add and what an update', async () => {
    await using running = runningCache()
    const { cache, writer, signal } = running
    const handler = recorder()
    cache.addHandler(handler)
    await writer.apply({ kind: 'set', object: pod('a', '1') }, signal)
    await swap(running, '1', pod('a', '1'))
    await writer.apply({ kind: 'set', object: pod('a', '2') }, signal)
    await writer.apply({ kind: 'set', object: pod('b', '3') }, signal)
    await writer.apply({ kind: 'delete', object: pod('a', '4'), finalStateUnknown: false }, signal)
    await writer.apply({ kind: 'delete-key', key: 'shop/b', finalStateUnknown: true }, signal)
    await handler.count(6)
    assert.deepEqual(handler.calls, [
      'add shop/a@1 initial',
      'update shop/a@1 @1',
      'update shop/a@1 @2',
      'add shop/b@3',
      'delete shop/a@4',
      'delete shop/b@3 unknown',
    ])
    assert.equal(cache.size(), 0)
  })

  test('a handler sees cache and indexes as they are after the change', async () => {
    await using running = runningCache({ indexers: { node: (object) => [object.spec?.nodeName ?? ''] } })
    const { cache, writer, signal } = running
    const seen: unknown[] = []
    const handler = recorder(() => void seen.push([cache.get('shop/a'), cache.indexKeys('node', 'n')]))
    cache.addHandler(handler)
    const first = { ...pod('a', '1'), spec: { nodeName: 'n' } }
    await writer.apply({ kind: 'set', object: first }, signal)
    await handler.count(1)
    await writer.apply({ kind: 'delete', object: first, finalStateUnknown: false }, signal)
    await handler.count(2)
    assert.deepEqual(seen, [
      [first, ['shop/a']],
      [undefined, []],
    ])
  })

  test('#46 a swap tells deletes first, then updates and adds in its order, over the final state', async () => {
    await using running = runningCache()
    const { cache } = running
    await swap(running, '3', pod('pod-1', '1'), pod('pod-2', '2'), pod('pod-3', '3'))
    const states: string[][] = []
    const handler = recorder(() => void states.push(cache.listKeys()))
    const registration = cache.addHandler(handler)
    await registration.whenSynced(running.signal)
    handler.calls.length = 0
    states.length = 0
    await swap(running, '6', pod('pod-1', '4'), pod('pod-2', '5'), pod('pod-4', '6'))
    await handler.count(4)
    assert.deepEqual(handler.calls, [
      'delete shop/pod-3@3 unknown',
      'update shop/pod-1@1 @4',
      'update shop/pod-2@2 @5',
      'add shop/pod-4@6',
    ])
    for (const state of states) assert.deepEqual(state, ['shop/pod-1', 'shop/pod-2', 'shop/pod-4'])
    assert.equal(cache.lastSyncResourceVersion(), '6')
  })

  test('#46 a swap with nothing in it deletes everything, one into an empty cache adds', async () => {
    await using running = runningCache()
    const handler = recorder()
    running.cache.addHandler(handler)
    await swap(running, '2', pod('pod-1', '1'), pod('pod-3', '2'))
    await swap(running, '3')
    await handler.count(4)
    assert.deepEqual(handler.calls, [
      'add shop/pod-1@1 initial',
      'add shop/pod-3@2 initial',
      'delete shop/pod-1@1 unknown',
      'delete shop/pod-3@2 unknown',
    ])
  })

  test('#48 of several changes those with a key are applied as one and told, the others named', async () => {
    await using running = runningCache()
    const { cache, writer, signal } = running
    const sizes: number[] = []
    const handler = recorder(() => void sizes.push(cache.size()))
    cache.addHandler(handler)
    const broken: Pod = JSON.parse('{}')
    const applied = writer.applyAll(
      [
        { kind: 'set', object: pod('a', '1') },
        { kind: 'set', object: broken },
        { kind: 'set', object: pod('b', '2') },
      ],
      signal,
    )
    await assert.rejects(applied, (error) => {
      assert.ok(error instanceof TransactionError)
      assert.deepEqual(error.successfulIndices, [0, 2])
      assert.match(error.message, /^failed to execute \(1\/3\) transactions failed due to: \[couldn't create key/)
      return true
    })
    await handler.count(2)
    assert.deepEqual(handler.calls, ['add shop/a@1 initial', 'add shop/b@2 initial'])
    assert.deepEqual(sizes, [2, 2])
  })

  test('#49 the resourceVersion of the cache follows its objects, swaps and bookmarks', async () => {
    await using running = runningCache()
    const { cache, writer, signal } = running
    const seen = [cache.lastSyncResourceVersion()]
    const step = async (action: () => Promise<void> | void): Promise<void> => {
      await action()
      seen.push(cache.lastSyncResourceVersion())
    }
    await step(() => swap(running, '10', pod('a', '1')))
    await step(() => writer.apply({ kind: 'set', object: pod('a', '11') }, signal))
    await step(() => writer.apply({ kind: 'delete', object: pod('a', '12'), finalStateUnknown: false }, signal))
    await step(() => writer.apply({ kind: 'delete', object: pod('a', '99'), finalStateUnknown: true }, signal))
    await step(() => writer.bookmark('13'))
    assert.deepEqual(seen, ['', '10', '11', '12', '12', '13'])
  })

  test('#49 what has no metadata leaves the resourceVersion, a swap still sets it', async () => {
    const { cache, writer } = createCache<string>({ key: (text) => text })
    const { signal } = new AbortController()
    writer.bookmark('5')
    await writer.apply({ kind: 'set', object: 'text' }, signal)
    assert.equal(cache.lastSyncResourceVersion(), '5')
    await writer.beginSnapshot().initDone('7', signal)
    assert.equal(cache.lastSyncResourceVersion(), '7')
  })

  test('the delete of an unknown key is told by the rules of client-go, and not by those of a log', async () => {
    for (const [rules, calls] of [
      ['client-go', ['delete shop/a@1']],
      ['log', []],
    ] as const) {
      await using running = runningCache({ rules })
      const handler = recorder()
      running.cache.addHandler(handler)
      const { writer, signal } = running
      await writer.apply({ kind: 'delete', object: pod('a', '1'), finalStateUnknown: false }, signal)
      await writer.apply({ kind: 'delete-key', key: 'shop/b', finalStateUnknown: true }, signal)
      await settled()
      assert.deepEqual(handler.calls, calls)
    }
  })

  test('an object created anew is an update by the rules of client-go, a delete and an add by those of a log', async () => {
    const old = pod('a', '1', { uid: 'old' })
    const anew = pod('a', '2', { uid: 'new' })
    for (const [rules, calls] of [
      ['client-go', ['update shop/a@1 @2']],
      ['log', ['delete shop/a@1 unknown', 'add shop/a@2']],
    ] as const) {
      for (const write of ['apply', 'swap']) {
        await using running = runningCache({ rules })
        const handler = recorder()
        running.cache.addHandler(handler)
        await swap(running, '1', old)
        if (write === 'swap') await swap(running, '2', anew)
        else await running.writer.apply({ kind: 'set', object: anew }, running.signal)
        await settled()
        assert.deepEqual(handler.calls.slice(1), calls)
      }
    }
  })

  test('by the rules of a log the same bytes are no change and other bytes are one, whatever the resourceVersion', async () => {
    await using running = runningCache({ rules: 'log' })
    const { cache, writer, signal } = running
    const handler = recorder()
    cache.addHandler(handler)
    const write = (label: string): Promise<void> | void =>
      writer.apply({ kind: 'set-entry', entry: podEntry('a', '1', label) }, signal)
    await write('x')
    await write('x')
    await write('y')
    await settled()
    assert.deepEqual(handler.calls, ['add shop/a@1 initial', 'update shop/a@1 @1'])
    assert.equal(cache.get('shop/a')?.metadata.labels?.['app'], 'y')
  })
})

describe('a snapshot', () => {
  test('is invisible until it is done', async () => {
    await using running = runningCache()
    const { cache, writer, signal } = running
    await swap(running, '1', pod('a', '1'))
    const snapshot = writer.beginSnapshot()
    snapshot.initApply({ kind: 'set', object: pod('b', '2') })
    assert.deepEqual(cache.listKeys(), ['shop/a'])
    await writer.apply({ kind: 'set', object: pod('c', '3') }, signal)
    assert.deepEqual(cache.listKeys(), ['shop/a', 'shop/c'])
    const done = snapshot.initDone('4', signal)
    assert.deepEqual(cache.listKeys(), ['shop/b'])
    await done
  })

  test('takes deletes too, and a key stands where it was last put', async () => {
    await using running = runningCache()
    const { cache, writer, signal } = running
    const handler = recorder()
    cache.addHandler(handler)
    const snapshot = writer.beginSnapshot()
    snapshot.initApply({ kind: 'set', object: pod('a', '1') })
    snapshot.initApply({ kind: 'set', object: pod('b', '2') })
    snapshot.initApply({ kind: 'delete-key', key: 'shop/b', finalStateUnknown: false })
    snapshot.initApply({ kind: 'set', object: pod('c', '3') })
    snapshot.initApply({ kind: 'set', object: pod('a', '4') })
    await snapshot.initDone('4', signal)
    await handler.count(2)
    assert.deepEqual(handler.calls, ['add shop/c@3 initial', 'add shop/a@4 initial'])
  })

  test('is void once another one was begun or it was done', async () => {
    await using running = runningCache()
    const { cache, writer, signal } = running
    const first = writer.beginSnapshot()
    first.initApply({ kind: 'set', object: pod('a', '1') })
    const second = writer.beginSnapshot()
    await assert.rejects(first.initDone('1', signal), { code: 'usage' })
    await second.initDone('2', signal)
    await assert.rejects(second.initDone('2', signal), { code: 'usage' })
    assert.equal(cache.size(), 0)
  })

  test('syncs the cache when it is done, even an empty one', async () => {
    await using running = runningCache()
    const { cache, signal } = running
    const waiting = waitForCacheSync(signal, cache)
    assert.equal(cache.hasSynced(), false)
    await swap(running, '1')
    assert.equal(cache.hasSynced(), true)
    assert.equal(await waiting, true)
  })

  test('of a relist adds without the initial mark', async () => {
    await using running = runningCache()
    const handler = recorder()
    running.cache.addHandler(handler)
    await swap(running, '1', pod('a', '1'))
    await swap(running, '2', pod('a', '1'), pod('b', '2'))
    await handler.count(3)
    assert.deepEqual(handler.calls, ['add shop/a@1 initial', 'update shop/a@1 @1', 'add shop/b@2'])
  })
})

test('waiting for caches ends with false when the signal aborts', async () => {
  const controller = new AbortController()
  const waiting = waitForCacheSync(controller.signal, createCache().cache)
  controller.abort()
  assert.equal(await waiting, false)
})

test('a bytes-backed object is parsed on first use, once, and frozen', async () => {
  await using running = runningCache({ rules: 'log' })
  const { cache, writer, signal } = running
  await writer.apply({ kind: 'set-entry', entry: podEntry('a', '1', 'x') }, signal)
  await writer.apply(
    {
      kind: 'set-entry',
      entry: bytesEntry({ ...podEntry('b', '2', 'x'), resourceVersion: '2', bytes: Buffer.from('{') }),
    },
    signal,
  )
  assert.deepEqual(cache.indexKeys('namespace', 'shop'), ['shop/a', 'shop/b'])
  assert.throws(() => cache.get('shop/b'), { code: 'corrupt' })
  const object = cache.get('shop/a')
  assert.equal(object, cache.get('shop/a'))
  assert.ok(Object.isFrozen(object?.metadata.labels))
})

test('the last state of a deleted object stays true when the feed uses its bytes again', async () => {
  await using running = runningCache({ rules: 'log' })
  const { cache, writer, signal } = running
  const nodes: unknown[] = []
  await writer.apply({ kind: 'set-entry', entry: podEntry('a', '1', 'x') }, signal)
  cache.addHandler({ onDelete: ({ metadata }) => void nodes.push(metadata.labels?.['app']) })
  const entry = podEntry('a', '2', 'last')
  void writer.apply({ kind: 'delete-key', key: 'shop/a', entry, finalStateUnknown: false }, signal)
  entry.bytes?.fill(0)
  await settled()
  assert.deepEqual(nodes, ['last'])
})

test('the text of an object can be had unparsed, printed anew where it is not kept', async () => {
  for (const storage of ['bytes', 'object'] as const) {
    const { cache, writer } = createCache<Pod>({ rules: 'log', storage })
    const entry = podEntry('a', '1', 'x')
    await writer.apply({ kind: 'set-entry', entry }, new AbortController().signal)
    assert.equal(String(cache.getBytes('shop/a')), String(entry.bytes))
    assert.equal(cache.getBytes('shop/b'), undefined)
  }
})

test('all entries can be read at any pace: they stay as they were when the first was read', async () => {
  await using running = runningCache({ rules: 'log' })
  const { writer, signal } = running
  for (const name of ['a', 'b', 'c']) {
    await writer.apply({ kind: 'set-entry', entry: podEntry(name, '1', 'x') }, signal)
  }
  const read: string[] = []
  for (const { key, object } of writer.entries()) {
    read.push(`${key} ${object.metadata.labels?.['app'] ?? ''}`)
    await writer.apply({ kind: 'set-entry', entry: podEntry('c', '2', 'y') }, signal)
    await writer.apply({ kind: 'delete-key', key: 'shop/b', finalStateUnknown: true }, signal)
    await writer.apply({ kind: 'set-entry', entry: podEntry('d', '2', 'z') }, signal)
    await settled()
  }
  assert.deepEqual(read, ['shop/a x', 'shop/b x', 'shop/c x'])
})

test('the namespace index belongs to the cache', () => {
  assert.throws(() => createCache<Pod>({ indexers: { namespace: () => [] } }), { code: 'usage' })
})

test('indexes can be added to a running cache, not to one that has stopped', async () => {
  const running = runningCache()
  await swap(running, '1', pod('a', '1'))
  running.cache.addIndexers({ name: (object) => [object.metadata.name] })
  assert.deepEqual(running.cache.listIndexFuncValues('name'), ['a'])
  await running.stop()
  assert.throws(() => running.cache.addIndexers({ late: () => [] }), {
    message: /indexer was not added because it has stopped already$/,
  })
})

test('the gauge of objects follows the cache', async () => {
  const metrics = createMetrics()
  await using running = runningCache({ metrics, resource: 'pods' })
  await swap(running, '1', pod('a', '1'), pod('b', '1'))
  await running.writer.apply({ kind: 'delete-key', key: 'shop/a', finalStateUnknown: true }, running.signal)
  assert.match(await metrics.text(), /kubedelta_cache_objects\{resource="pods"\} 1/)
})

function podEntry(name: string, resourceVersion: string, app: string) {
  const object = pod(name, resourceVersion, { labels: { app } })
  return bytesEntry<Pod>({
    bytes: Buffer.from(JSON.stringify(object)),
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    resourceVersion,
  })
}
