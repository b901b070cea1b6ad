import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Digest, isSameSum } from '../../../src/record/digest.ts'

const object = fc.record(
  { key: fc.string(), uid: fc.uuid(), resourceVersion: fc.nat().map(String) },
  { noNullPrototype: true },
)
const objects = fc.uniqueArray(object, { selector: ({ key }) => key, maxLength: 20 })

test('a digest does not depend on the order in which objects came', () => {
  fc.assert(
    fc.property(objects, (some) => {
      assert.deepEqual(digestOf(some), digestOf(some.toReversed()))
    }),
  )
})

test('what was taken out leaves no trace', () => {
  fc.assert(
    fc.property(objects, objects, (stay, go) => {
      const digest = new Digest()
      for (const each of [...go, ...stay]) digest.add(each)
      for (const each of go) digest.remove(each)
      assert.deepEqual(digest.sum(), digestOf(stay))
    }),
  )
})

for (const change of [{ key: 'shop/cart-1' }, { uid: 'other' }, { resourceVersion: '13' }]) {
  test(`another ${Object.keys(change).join()} is another digest`, () => {
    const held = { key: 'shop/cart-0', uid: 'u-1', resourceVersion: '12' }
    assert.equal(isSameSum(digestOf([held]), digestOf([{ ...held, ...change }])), false)
  })
}

test('a key that moves from one field to the next is another digest', () => {
  const a = digestOf([{ key: 'ab', uid: 'c', resourceVersion: '1' }])
  const b = digestOf([{ key: 'a', uid: 'bc', resourceVersion: '1' }])
  assert.notDeepEqual(a, b)
})

test('no key is the sum of zeros', () => {
  assert.deepEqual(new Digest().sum(), { count: 0, digest: '0000000000000000' })
})

function digestOf(some: readonly { readonly key: string; readonly uid: string; readonly resourceVersion: string }[]) {
  const digest = new Digest()
  for (const each of some) digest.add(each)
  return digest.sum()
}
