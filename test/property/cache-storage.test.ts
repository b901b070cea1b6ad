// A cache over each storage against a map: content, indexes, what handlers hear, and that nothing is kept that nobody needs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { bytesStorage } from '../../src/cache/bytes-storage.ts'
import { createCache } from '../../src/cache/cache.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { ABSENT, KeyTable } from '../../src/cache/key-table.ts'
import { objectStorage } from '../../src/cache/object-storage.ts'
import type { Snapshot } from '../../src/cache/writer.ts'
import { thingEntry, type Thing } from '../conformance/object-storage.ts'

type Step =
  | {
      readonly kind: 'set' | 'stage'
      readonly name: string
      readonly namespace: string
      readonly length: number
      readonly version: string
    }
  | { readonly kind: 'delete' | 'unstage'; readonly name: string; readonly namespace: string }
  | { readonly kind: 'begin' | 'swap' | 'addHandler' | 'addIndex' | 'read' | 'turn' }

const name = fc.constantFrom('a', 'b')
const namespace = fc.constantFrom('', 'shop')
const length = fc.constantFrom(1, 2, 70_000)
// Few, so that some states come again as they were.
const version = fc.constantFrom('1', '2')
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constantFrom('set' as const, 'stage' as const), name, namespace, length, version }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('delete' as const, 'unstage' as const), name, namespace }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('begin' as const, 'swap' as const, 'addHandler' as const, 'addIndex' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'turn' as const) }) },
)

/** What a handler's calls add up to. */
class View implements Handler<Thing> {
  readonly things = new Map<string, Thing>()
  readonly mistakes: string[] = []

  onAdd(object: Thing): void {
    if (this.things.has(keyOf(object))) this.mistakes.push(`add of known ${keyOf(object)}`)
    this.things.set(keyOf(object), object)
  }

  onUpdate(before: Thing, after: Thing): void {
    if (!isDeepStrictEqual(this.things.get(keyOf(before)), before)) this.mistakes.push('update from another state')
    this.things.set(keyOf(after), after)
  }

  onDelete(object: Thing): void {
    if (!this.things.delete(keyOf(object))) this.mistakes.push(`delete of unknown ${keyOf(object)}`)
  }
}

function keyOf({ metadata }: Thing): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
}

const storages = {
  bytes: () => bytesStorage<Thing>(),
  'bytes without a memo': () => bytesStorage<Thing>({ memoObjects: 0 }),
  object: () => objectStorage<Thing>(),
}

for (const [mode, create] of Object.entries(storages)) {
  test(`a cache over ${mode} is what was written, its indexes and handlers too, and it keeps nothing else`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25, size: 'max' }),
        fc.constantFrom('client-go' as const, 'log' as const),
        async (steps, rules) => {
          const { cache, writer, run } = createCache<Thing>({ rules, storage: create() })
          const controller = new AbortController()
          const { signal } = controller
          const running = run(signal)
          const shown = new Map<string, Thing>()
          const staged = new Map<string, Thing>()
          const views: View[] = []
          let snapshot: Snapshot<Thing> | undefined
          const reads: Array<Iterator<unknown>> = []
          for (const [index, current] of steps.entries()) {
            switch (current.kind) {
              case 'set':
              case 'stage': {
                const entry = thingEntry(current.name, current.version, {
                  namespace: current.namespace,
                  text: 'x'.repeat(current.length),
                })
                const change = { kind: 'set-entry', entry } as const
                if (current.kind === 'set') void writer.apply(change, signal)
                else snapshot?.initApply(change)
                const target = current.kind === 'set' ? shown : staged
                target.set(entry.key, JSON.parse(String(entry.bytes)))
                break
              }
              case 'delete':
              case 'unstage': {
                const key = current.namespace === '' ? current.name : `${current.namespace}/${current.name}`
                const change = { kind: 'delete-key', key, finalStateUnknown: true } as const
                if (current.kind === 'delete') void writer.apply(change, signal)
                else snapshot?.initApply(change)
                const target = current.kind === 'delete' ? shown : staged
                target.delete(key)
                break
              }
              case 'begin':
                snapshot = writer.beginSnapshot()
                staged.clear()
                break
              case 'swap':
                if (snapshot === undefined) break
                void snapshot.initDone(String(index), signal)
                snapshot = undefined
                shown.clear()
                for (const [key, object] of staged) shown.set(key, object)
                break
              case 'addHandler': {
                const view = new View()
                views.push(view)
                cache.addHandler(view)
                break
              }
              case 'addIndex':
                if (index % 2 === 0) cache.addIndexers({ [`by-${index}`]: (object) => [String(object.text.length)] })
                else cache.addIndexers({ [`by-${index}`]: ({ metadata }) => [metadata.name, metadata.uid] })
                break
              case 'read': {
                // Begun and left open for a while: what it reads later is as it was.
                const read = writer.entries()[Symbol.iterator]()
                read.next()
                reads.push(read)
                break
              }
              case 'turn':
                await turn()
                break
              default:
                current satisfies never
            }
            if (snapshot === undefined) staged.clear()
            assert.ok(
              isDeepStrictEqual(new Map(cache.list().map((object) => [keyOf(object), object])), shown),
              'what was written',
            )
            assert.equal(cache.size(), shown.size)
            assert.deepEqual(cache.checkIndexes(), [])
          }
          for (const read of reads) while (read.next().done !== true);
          writer.beginSnapshot()
          for (let turns = 0; turns < 5; turns += 1) await turn()
          for (const { things, mistakes } of views) {
            assert.deepEqual(mistakes, [])
            assert.ok(isDeepStrictEqual(things, shown), 'what a handler heard')
          }
          for (const [key, object] of shown) {
            assert.ok(isDeepStrictEqual(cache.get(key), object))
            assert.ok(String(cache.getBytes(key)) === JSON.stringify(object))
          }
          assert.equal(cache.usage().states, shown.size, 'nothing is kept that nobody needs')
          controller.abort()
          await running
        },
      ),
      { numRuns: 500 },
    )
  })
}

test('a key table is a map that keeps the order in which keys came', () => {
  const key = fc.nat(30).map((number) => `key-${number}`)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('set', 'set', 'delete'), key), { maxLength: 200, size: 'max' }),
      (steps) => {
        const keys: string[] = []
        const table = new KeyTable((slot) => keys[slot] ?? '')
        const model = new Map<string, number>()
        for (const [kind, of] of steps) {
          const before = model.get(of) ?? ABSENT
          if (kind === 'set') {
            assert.equal(table.set(of, keys.push(of) - 1), before)
            model.set(of, keys.length - 1)
          } else {
            assert.equal(table.delete(of), before)
            model.delete(of)
          }
          assert.equal(table.size, model.size)
        }
        assert.deepEqual([...table.slots()], [...model.values()])
        for (let number = 0; number <= 30; number += 1) {
          assert.equal(table.get(`key-${number}`), model.get(`key-${number}`) ?? ABSENT)
        }
      },
    ),
    { numRuns: 1_000 },
  )
})
