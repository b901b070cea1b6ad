import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ByteBudget } from '../../src/base/byte-budget.ts'
import { DeltaQueue } from '../../src/watch/delta-queue.ts'
import type { Popped } from '../../src/watch/delta-queue-popped.ts'

interface Thing {
  readonly key: string
  readonly version: number
}

type Action =
  | { readonly kind: 'put'; readonly key: string }
  | { readonly kind: 'delete'; readonly key: string }
  | {
      readonly kind: 'list'
      readonly lost: readonly string[]
      readonly gone: readonly string[]
      readonly ends: boolean
    }
  | { readonly kind: 'bookmark' }
  | { readonly kind: 'pop' }
  | { readonly kind: 'release'; readonly newest: boolean }

const keys = fc.constantFrom('a', 'b', 'c', 'd')
const actions = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('put' as const), key: keys }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: keys }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('list' as const),
        lost: fc.uniqueArray(keys),
        gone: fc.uniqueArray(keys),
        ends: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('bookmark' as const) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('pop' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), newest: fc.boolean() }) },
  ),
  { maxLength: 40 },
)

const { signal } = new AbortController()

/** A cluster, the queue, and a consumer that may know what it popped only later, out of order between keys. */
class World {
  readonly cluster = new Map<string, Thing>()
  readonly known = new Map<string, Thing>()
  readonly budget = new ByteBudget(60)
  readonly queue: DeltaQueue<Thing>
  readonly held: Array<Popped<Thing>> = []
  readonly applied = new Map<string, Thing | undefined>()
  // Versions that were put and not popped yet; deletes are not counted, as they may be one too many.
  readonly #unpopped = new Set<number>()
  // What may not be unpopped when a barrier is popped, by the barrier's resourceVersion.
  readonly #before = new Map<string, ReadonlySet<number>>()
  readonly #lost = new Set<string>()
  #version = 0
  #listed = false

  constructor() {
    this.queue = new DeltaQueue<Thing>({
      keyOf: (thing) => thing.key,
      sizeOf: () => 10,
      knownKeys: this.known,
      budget: this.budget,
      maxEntries: 5,
    })
  }

  act(action: Action): Promise<void> | void {
    switch (action.kind) {
      case 'put': {
        const isNew = !this.cluster.has(action.key)
        const thing = this.#change(action.key)
        this.cluster.set(action.key, thing)
        this.#unpopped.add(thing.version)
        return isNew ? this.queue.add(thing, signal) : this.queue.update(thing, signal)
      }
      case 'delete':
        if (!this.cluster.delete(action.key)) return
        return this.queue.delete(this.#change(action.key), signal)
      case 'list':
        return this.#list(action)
      case 'bookmark': {
        this.queue.bookmark(this.#barrier())
        return
      }
      case 'pop':
        return this.pop()
      case 'release':
        return this.release(action.newest)
    }
    return action satisfies never
  }

  /** Deletes that no watch saw, then a list of what is left, with deletes seen while it streams in. */
  async #list({ lost, gone, ends }: Extract<Action, { kind: 'list' }>): Promise<void> {
    for (const key of lost) if (this.cluster.delete(key)) this.#lost.add(key)
    this.queue.begin(this.#listed ? 'expired' : 'initial')
    const things = [...this.cluster.values()]
    for (const thing of ends ? things : things.slice(0, 1)) await this.queue.item(thing, signal)
    for (const key of gone) await this.act({ kind: 'delete', key })
    if (!ends) return
    this.queue.end(this.#barrier())
    this.#listed = true
    this.#lost.clear()
  }

  /** Whether the cluster has lost objects without anything having been put since that would tell. */
  get hasSecrets(): boolean {
    return this.#lost.size > 0
  }

  pop(): void {
    const popped = this.queue.tryPop()
    if (popped === undefined) return
    this.held.push(popped)
    if (popped.kind !== 'deltas') {
      const before = this.#before.get(popped.resourceVersion)
      assert.ok(before !== undefined, 'a barrier that was not put')
      for (const version of before) assert.ok(!this.#unpopped.has(version), 'a barrier before what it stands after')
      return
    }
    assert.ok(popped.deltas.length > 0)
    for (const delta of popped.deltas) {
      this.#follow(popped.key, delta.object, delta)
      if (delta.kind === 'deleted' || delta.object === undefined) continue
      const isNews = this.#unpopped.delete(delta.object.version)
      assert.ok(isNews || delta.kind === 'replaced', 'the same change twice')
    }
    for (const [index, delta] of popped.deltas.entries()) {
      const before = popped.deltas[index - 1]
      assert.ok(delta.kind !== 'deleted' || before?.kind !== 'deleted', 'two deletes in a row')
    }
  }

  // Versions of one key never go back, whatever way they came.
  #follow(key: string, object: Thing | undefined, delta: { readonly kind: string }): void {
    const before = this.applied.get(key)
    if (object !== undefined && before !== undefined) {
      assert.ok(object.version >= before.version, `${key} went back from ${before.version} to ${object.version}`)
    }
    assert.ok(delta.kind !== 'deleted' || !this.applied.has(key) || before !== undefined, `${key} deleted twice`)
    this.applied.set(key, delta.kind === 'deleted' ? undefined : object)
  }

  /** Applies what is held to what is known. One key's are applied in order. */
  release(newest: boolean): void {
    const index = newest ? this.#lastOfItsKey() : 0
    const [popped] = this.held.splice(index, 1)
    if (popped === undefined) return
    if (popped.kind === 'deltas') {
      const last = popped.deltas.at(-1)
      if (last === undefined || last.kind === 'deleted') this.known.delete(popped.key)
      else this.known.set(popped.key, last.object)
    }
    popped.release()
  }

  #lastOfItsKey(): number {
    const last = this.held.at(-1)
    if (last?.kind !== 'deltas') return 0
    const first = this.held.findIndex((popped) => popped.kind === 'deltas' && popped.key === last.key)
    return first < 0 ? 0 : first
  }

  #barrier(): string {
    const resourceVersion = String(++this.#version)
    this.#before.set(resourceVersion, new Set(this.#unpopped))
    return resourceVersion
  }

  /** Whether everything put was popped. */
  get isAllPopped(): boolean {
    return this.#unpopped.size === 0
  }

  #change(key: string): Thing {
    return { key, version: ++this.#version }
  }
}

test('delta queue leads the consumer to the state of the cluster, key by key in order, within its bounds', async () => {
  await fc.assert(
    fc.asyncProperty(actions, async (script) => {
      const world = new World()
      for (const action of script) await withConsumer(world, action)
      const isFirst = !script.some((action) => action.kind === 'list' && action.ends)
      assert.ok(!isFirst || !world.queue.hasSynced, 'synced without a list')
      drain(world)
      if (!world.hasSecrets) assertSame(world)
      await withConsumer(world, { kind: 'list', lost: [], gone: [], ends: true })
      if (isFirst) assert.equal(world.queue.hasSynced, false)
      drain(world)
      assertSame(world)
      assert.ok(world.isAllPopped, 'a change was lost')
      assert.equal(world.budget.used, 0)
      assert.equal(world.queue.hasSynced, true)
    }),
    { numRuns: 10_000 },
  )
})

/** Does an action; while a put in it waits, the consumer goes on. */
async function withConsumer(world: World, action: Action): Promise<void> {
  const progress = { isDone: false }
  const acting = Promise.resolve(world.act(action)).then(() => (progress.isDone = true))
  for (let turn = 0; ; turn++) {
    for (let tick = 0; tick < 8; tick++) await Promise.resolve()
    if (progress.isDone) break
    assert.ok(turn < 100, 'a put waits although everything was released')
    world.pop()
    world.release(false)
  }
  await acting
  assert.ok(world.budget.used <= world.budget.limit)
}

function drain(world: World): void {
  for (; world.queue.size > 0 || world.held.length > 0; world.release(false)) world.pop()
}

function assertSame({ known, cluster }: World): void {
  assert.deepEqual(known, cluster)
}
