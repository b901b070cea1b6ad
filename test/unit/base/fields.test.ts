import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, entriesAt, isFields, listAt, numberAt, textAt, textsAt } from '../../../src/base/fields.ts'

const pod: unknown = {
  metadata: { name: 'cart', labels: { tier: 'web', app: 'cart' } },
  spec: { replicas: 3, args: ['--listen', 8080, '--verbose'] },
}

test('a value is found at the end of its path, and nothing where the path breaks off', () => {
  assert.equal(at(pod, 'metadata', 'name'), 'cart')
  assert.equal(at(pod, 'metadata', 'name', 'first'), undefined)
  assert.equal(at(pod, 'status', 'phase'), undefined)
  assert.equal(at(null, 'metadata'), undefined)
})

test('what an object inherits is no member of it', () => {
  assert.equal(at(pod, 'constructor'), undefined)
  assert.equal(at(pod, 'metadata', 'toString'), undefined)
})

test('what is missing or of another type reads as empty', () => {
  assert.deepEqual([textAt(pod, 'spec', 'replicas'), textAt(pod, 'metadata', 'name')], ['', 'cart'])
  assert.deepEqual([numberAt(pod, 'metadata', 'name'), numberAt(pod, 'spec', 'replicas')], [0, 3])
  assert.deepEqual([listAt(pod, 'metadata'), listAt(pod, 'spec', 'args').length], [[], 3])
  assert.deepEqual(textsAt(pod, 'spec', 'args'), ['--listen', '--verbose'])
})

test('names and values come sorted by name', () => {
  const labels = [
    ['app', 'cart'],
    ['tier', 'web'],
  ]
  assert.deepEqual(entriesAt(pod, 'metadata', 'labels'), labels)
  assert.deepEqual(entriesAt(pod, 'spec', 'replicas'), [])
})

test('only an object with members counts as fields', () => {
  assert.deepEqual([{}, [], null, 'text', 7, undefined].map(isFields), [true, false, false, false, false, false])
})
