import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from '../../../src/testing/simulated/json.ts'
import { Store } from '../../../src/testing/simulated/store.ts'

function store(historyLimit = 100): Store {
  return new Store({ resourceVersion: 10, historyLimit })
}

function put(target: Store, key: string, collection = 'pods'): void {
  target.write({ collection, key, make: (resourceVersion) => ({ metadata: { name: key, resourceVersion } }) })
}

function remove(target: Store, key: string): void {
  target.write({ collection: 'pods', key, make: undefined })
}

function keysAt(target: Store, version: number): readonly string[] {
  return target
    .collection('pods')
    .entriesAt(version)
    .map(({ key, version: each }) => `${key}@${each}`)
}

test('all collections share one counter, which deletes raise too', () => {
  const target = store()
  put(target, 'a')
  put(target, 'b', 'nodes')
  remove(target, 'a')
  assert.equal(target.version, 13)
})

test('a collection shows every state that it remembers, in the order of keys', () => {
  const target = store()
  put(target, 'b')
  put(target, 'a')
  put(target, 'b')
  remove(target, 'a')
  assert.deepEqual(
    [10, 11, 12, 13, 14].map((version) => keysAt(target, version)),
    [[], ['b@11'], ['a@12', 'b@11'], ['a@12', 'b@13'], ['b@13']],
  )
})

test('a collection gives the changes after a version, oldest first, no more than asked for', () => {
  const target = store()
  for (const key of ['a', 'b', 'c']) put(target, key)
  const versions = (after: number, limit: number): readonly number[] =>
    target
      .collection('pods')
      .changesAfter(after, limit)
      .map(({ version }) => version)
  assert.deepEqual(versions(10, 9), [11, 12, 13])
  assert.deepEqual(versions(11, 1), [12])
  assert.deepEqual(versions(13, 9), [])
})

test('a collection forgets what is over its limit', () => {
  const target = store(3)
  for (let index = 0; index < 50; index += 1) put(target, 'a')
  const { oldest } = target.collection('pods')
  assert.ok(oldest >= target.version - 6 && oldest <= target.version - 3, String(oldest))
})

test('a forgotten history is that of collections without changes too', () => {
  const target = store()
  put(target, 'a')
  target.forgetHistory()
  assert.equal(target.collection('pods').oldest, 11)
  assert.equal(target.collection('nodes').oldest, 11)
  assert.deepEqual(keysAt(target, 11), ['a@11'])
})

test('integers keep their digits through parse and print', () => {
  const text =
    '{"small":1,"large":9007199254740993,"negative":-9223372036854775808,"text":"9007199254740993","real":1.5}'
  assert.equal(JSON.stringify(parseJson(text)), text)
})
