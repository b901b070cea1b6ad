// What handlers hear, replayed, is what the cache holds: for handlers from the start, late, slow, failing and resynced ones.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createCache } from '../../src/cache/cache.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

interface Thing {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string }
}

type Step =
  | { readonly kind: 'set' | 'delete'; readonly name: string; readonly again: boolean }
  | { readonly kind: 'swap'; readonly names: readonly string[] }
  | { readonly kind: 'forget' | 'sync'; readonly name: string }
  | { readonly kind: 'resync' | 'addHandler' }

const name = fc.constantFrom('a', 'b', 'c')
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('set' as const, 'delete' as const), name, again: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('swap' as const), names: fc.uniqueArray(name) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('forget' as const, 'sync' as const), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('resync' as const, 'addHandler' as const) }) },
)

/** A handler's view of the cache, built from its calls alone; any call that does not fit what it heard before fails the test. */
class View implements Handler<Thing> {
  readonly things = new Map<string, Thing>()
  readonly mistakes: string[] = []
  readonly #rules: 'client-go' | 'log'
  readonly #pace: number
  #calls = 0

  constructor(rules: 'client-go' | 'log', pace: number) {
    this.#rules = rules
    this.#pace = pace
  }

  onAdd(object: Thing): void | Promise<void> {
    if (this.things.has(object.metadata.name)) this.mistakes.push(`add of known ${object.metadata.name}`)
    this.things.set(object.metadata.name, object)
    return this.#return()
  }

  onUpdate(before: Thing, after: Thing): void | Promise<void> {
    if (this.things.get(after.metadata.name) !== before)
      this.mistakes.push(`update of ${after.metadata.name} from another state`)
    if (this.#rules === 'log' && before.metadata.uid !== after.metadata.uid) this.mistakes.push('update to another uid')
    this.things.set(after.metadata.name, after)
    return this.#return()
  }

  onDelete(object: Thing): void | Promise<void> {
    const known = this.things.delete(object.metadata.name)
    if (!known && this.#rules === 'log') this.mistakes.push(`delete of unknown ${object.metadata.name}`)
    return this.#return()
  }

  /** Returns at once, later, or fails, in turn. */
  #return(): void | Promise<void> {
    this.#calls += 1
    if (this.#pace > 0 && this.#calls % this.#pace === 0) return new Promise((resolve) => setImmediate(resolve))
    if (this.#pace > 1 && this.#calls % this.#pace === 1) throw new Error('now and then')
  }
}

test('the calls of any handler, replayed, are the cache, and follow each key from state to state', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 15 }),
      fc.constantFrom('client-go' as const, 'log' as const),
      fc.array(fc.record({ pace: fc.integer({ min: 0, max: 3 }), holdBackAt: fc.integer({ min: 1, max: 4 }) }), {
        minLength: 3,
        maxLength: 3,
      }),
      async (steps, rules, paces) => {
        const { cache, writer, run } = createCache<Thing>({ rules, clock: new ManualClock() })
        const controller = new AbortController()
        const { signal } = controller
        const running = run(signal)
        const views: View[] = []
        const addHandler = (): void => {
          const { pace, holdBackAt } = paces[views.length % paces.length] ?? { pace: 0, holdBackAt: 1 }
          const view = new View(rules, pace)
          views.push(view)
          cache.addHandler(view, { holdBackAt })
        }
        addHandler()
        let version = 0
        const thing = (of: string, again: boolean): Thing => {
          version += 1
          const held = cache.get(of)?.metadata
          // An object created anew has another uid; one that is shown again keeps even its resourceVersion.
          const uid = version % 5 === 0 ? `uid-${version}` : (held?.uid ?? 'uid')
          const resourceVersion = again && held !== undefined ? held.resourceVersion : String(version)
          return { metadata: { name: of, uid, resourceVersion } }
        }
        for (const current of steps) {
          switch (current.kind) {
            case 'set':
              await writer.apply({ kind: 'set', object: thing(current.name, current.again) }, signal)
              break
            case 'delete': {
              const object = thing(current.name, current.again)
              await writer.apply({ kind: 'delete', object, finalStateUnknown: current.again }, signal)
              break
            }
            case 'forget':
              await writer.apply({ kind: 'delete-key', key: current.name, finalStateUnknown: true }, signal)
              break
            case 'swap': {
              const snapshot = writer.beginSnapshot()
              for (const of of current.names) snapshot.initApply({ kind: 'set', object: thing(of, version % 2 === 0) })
              await snapshot.initDone(String(version), signal)
              break
            }
            case 'sync':
              await writer.sync(current.name, 'due', signal)
              break
            case 'resync':
              await writer.resync(signal)
              break
            case 'addHandler':
              addHandler()
              break
            default:
              current satisfies never
          }
        }
        await drained(views, cache.list())
        controller.abort()
        await running
      },
    ),
    { numRuns: 3_000 },
  )
})

/** Waits until each view has heard everything, which shows as equality: what fails to become equal fails with its difference. */
async function drained(views: readonly View[], expected: readonly Thing[]): Promise<void> {
  const wanted = new Map(expected.map((object) => [object.metadata.name, object]))
  for (let turn = 0; turn < 100 && !views.every(({ things }) => isSame(things, wanted)); turn += 1) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const { things, mistakes } of views) {
    assert.deepEqual(mistakes, [])
    assert.deepEqual(things, wanted)
  }
}

function isSame(a: ReadonlyMap<string, Thing>, b: ReadonlyMap<string, Thing>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}
