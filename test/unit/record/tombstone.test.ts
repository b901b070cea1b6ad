import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTombstone, tombstoneHeaders } from '../../../src/record/tombstone.ts'

const tombstone = { uid: 'u-1', resourceVersion: '10482', epoch: 3 }

test('a tombstone names uid, resourceVersion and epoch in its headers', () => {
  assert.deepEqual(tombstoneHeaders(tombstone), [
    { name: 'uid', value: 'u-1' },
    { name: 'resourceVersion', value: '10482' },
    { name: 'epoch', value: '3' },
  ])
  assert.deepEqual(parseTombstone(tombstoneHeaders(tombstone)), tombstone)
})

test('a tombstone of another producer names nothing', () => {
  assert.equal(parseTombstone([]), undefined)
  assert.equal(parseTombstone([...tombstoneHeaders(tombstone), { name: 'epoch', value: 'x' }]), undefined)
})
