import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isKeyOf, keyOf, splitKey } from '../../../src/object/key.ts'

describe('a key', () => {
  test('is that of the namespace and name it was made of, and of no others', () => {
    const names = ['', 'a', 'b', 'ab', 'a/b', 'shop', 'é', 'kube-system']
    const pairs = names.flatMap((namespace) => names.map((name) => ({ namespace, name })))
    for (const made of pairs) {
      const key = keyOf(made.namespace, made.name)
      for (const { namespace, name } of pairs) {
        assert.equal(isKeyOf(key, namespace, name), keyOf(namespace, name) === key, `${key}: ${namespace} ${name}`)
      }
    }
  })

  test('of cluster scope is the name', () => {
    for (const none of ['', null, undefined]) assert.ok(isKeyOf('node-1', none, 'node-1'))
    assert.equal(isKeyOf('/node-1', '', 'node-1'), false)
  })

  test('splits into namespace and name', () => {
    assert.deepEqual(splitKey('shop/cart-0'), { namespace: 'shop', name: 'cart-0' })
    assert.deepEqual(splitKey('node-1'), { namespace: '', name: 'node-1' })
  })

  test('with more than one slash splits into nothing', () => {
    assert.throws(() => splitKey('a/b/c'), {
      code: 'usage',
      message: /wanted namespace\/name or name: current value is "a\/b\/c"/,
    })
  })
})
