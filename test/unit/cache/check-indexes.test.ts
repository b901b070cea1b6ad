import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCache } from '../../../src/cache/cache.ts'
import { pod, type Pod } from './support.ts'

const { signal } = new AbortController()

test('indexes that follow their functions show no difference', async () => {
  const { cache, writer } = createCache<Pod>({ indexers: { node: (object) => [object.spec?.nodeName ?? ''] } })
  await writer.apply({ kind: 'set', object: pod('a', '1') }, signal)
  await writer.apply({ kind: 'set', object: pod('b', '2') }, signal)
  await writer.apply({ kind: 'delete-key', key: 'shop/a', finalStateUnknown: true }, signal)
  assert.deepEqual(cache.checkIndexes(), [])
})

test('an index whose function changed its mind shows where it is wrong', async () => {
  let node = 'before'
  const { cache, writer } = createCache<Pod>({ indexers: { node: () => [node] } })
  await writer.apply({ kind: 'set', object: pod('a', '1') }, signal)
  node = 'after'
  assert.deepEqual(cache.checkIndexes(), [
    { index: 'node', value: 'after', key: 'shop/a', problem: 'missing' },
    { index: 'node', value: 'before', key: 'shop/a', problem: 'extra' },
  ])
})

test('an object on which the function throws belongs into no value', async () => {
  const failing = { fails: false }
  const { cache, writer } = createCache<Pod>({
    indexers: {
      node: () => {
        if (failing.fails) throw new Error('no idea')
        return ['n']
      },
    },
  })
  await writer.apply({ kind: 'set', object: pod('a', '1') }, signal)
  failing.fails = true
  assert.deepEqual(cache.checkIndexes(), [{ index: 'node', value: 'n', key: 'shop/a', problem: 'extra' }])
  await writer.apply({ kind: 'set', object: pod('a', '2') }, signal)
  assert.deepEqual(cache.checkIndexes(), [])
})
