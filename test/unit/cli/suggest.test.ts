import assert from 'node:assert/strict'
import { test } from 'node:test'
import { didYouMean, nearest, nearestFew } from '../../../src/cli/suggest.ts'

const flags = ['resources', 'resync', 'namespace', 'to']

test('a slip of two edits finds the word', () => {
  assert.equal(nearest('resorces', flags), 'resources')
  assert.equal(nearest('namepsace', flags), 'namespace')
  assert.equal(nearest('Resync', flags), 'resync')
})

test('a word unlike all others finds nothing', () => {
  assert.equal(nearest('leader-elect', flags), undefined)
  assert.equal(didYouMean('leader-elect', flags), '')
})

test('the nearest come first, and no more than asked for', () => {
  assert.deepEqual(nearestFew('kubedelta.prod.pod', ['kubedelta.prod.jobs.batch', 'kubedelta.prod.pods', 'other'], 1), [
    'kubedelta.prod.pods',
  ])
})

test('the hint carries the dashes of a flag', () =>
  assert.equal(didYouMean('rsync', flags, '--'), ': did you mean --resync'))
