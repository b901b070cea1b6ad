// The table of keys says what a Map says, whatever is put, moved and deleted, in the order in which a Map would have it.

import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ABSENT, KeyTable } from '../../src/cache/key-table.ts'

const key = fc.nat(40).map((number) => `shop/cart-${number}`)
const step = fc.record({ kind: fc.constantFrom('set', 'move', 'move', 'delete'), key })

test('keys have the slots and the order that a Map gives them', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const keys: string[] = []
      const table = new KeyTable((slot) => keys[slot] ?? '')
      const model = new Map<string, number>()
      for (const { kind, key: changed } of steps) {
        const before = model.get(changed) ?? ABSENT
        if (kind !== 'set') model.delete(changed)
        if (kind === 'delete') {
          assert.equal(table.delete(changed), before)
        } else {
          const slot = keys.push(changed) - 1
          model.set(changed, slot)
          assert.equal(kind === 'set' ? table.set(changed, slot) : table.move(changed, slot), before)
        }
        assert.equal(table.get(changed), model.get(changed) ?? ABSENT)
        assert.equal(table.size, model.size)
        assert.deepEqual([...table.slots()], [...model.values()])
      }
    }),
    { numRuns: 1_000 },
  )
})
