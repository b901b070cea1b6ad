// Store and indexes against a model without any index: a map, searched anew for each question.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createIndexer, type Indexer } from '../../src/cache/indexer.ts'

/** Throws when indexed by what stands in `poisons`. */
interface Item {
  readonly key: string
  readonly values: readonly string[]
  readonly poisons: readonly string[]
}

type Step =
  | { readonly kind: 'add' | 'update' | 'delete'; readonly item: Item }
  | { readonly kind: 'replace' | 'transaction'; readonly items: readonly Item[] }
  | { readonly kind: 'addIndexers'; readonly names: readonly string[] }

const VALUES = ['x', 'y', 'z']
const INDEXES = ['first', 'second', 'third']

const item: fc.Arbitrary<Item> = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd'),
  values: fc.array(fc.constantFrom(...VALUES), { maxLength: 3 }),
  poisons: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.subarray(INDEXES, { minLength: 1, maxLength: 1 })),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('add' as const, 'update' as const), item }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), item }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('replace' as const, 'transaction' as const),
      items: fc.array(item, { maxLength: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('addIndexers' as const), names: fc.subarray(INDEXES, { minLength: 1 }) }),
  },
)

/** Indexes by the item's values, those of `second` doubled by a suffix. */
function indexFunction(name: string) {
  return ({ values, poisons }: Item): readonly string[] => {
    if (poisons.includes(name)) throw new Error(`poisoned for ${name}`)
    return name === 'second' ? values.flatMap((value) => [value, `${value}${value}`]) : values
  }
}

interface Model {
  readonly items: Map<string, Item>
  readonly indexes: Set<string>
}

function applyTo(indexer: Indexer<Item>, model: Model, current: Step): void {
  switch (current.kind) {
    case 'add':
    case 'update':
      indexer[current.kind](current.item)
      model.items.set(current.item.key, current.item)
      return
    case 'delete':
      indexer.delete(current.item)
      model.items.delete(current.item.key)
      return
    case 'replace':
      indexer.replace(current.items, '1')
      model.items.clear()
      for (const object of current.items) model.items.set(object.key, object)
      return
    case 'transaction':
      indexer.transaction(
        current.items.map((object, index) => ({ kind: index % 2 === 0 ? 'set' : 'delete', object }) as const),
      )
      for (const [index, object] of current.items.entries()) {
        if (index % 2 === 0) model.items.set(object.key, object)
        else model.items.delete(object.key)
      }
      return
    case 'addIndexers': {
      const added = Object.fromEntries(current.names.map((name) => [name, indexFunction(name)]))
      const refused = current.names.some(
        (name) => model.indexes.has(name) || [...model.items.values()].some(({ poisons }) => poisons.includes(name)),
      )
      if (refused) assert.throws(() => indexer.addIndexers(added), /indexer conflict|unable to calculate/)
      else {
        indexer.addIndexers(added)
        for (const name of current.names) model.indexes.add(name)
      }
      return
    }
    default:
      current satisfies never
  }
}

function compare(indexer: Indexer<Item>, model: Model): void {
  assert.deepEqual(indexer.listKeys().toSorted(), [...model.items.keys()].toSorted())
  for (const [key, object] of model.items) assert.equal(indexer.getByKey(key), object)
  assert.deepEqual(Object.keys(indexer.getIndexers()).toSorted(), [...model.indexes].toSorted())
  for (const name of model.indexes) {
    const expected = new Map<string, Set<string>>()
    for (const object of model.items.values()) {
      if (object.poisons.includes(name)) continue
      for (const value of indexFunction(name)(object)) {
        expected.set(value, (expected.get(value) ?? new Set()).add(object.key))
      }
    }
    assert.deepEqual(indexer.listIndexFuncValues(name).toSorted(), [...expected.keys()].toSorted())
    for (const value of [...VALUES, 'xx']) {
      const keys = [...(expected.get(value) ?? [])].toSorted()
      assert.deepEqual(indexer.indexKeys(name, value), keys)
      const found = indexer.byIndex(name, value).map(({ key }) => key)
      assert.deepEqual(found.toSorted(), keys)
    }
    const any: Item = { key: 'absent', values: VALUES, poisons: [] }
    const indexed = new Set([...expected.values()].flatMap((keys) => [...keys]))
    assert.deepEqual(
      indexer
        .index(name, any)
        .map(({ key }) => key)
        .toSorted(),
      [...indexed].toSorted(),
    )
  }
}

test('store and indexes equal a search through all objects, whatever is written and whichever index function throws', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const indexer = createIndexer<Item>({ key: ({ key }) => key, indexers: { first: indexFunction('first') } })
      const model: Model = { items: new Map(), indexes: new Set(['first']) }
      for (const current of steps) {
        applyTo(indexer, model, current)
        compare(indexer, model)
      }
    }),
    { numRuns: 10_000 },
  )
})
