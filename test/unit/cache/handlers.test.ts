import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMetrics } from '../../../src/base/metrics.ts'
import { createCache } from '../../../src/cache/cache.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { keptLog, pod, recorder, runningCache, settled, swap, type Pod } from './support.ts'

/** A promise that a test resolves, to keep a handler busy. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { passed: promise, open: resolve }
}

describe('registrations', () => {
  test('#55 removing one of several leaves the others, removing again changes nothing', async () => {
    await using running = runningCache()
    const [first, second] = [recorder(), recorder()]
    const removed = running.cache.addHandler(first)
    running.cache.addHandler(second)
    await swap(running, '1', pod('a', '1'))
    await second.count(1)
    await first.count(1)
    removed.remove()
    removed.remove()
    await running.writer.apply({ kind: 'set', object: pod('a', '2') }, running.signal)
    await second.count(2)
    assert.equal(first.calls.length, 1)
  })

  test('#55 one handler registered twice is called twice until one registration is removed', async () => {
    await using running = runningCache()
    const handler = recorder()
    const once = running.cache.addHandler(handler)
    running.cache.addHandler(handler)
    await swap(running, '1', pod('a', '1'))
    await handler.count(2)
    once.remove()
    await running.writer.apply({ kind: 'set', object: pod('b', '2') }, running.signal)
    await settled()
    assert.deepEqual(handler.calls, ['add shop/a@1 initial', 'add shop/a@1 initial', 'add shop/b@2'])
  })

  test('#55 a registration of another cache is not touched', async () => {
    await using running = runningCache()
    await using other = runningCache()
    const handler = recorder()
    running.cache.addHandler(handler)
    other.cache.addHandler(handler).remove()
    await swap(running, '1', pod('a', '1'))
    await handler.count(1)
  })

  test('#55 removal drops what is buffered and lets the call under way return', async () => {
    await using running = runningCache()
    const busy = gate()
    const handler = recorder(() => busy.passed)
    const registration = running.cache.addHandler(handler)
    await swap(running, '1', pod('a', '1'), pod('b', '1'))
    await handler.count(1)
    registration.remove()
    busy.open()
    await settled()
    assert.deepEqual(handler.calls, ['add shop/a@1 initial'])
  })

  test('#56 a cache that has stopped takes no handler', async () => {
    const running = runningCache()
    await running.stop()
    assert.throws(() => running.cache.addHandler(recorder(), { name: 'late' }), {
      code: 'usage',
      message: /handler late was not added to shared informer because it has stopped already$/,
    })
  })

  test('#56 a registration can be removed when the cache has stopped', async () => {
    const running = runningCache()
    const registration = running.cache.addHandler(recorder())
    await running.stop()
    registration.remove()
  })

  test('options out of range are refused at once', () => {
    const { cache } = createCache<Pod>()
    assert.throws(() => cache.addHandler({}, { holdBackAt: 0 }), RangeError)
    assert.throws(() => cache.addHandler({}, { resyncMs: -1 }), RangeError)
    assert.throws(() => createCache({ resyncMs: Number.NaN }), RangeError)
  })
})

describe('late handlers', () => {
  test('#57 one added while the cache is active gets its content as initial adds, then what changes', async () => {
    await using running = runningCache()
    const early = recorder()
    running.cache.addHandler(early)
    await swap(running, '2', pod('a', '1'), pod('b', '2'))
    await early.count(2)
    const late = recorder()
    running.cache.addHandler(late)
    await running.writer.apply({ kind: 'set', object: pod('a', '3') }, running.signal)
    await running.writer.apply({ kind: 'set', object: pod('c', '4') }, running.signal)
    await late.count(4)
    assert.deepEqual(late.calls, ['add shop/a@1 initial', 'add shop/b@2 initial', 'update shop/a@1 @3', 'add shop/c@4'])
    assert.deepEqual(early.calls.slice(2), ['update shop/a@1 @3', 'add shop/c@4'])
  })

  test('#57 each handler has synced once its own initial adds have returned, not before', async () => {
    await using running = runningCache()
    const { cache, signal } = running
    const busy = gate()
    const [quick, slow] = [recorder(), recorder(() => busy.passed)]
    const [quickOne, slowOne] = [cache.addHandler(quick), cache.addHandler(slow)]
    await settled()
    assert.equal(quickOne.hasSynced(), false)
    await swap(running, '2', pod('a', '1'), pod('b', '2'))
    await quickOne.whenSynced(signal)
    await slow.count(1)
    assert.deepEqual([cache.hasSynced(), slowOne.hasSynced()], [true, false])
    busy.open()
    await slowOne.whenSynced(signal)
    assert.equal(slow.calls.length, 2)

    const late = recorder()
    const lateOne = cache.addHandler(late)
    assert.equal(lateOne.hasSynced(), false)
    await lateOne.whenSynced(signal)
    assert.equal(late.calls.length, 2)
  })

  test('#57 handlers added before the cache runs miss nothing', async () => {
    const handler = recorder()
    await using running = runningCache({}, (cache) => void cache.addHandler(handler))
    await swap(running, '1', pod('a', '1'))
    await handler.count(1)
  })

  test('in an empty cache that has synced a handler has synced at once', async () => {
    await using running = runningCache()
    await swap(running, '1')
    assert.equal(running.cache.addHandler(recorder()).hasSynced(), true)
  })
})

describe('failures', () => {
  test('#58 a handler that throws is logged and counted for each change, and the next one comes without a pause', async () => {
    const log = keptLog()
    const metrics = createMetrics()
    // A clock that nobody advances: whoever paused would never be called again.
    const clock = new ManualClock()
    await using running = runningCache({ log, metrics, clock, resource: 'pods' })
    const failing = recorder((call) => {
      if (call.startsWith('add')) throw new Error('no adds please')
    })
    const rejecting = recorder(async () => {
      throw new Error('not at all')
    })
    const other = recorder()
    const registration = running.cache.addHandler(failing, { name: 'sync' })
    running.cache.addHandler(rejecting, { name: 'async' })
    running.cache.addHandler(other)
    await swap(running, '2', pod('a', '1'), pod('b', '2'))
    await running.writer.apply({ kind: 'set', object: pod('a', '3') }, running.signal)
    for (const handler of [failing, rejecting, other]) await handler.count(3)
    await settled()

    assert.equal(clock.sleepers, 0)
    assert.equal(registration.hasSynced(), true)
    const failures = log.lines.filter(({ message }) => message === 'handler failed').map(({ fields }) => fields)
    assert.deepEqual(
      failures.filter(({ handler }) => handler === 'sync').map(({ key, change }) => [key, change]),
      [
        ['shop/a', 'add'],
        ['shop/b', 'add'],
      ],
    )
    assert.equal(failures.filter(({ handler }) => handler === 'async').length, 3)
    const text = await metrics.text()
    assert.match(text, /kubedelta_cache_handler_errors_total\{resource="pods",handler="sync"\} 2/)
    assert.match(text, /kubedelta_cache_handler_errors_total\{resource="pods",handler="async"\} 3/)
  })
})

describe('order and back-pressure', () => {
  test('asynchronous handlers are awaited, one call at a time, in order', async () => {
    await using running = runningCache()
    let underWay = 0
    let most = 0
    const handler = recorder(async () => {
      underWay += 1
      most = Math.max(most, underWay)
      await settled()
      underWay -= 1
    })
    running.cache.addHandler(handler)
    await swap(running, '1', pod('a', '1'))
    for (const version of ['2', '3', '4']) {
      await running.writer.apply({ kind: 'set', object: pod('a', version) }, running.signal)
    }
    await handler.count(4)
    assert.equal(most, 1)
    assert.deepEqual(handler.calls.slice(1), ['update shop/a@1 @2', 'update shop/a@2 @3', 'update shop/a@3 @4'])
  })

  test('a full buffer holds back the feed until it is down to half, other handlers go on meanwhile', async () => {
    await using running = runningCache()
    const { cache, writer, signal } = running
    const gates = Array.from({ length: 8 }, gate)
    let next = 0
    const slow = recorder(() => gates[next++]?.passed)
    const quick = recorder()
    cache.addHandler(slow, { holdBackAt: 4 })
    cache.addHandler(quick)
    const write = (version: number): Promise<void> | void =>
      writer.apply({ kind: 'set', object: pod('a', String(version)) }, signal)
    assert.equal(write(1), undefined)
    await slow.count(1)
    for (const version of [2, 3, 4]) assert.equal(write(version), undefined)
    let free = false
    const held = Promise.resolve(write(5)).then(() => (free = true))
    await quick.count(5)
    gates[0]?.open()
    await slow.count(2)
    await settled()
    assert.equal(free, false)
    gates[1]?.open()
    await held
    assert.equal(slow.calls.length, 3)
    for (const { open } of gates) open()
    await slow.count(5)
    assert.deepEqual(slow.calls, quick.calls)
  })

  test('a swap holds back the feed even when it exceeds the buffer by far, and reaches the handler whole', async () => {
    await using running = runningCache()
    const handler = recorder()
    running.cache.addHandler(handler, { holdBackAt: 2 })
    await swap(running, '1', ...Array.from({ length: 3_000 }, (_, index) => pod(`p${index}`, '1')))
    await handler.count(3_000)
  })

  test('a handler that holds back its feed for 30 s is named once in a warning', async () => {
    const log = keptLog()
    const clock = new ManualClock()
    await using running = runningCache({ log, clock, resource: 'pods' })
    const busy = gate()
    const handler = recorder(() => busy.passed)
    running.cache.addHandler(handler, { name: 'slow', holdBackAt: 1 })
    const held = swap(running, '1', pod('a', '1'), pod('b', '1'), pod('c', '1'))
    await clock.waitForSleepers(1)
    await clock.advance(29_999)
    assert.deepEqual(log.lines, [])
    await clock.advance(60_000)
    assert.deepEqual(
      log.lines.map(({ level, message, fields }) => [level, message, fields['handler'], fields['resource']]),
      [['warn', 'handler holds back its feed', 'slow', 'pods']],
    )
    busy.open()
    await held
    assert.equal(clock.sleepers, 0)
  })

  test('a feed that waits goes on when the handler is removed', async () => {
    await using running = runningCache({ clock: new ManualClock() })
    const busy = gate()
    const handler = recorder(() => busy.passed)
    const registration = running.cache.addHandler(handler, { holdBackAt: 1 })
    const held = swap(running, '1', pod('a', '1'), pod('b', '1'))
    await handler.count(1)
    registration.remove()
    await held
    busy.open()
  })

  test('a feed that waits can be aborted; what it wrote stands', async () => {
    const clock = new ManualClock()
    const { cache, writer } = createCache<Pod>({ clock })
    cache.addHandler(recorder(), { holdBackAt: 1 })
    const controller = new AbortController()
    const held = writer.apply({ kind: 'set', object: pod('a', '1') }, controller.signal)
    controller.abort(new Error('enough'))
    await assert.rejects(Promise.resolve(held), { message: 'enough' })
    assert.equal(cache.size(), 1)
    assert.equal(clock.sleepers, 0)
  })
})

describe('life', () => {
  test('stopping drops what is buffered and waits for the call under way', async () => {
    const running = runningCache()
    const busy = gate()
    const handler = recorder(() => busy.passed)
    running.cache.addHandler(handler)
    await swap(running, '1', pod('a', '1'), pod('b', '1'))
    await handler.count(1)
    let ended = false
    const stopped = running.stop().then(() => (ended = true))
    await settled()
    assert.equal(ended, false)
    busy.open()
    await stopped
    assert.equal(handler.calls.length, 1)
    assert.equal(running.writer.apply({ kind: 'set', object: pod('c', '2') }, new AbortController().signal), undefined)
    assert.equal(running.cache.size(), 3)
  })

  test('a cache runs once: a second run is logged and returns', async () => {
    const log = keptLog()
    const { run } = createCache<Pod>({ log })
    const controller = new AbortController()
    const running = run(controller.signal)
    await run(controller.signal)
    controller.abort()
    await running
    await run(new AbortController().signal)
    assert.deepEqual(
      log.lines.map(({ level }) => level),
      ['warn', 'warn'],
    )
  })

  test('a cache that is run with an aborted signal ends at once', async () => {
    const { cache, run } = createCache<Pod>()
    cache.addHandler(recorder())
    await run(AbortSignal.abort())
    assert.throws(() => cache.addHandler({}), /stopped already$/)
  })
})

describe('filters', () => {
  const green = (object: Pod): boolean => object.metadata.labels?.['color'] === 'green'
  const colored = (version: string, color: string): Pod => pod('a', version, { labels: { color } })

  test('an object that begins to pass is added, one that ceases to is deleted as it last passed', async () => {
    await using running = runningCache()
    const handler = recorder()
    running.cache.addHandler(handler, { filter: green })
    await swap(running, '1', colored('1', 'red'), pod('b', '1', { labels: { color: 'green' } }))
    for (const object of [colored('2', 'green'), colored('3', 'green'), colored('4', 'red'), colored('5', 'red')]) {
      await running.writer.apply({ kind: 'set', object }, running.signal)
    }
    await running.writer.apply(
      { kind: 'delete', object: colored('6', 'red'), finalStateUnknown: false },
      running.signal,
    )
    await running.writer.apply({ kind: 'delete-key', key: 'shop/b', finalStateUnknown: true }, running.signal)
    await handler.count(5)
    assert.deepEqual(handler.calls, [
      'add shop/b@1 initial',
      'add shop/a@2',
      'update shop/a@2 @3',
      'delete shop/a@3',
      'delete shop/b@1 unknown',
    ])
  })

  test('what a filter hides counts as handled for the sync', async () => {
    await using running = runningCache()
    const registration = running.cache.addHandler(recorder(), { filter: () => false })
    await swap(running, '1', pod('a', '1'))
    await registration.whenSynced(running.signal)
  })

  test('a filter that throws is a handler that throws', async () => {
    const log = keptLog()
    await using running = runningCache({ log })
    const handler = recorder()
    running.cache.addHandler(handler, {
      filter: (object) => {
        if (object.metadata.name === 'a') throw new Error('no idea')
        return true
      },
    })
    await swap(running, '1', pod('a', '1'), pod('b', '1'))
    await handler.count(1)
    assert.deepEqual(handler.calls, ['add shop/b@1 initial'])
    assert.equal(log.lines.length, 1)
  })
})

test('each method of a handler may be left out', async () => {
  await using running = runningCache()
  const deleted: string[] = []
  running.cache.addHandler({})
  running.cache.addHandler({ onDelete: (object) => void deleted.push(object.metadata.name) })
  await swap(running, '1', pod('a', '1'))
  await swap(running, '2', pod('b', '2'))
  await settled()
  assert.deepEqual(deleted, ['a'])
})
