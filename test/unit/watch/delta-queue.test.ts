import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ByteBudget } from '../../../src/base/byte-budget.ts'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { DeltaQueue, type DeltaQueueOptions } from '../../../src/watch/delta-queue.ts'
import type { Popped } from '../../../src/watch/delta-queue-popped.ts'
import type { ListReason } from '../../../src/watch/delta.ts'

interface Thing {
  readonly name: string
  readonly value: number
}

interface Setup {
  readonly known?: readonly Thing[]
  readonly knownKeysOnly?: boolean
  readonly limit?: number
  readonly maxEntries?: number
}

const { signal } = new AbortController()

function setUp({ known = [], knownKeysOnly = false, limit = 1_000, maxEntries }: Setup = {}): {
  queue: DeltaQueue<Thing>
  store: Map<string, Thing>
  budget: ByteBudget
} {
  const store = new Map(known.map((thing) => [thing.name, thing]))
  const budget = new ByteBudget(limit)
  const options: DeltaQueueOptions<Thing> = {
    keyOf: (thing) => thing.name,
    sizeOf: () => 10,
    knownKeys: knownKeysOnly ? { has: (key) => store.has(key), keys: () => store.keys() } : store,
    budget,
    ...(maxEntries === undefined ? {} : { maxEntries }),
  }
  return { queue: new DeltaQueue<Thing>(options), store, budget }
}

function thing(name: string, value = 1): Thing {
  return { name, value }
}

async function replace(
  queue: DeltaQueue<Thing>,
  things: readonly Thing[],
  reason: ListReason = 'initial',
): Promise<void> {
  queue.begin(reason)
  for (const each of things) await queue.item(each, signal)
  queue.end('100')
}

/** `added 1`, `deleted 2`, `missed 2` (with the last state known), `missed ?` (without). */
function told(popped: Popped<Thing> | undefined): string {
  assert.ok(popped !== undefined, 'the queue is empty')
  if (popped.kind !== 'deltas') return `${popped.kind} ${popped.resourceVersion}`
  const deltas = popped.deltas.map((delta) => {
    const value = delta.object?.value ?? '?'
    return delta.kind === 'deleted' && delta.finalStateUnknown ? `missed ${value}` : `${delta.kind} ${value}`
  })
  return `${popped.key}: ${deltas.join(', ')}`
}

function drain(queue: DeltaQueue<Thing>): string[] {
  const all: string[] = []
  for (let popped = queue.tryPop(); popped !== undefined; popped = queue.tryPop()) {
    all.push(told(popped))
    popped.release()
  }
  return all
}

/** Resolves once everything that was ready to run has run. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('lists', () => {
  test('#30 a list after a delete keeps the delete before what is listed', async () => {
    const { queue } = setUp({ known: [thing('foo', 10)] })
    await queue.delete(thing('foo', 10), signal)
    await replace(queue, [thing('foo', 11)])
    assert.deepEqual(drain(queue), ['foo: deleted 10, replaced 11', 'listed 100'])
  })

  const histories: Array<[string, (queue: DeltaQueue<Thing>) => Promise<void>, string]> = [
    [
      'added',
      async (queue) => {
        await queue.add(thing('foo', 1), signal)
        await replace(queue, [])
      },
      'foo: added 1, missed 1',
    ],
    [
      'added and listed',
      async (queue) => {
        await queue.add(thing('foo', 1), signal)
        await replace(queue, [thing('foo', 1)])
        await replace(queue, [])
      },
      'foo: added 1, replaced 1, missed 1',
    ],
    [
      'added and deleted',
      async (queue) => {
        await queue.add(thing('foo', 1), signal)
        await queue.delete(thing('foo', 1), signal)
        await replace(queue, [])
      },
      'foo: added 1, deleted 1',
    ],
    [
      'added and listed twice',
      async (queue) => {
        await queue.add(thing('foo', 1), signal)
        await replace(queue, [thing('foo', 1)])
        await replace(queue, [thing('foo', 1)])
        await replace(queue, [])
      },
      'foo: added 1, replaced 1, replaced 1, missed 1',
    ],
    [
      'added and missing twice',
      async (queue) => {
        await queue.add(thing('foo', 1), signal)
        await replace(queue, [])
        await replace(queue, [])
      },
      'foo: added 1, missed 1',
    ],
    [
      'added, deleted, added',
      async (queue) => {
        await queue.add(thing('foo', 1), signal)
        await queue.delete(thing('foo', 1), signal)
        await queue.add(thing('foo', 2), signal)
        await replace(queue, [])
      },
      'foo: added 1, deleted 1, added 2, missed 2',
    ],
  ]
  for (const [name, history, expected] of histories) {
    test(`#31 a list deletes what is only queued once, with its newest state: ${name}`, async () => {
      const { queue } = setUp()
      await history(queue)
      assert.equal(drain(queue)[0], expected)
    })
  }

  test('#32 a list deletes what is known and not listed', async () => {
    const { queue } = setUp({ known: [thing('foo', 5), thing('bar', 6), thing('baz', 7)] })
    await queue.delete(thing('baz', 10), signal)
    await replace(queue, [thing('foo', 5)])
    assert.deepEqual(drain(queue), ['baz: deleted 10', 'foo: replaced 5', 'bar: missed 6', 'listed 100'])
  })

  test('a missed delete carries no object where only keys are known', async () => {
    const { queue } = setUp({ known: [thing('foo')], knownKeysOnly: true })
    await replace(queue, [])
    assert.deepEqual(drain(queue), ['foo: missed ?', 'listed 100'])
  })

  test('a missed delete says why the list was made', async () => {
    const { queue } = setUp({ known: [thing('foo')] })
    await replace(queue, [], 'expired')
    const popped = queue.tryPop()
    assert.ok(popped?.kind === 'deltas')
    assert.deepEqual(popped.deltas, [
      { kind: 'deleted', object: thing('foo'), finalStateUnknown: true, reason: 'expired' },
    ])
  })

  test('a list without end deletes nothing and is forgotten by the next', async () => {
    const { queue } = setUp({ known: [thing('foo'), thing('bar')] })
    queue.begin('initial')
    await queue.item(thing('foo', 2), signal)
    await replace(queue, [thing('bar', 2)])
    assert.deepEqual(drain(queue), ['foo: replaced 2, missed 2', 'bar: replaced 2', 'listed 100'])
  })

  test('what is deleted after it was listed does not count as listed', async () => {
    const { queue } = setUp({ known: [thing('foo', 1)] })
    queue.begin('initial')
    await queue.item(thing('foo', 1), signal)
    await queue.item(thing('bar', 1), signal)
    const foo = queue.tryPop()
    await queue.delete(thing('foo', 2), signal)
    await queue.delete(thing('bar', 2), signal)
    await queue.add(thing('baz', 3), signal)
    queue.end('100')
    foo?.release()
    assert.deepEqual(drain(queue), ['bar: replaced 1, deleted 2', 'foo: deleted 2', 'baz: added 3', 'listed 100'])
  })

  test('what is popped and not released counts as known', async () => {
    const { queue } = setUp()
    await queue.add(thing('foo', 1), signal)
    const foo = queue.tryPop()
    await queue.delete(thing('foo', 2), signal)
    assert.deepEqual(drain(queue), ['foo: deleted 2'])
    await queue.add(thing('bar', 3), signal)
    const bar = queue.tryPop()
    await replace(queue, [])
    assert.deepEqual(drain(queue), ['foo: missed 1', 'bar: missed 3', 'listed 100'].slice(1))
    foo?.release()
    bar?.release()
  })

  test('what is popped as deleted and not released is not deleted again by a list', async () => {
    const { queue, store } = setUp({ known: [thing('foo')] })
    await queue.delete(thing('foo', 2), signal)
    const popped = queue.tryPop()
    await replace(queue, [])
    store.delete('foo')
    popped?.release()
    assert.deepEqual(drain(queue), ['listed 100'])
  })

  test('parts of a list without its begin are a bug', () => {
    const { queue } = setUp()
    assert.throws(() => queue.item(thing('foo'), signal), { code: 'internal' })
    assert.throws(() => queue.end('1'), { code: 'internal' })
  })
})

describe('order and dedup', () => {
  test('#33 a delete of an unknown key queues nothing', async () => {
    const { queue, budget } = setUp()
    await queue.delete(thing('foo'), signal)
    assert.equal(queue.size, 0)
    assert.equal(budget.used, 0)
  })

  test('#34 an update before a resync is shown alone', async () => {
    const { queue } = setUp({ known: [thing('foo', 5)] })
    await queue.update(thing('foo', 6), signal)
    queue.resync()
    assert.deepEqual(drain(queue), ['foo: updated 6'])
  })

  test('a resync shows what is known, but nothing that is being processed', async () => {
    const { queue } = setUp({ known: [thing('foo', 5), thing('bar', 6)] })
    await queue.update(thing('foo', 7), signal)
    const popped = queue.tryPop()
    queue.resync()
    popped?.release()
    assert.deepEqual(drain(queue), ['bar: sync 6'])
  })

  test('a resync shows nothing where only keys are known', () => {
    const { queue } = setUp({ known: [thing('foo')], knownKeysOnly: true })
    queue.resync()
    assert.equal(queue.size, 0)
  })

  test('#35 a resync does not show what is queued as deleted', async () => {
    const { queue } = setUp({ known: [thing('foo', 5)] })
    await queue.delete(thing('foo', 10), signal)
    queue.resync()
    assert.deepEqual(drain(queue), ['foo: deleted 10'])
  })

  test('#36 a key added again while queued keeps its place', async () => {
    const { queue } = setUp()
    for (const each of [thing('foo', 10), thing('bar', 1), thing('foo', 11), thing('foo', 13), thing('zab', 30)]) {
      await queue.add(each, signal)
    }
    assert.equal(told(queue.tryPop()), 'foo: added 10, added 11, added 13')
    await queue.add(thing('foo', 14), signal)
    assert.deepEqual(drain(queue), ['bar: added 1', 'zab: added 30', 'foo: added 14'])
  })

  test('two deletes in a row are one, the one with a final state', async () => {
    const { queue } = setUp({ known: [thing('foo', 1)] })
    await replace(queue, [])
    await queue.delete(thing('foo', 2), signal)
    await queue.delete(thing('foo', 3), signal)
    assert.deepEqual(drain(queue), ['foo: deleted 2', 'listed 100'])
  })

  test('a bookmark is popped after everything that was put before it', async () => {
    const { queue } = setUp()
    await queue.add(thing('foo', 1), signal)
    queue.bookmark('5')
    queue.bookmark('6')
    await queue.add(thing('bar', 1), signal)
    await queue.update(thing('foo', 2), signal)
    queue.bookmark('9')
    assert.deepEqual(drain(queue), ['foo: added 1, updated 2', 'bookmark 6', 'bar: added 1', 'bookmark 9'])
  })
})

describe('synced', () => {
  const rows: Array<[string, boolean, (queue: DeltaQueue<Thing>) => Promise<void>]> = [
    ['nothing happened', false, async () => {}],
    ['an add alone, unlike client-go: no list has ended', false, async (queue) => queue.add(thing('a'), signal)],
    ['an empty list that was not processed, as in the atomic FIFO', false, (queue) => replace(queue, [])],
    [
      'an empty list, processed',
      true,
      async (queue) => {
        await replace(queue, [])
        drain(queue)
      },
    ],
    ['a list of two', false, (queue) => replace(queue, [thing('a'), thing('b')])],
    [
      'a list of two, one processed',
      false,
      async (queue) => {
        await replace(queue, [thing('a'), thing('b')])
        queue.tryPop()?.release()
      },
    ],
    [
      'a list of two, both and its end processed',
      true,
      async (queue) => {
        await replace(queue, [thing('a'), thing('b')])
        drain(queue)
        await queue.add(thing('c'), signal)
      },
    ],
  ]
  for (const [name, expected, act] of rows) {
    test(`#37 synced is ${expected}: ${name}`, async () => {
      const { queue } = setUp()
      await act(queue)
      assert.equal(queue.hasSynced, expected)
    })
  }

  test('#38 synced once the deletes of the first list are processed too, all of them initial', async () => {
    const { queue } = setUp({ known: [thing('foo'), thing('bar'), thing('baz')] })
    await replace(queue, [thing('foo')])
    for (let left = 4; left > 0; left--) {
      assert.equal(queue.hasSynced, false)
      const popped = queue.tryPop()
      assert.equal(popped?.initial, true)
      popped.release()
    }
    assert.equal(queue.hasSynced, true)
    await queue.add(thing('later'), signal)
    assert.equal(queue.tryPop()?.initial, false)
  })

  test('synced waits for what is popped and not released', async () => {
    const { queue } = setUp()
    let synced = false
    const waiting = queue.whenSynced(signal).then(() => (synced = true))
    await replace(queue, [thing('a')])
    const first = queue.tryPop()
    queue.tryPop()?.release()
    await settled()
    assert.equal(synced, false)
    first?.release()
    await waiting
    await queue.whenSynced(signal)
  })

  test('waiting for synced ends when aborted', async () => {
    const { queue } = setUp()
    const reason = new Error('enough')
    await assert.rejects(queue.whenSynced(AbortSignal.abort(reason)), reason)
    const later = new AbortController()
    const waiting = queue.whenSynced(later.signal)
    later.abort(reason)
    await assert.rejects(waiting, reason)
  })
})

describe('bounds', () => {
  test('#39 each object is measured once, a missed delete not at all', async () => {
    const measured: number[] = []
    const store = new Map([['gone', thing('gone', 9)]])
    const queue = new DeltaQueue<Thing>({
      keyOf: (each) => each.name,
      sizeOf: (each) => (measured.push(each.value), 10),
      knownKeys: store,
      budget: new ByteBudget(1_000),
    })
    await queue.add(thing('foo', 1), signal)
    await queue.update(thing('foo', 2), signal)
    await queue.delete(thing('foo', 3), signal)
    await replace(queue, [thing('bar', 4)])
    drain(queue)
    assert.deepEqual(measured, [1, 2, 3, 4])
  })

  test('a put waits for bytes until what holds them is released', async () => {
    const { queue, budget } = setUp({ limit: 20 })
    assert.equal(queue.add(thing('a'), signal), undefined)
    assert.equal(queue.add(thing('b'), signal), undefined)
    const put = queue.add(thing('c'), signal)
    const a = queue.tryPop()
    await settled()
    assert.equal(queue.size, 1)
    a?.release()
    a?.release()
    await put
    assert.equal(budget.used, 20)
    drain(queue)
    assert.equal(budget.used, 0)
  })

  test('bytes that are given back before the release are not given back again by it', async () => {
    const { queue, budget } = setUp({ limit: 20 })
    await queue.add(thing('a'), signal)
    await queue.update(thing('a', 2), signal)
    const a = queue.tryPop()
    assert.ok(a?.kind === 'deltas')
    a.giveBack(10)
    assert.equal(budget.used, 10)
    a.giveBack(100)
    assert.equal(budget.used, 0)
    a.release()
    assert.equal(budget.used, 0)
  })

  test('a put waits for an entry until one is popped', async () => {
    const { queue } = setUp({ maxEntries: 2 })
    await queue.add(thing('a'), signal)
    await queue.update(thing('a', 2), signal)
    const put = queue.add(thing('b'), signal)
    await settled()
    assert.equal(queue.size, 2)
    assert.equal(told(queue.tryPop()), 'a: added 1, updated 2')
    await put
    assert.deepEqual(drain(queue), ['b: added 1'])
  })

  test('missed deletes and resyncs never wait', async () => {
    const { queue, budget } = setUp({ known: [thing('a'), thing('b'), thing('c')], maxEntries: 1, limit: 1 })
    await replace(queue, [])
    assert.deepEqual(drain(queue), ['a: missed 1', 'b: missed 1', 'c: missed 1', 'listed 100'])
    queue.resync()
    assert.deepEqual(drain(queue), ['a: sync 1', 'b: sync 1', 'c: sync 1'])
    assert.equal(budget.used, 0)
  })

  test('a delete that adds nothing gives its bytes back', async () => {
    const { queue, budget } = setUp({ known: [thing('foo')] })
    await queue.delete(thing('foo', 2), signal)
    await queue.delete(thing('foo', 3), signal)
    assert.equal(budget.used, 10)
  })

  test('a waiting put ends when aborted and holds nothing', async () => {
    for (const setup of [{ limit: 10 }, { maxEntries: 1 }]) {
      const { queue, budget } = setUp(setup)
      const { signal: own, abort } = abortable()
      await queue.add(thing('a'), own)
      const put = queue.add(thing('b'), own)
      const reason = new Error('enough')
      abort(reason)
      await assert.rejects(Promise.resolve(put), reason)
      assert.deepEqual(drain(queue), ['a: added 1'])
      assert.equal(budget.used, 0)
    }
  })

  test('a bound below one entry is refused', () => {
    assert.throws(() => setUp({ maxEntries: 0 }), RangeError)
  })
})

describe('closing', () => {
  test('#40 blocked pops end when the queue is closed', async () => {
    const { queue } = setUp()
    const pops = Array.from({ length: 10 }, () => queue.pop(signal))
    queue.close()
    assert.deepEqual(await Promise.all(pops), Array.from({ length: 10 }))
  })

  test('pops go on after close until the queue is empty', async () => {
    const { queue } = setUp()
    await queue.add(thing('a'), signal)
    queue.close()
    assert.equal(told(await queue.pop(signal)), 'a: added 1')
    assert.equal(await queue.pop(signal), undefined)
  })

  test('a pop waits for what is put', async () => {
    const { queue } = setUp()
    const pop = queue.pop(signal)
    await queue.add(thing('a'), signal)
    assert.equal(told(await pop), 'a: added 1')
    const bookmark = queue.pop(signal)
    queue.bookmark('3')
    assert.equal(told(await bookmark), 'bookmark 3')
  })

  test('a blocked pop ends when aborted', async () => {
    const { queue } = setUp()
    const { signal: own, abort } = abortable()
    const pop = queue.pop(own)
    const reason = new Error('enough')
    abort(reason)
    await assert.rejects(pop, reason)
  })

  test('puts fail once the queue is closed, waiting ones too', async () => {
    for (const setup of [{ limit: 10 }, { maxEntries: 1 }]) {
      const { queue, budget } = setUp(setup)
      await queue.add(thing('a'), signal)
      const put = Promise.resolve(queue.add(thing('b'), signal))
      queue.close()
      await assert.rejects(put, isClosed)
      assert.throws(() => queue.add(thing('c'), signal), isClosed)
      assert.throws(() => queue.bookmark('1'), isClosed)
      assert.throws(() => queue.resync(), isClosed)
      drain(queue)
      assert.equal(budget.used, 0)
    }
  })

  test('disposing gives back the bytes of what nobody popped', async () => {
    const { queue, budget } = setUp()
    {
      using disposed = queue
      await disposed.add(thing('a'), signal)
      await disposed.update(thing('a', 2), signal)
    }
    assert.equal(budget.used, 0)
  })
})

function abortable(): { readonly signal: AbortSignal; readonly abort: (reason: Error) => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) }
}

function isClosed(error: unknown): boolean {
  return error instanceof KubedeltaError && error.code === 'aborted'
}
