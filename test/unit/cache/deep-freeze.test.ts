import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deepFreeze } from '../../../src/cache/deep-freeze.ts'

test('freezes what is below a value that came in frozen', () => {
  const inner = { list: [{ text: 'x' }] }
  deepFreeze(Object.freeze({ inner }))
  assert.throws(() => (inner.list = []), TypeError)
  assert.throws(() => inner.list.push({ text: 'y' }), TypeError)
  assert.ok(Object.isFrozen(inner.list[0]))
})

test('ends on a cycle', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = { cycle }
  assert.ok(Object.isFrozen(deepFreeze(cycle).self))
})

test('leaves primitives and buffers as they are', () => {
  assert.equal(deepFreeze('text'), 'text')
  assert.equal(deepFreeze(null), null)
  const buffer = Buffer.from('x')
  assert.equal(deepFreeze({ buffer }).buffer, buffer)
})

test('does not recurse, however deep the value', () => {
  let deep: unknown = 'leaf'
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep]
  assert.ok(Object.isFrozen(deepFreeze(deep)))
})
