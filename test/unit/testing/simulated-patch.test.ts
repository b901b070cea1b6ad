import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { jsonPatch } from '../../../src/testing/simulated/json-patch.ts'
import type { Json } from '../../../src/testing/simulated/json.ts'
import { mergePatch, strategicMergePatch } from '../../../src/testing/simulated/merge-patch.ts'

type Row = readonly [claim: string, target: Json, patch: Json, wanted: Json]

const pod = { containers: [{ name: 'a', image: 'a:1', ports: [{ containerPort: 80 }] }, { name: 'b' }], nodeName: 'n' }

const MERGES: readonly Row[] = [
  ['sets and removes members', { a: 1, b: { c: 1, d: 1 } }, { b: { c: null, e: 2 } }, { a: 1, b: { d: 1, e: 2 } }],
  ['replaces lists', { a: [1, 2] }, { a: [3] }, { a: [3] }],
  ['puts an object in place of a value', { a: 1 }, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
]

const STRATEGIC: readonly Row[] = [
  [
    'merges items of the same key',
    pod,
    { containers: [{ name: 'a', image: 'a:2' }] },
    { ...pod, containers: [{ name: 'a', image: 'a:2', ports: [{ containerPort: 80 }] }, { name: 'b' }] },
  ],
  [
    'adds items of a new key',
    pod,
    { containers: [{ name: 'c' }] },
    { ...pod, containers: [{ name: 'c' }, ...pod.containers] },
  ],
  [
    'removes items by directive',
    pod,
    { containers: [{ name: 'a', $patch: 'delete' }] },
    { ...pod, containers: [{ name: 'b' }] },
  ],
  [
    'replaces lists by directive',
    pod,
    { containers: [{ $patch: 'replace' }, { name: 'z' }] },
    { ...pod, containers: [{ name: 'z' }] },
  ],
  ['replaces objects by directive', { a: { b: 1 } }, { a: { $patch: 'replace', c: 1 } }, { a: { c: 1 } }],
  ['keeps only what is retained', { a: { b: 1, c: 1 } }, { a: { $retainKeys: ['c'], c: 2 } }, { a: { c: 2 } }],
  [
    'merges finalizers as sets',
    { finalizers: ['a', 'b'] },
    { finalizers: ['b', 'c'] },
    { finalizers: ['a', 'b', 'c'] },
  ],
  [
    'removes finalizers by directive',
    { finalizers: ['a', 'b'] },
    { '$deleteFromPrimitiveList/finalizers': ['a'] },
    { finalizers: ['b'] },
  ],
  ['replaces lists that have no key', { args: ['a'] }, { args: ['b'] }, { args: ['b'] }],
  ['removes members', { a: 1, b: 2 }, { a: null }, { b: 2 }],
]

// Of the appendix of RFC 6902, and of kubectl.
const OPERATIONS: readonly Row[] = [
  ['adds a member', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
  ['adds into a list', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
  ['adds at the end of a list', { a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
  ['replaces within a list', { a: [{ b: 1 }] }, [{ op: 'replace', path: '/a/0/b', value: 2 }], { a: [{ b: 2 }] }],
  ['removes', { a: 1, b: [1, 2] }, [{ op: 'remove', path: '/b/0' }], { a: 1, b: [2] }],
  ['unescapes names', { 'a/b~': 1 }, [{ op: 'replace', path: '/a~1b~0', value: 2 }], { 'a/b~': 2 }],
  ['moves', { a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
  ['copies', { a: 1 }, [{ op: 'copy', from: '/a', path: '/b' }], { a: 1, b: 1 }],
  ['tests', { a: { b: 1, c: 2 } }, [{ op: 'test', path: '/a', value: { c: 2, b: 1 } }], { a: { b: 1, c: 2 } }],
]

const REFUSED: ReadonlyArray<readonly [claim: string, patch: Json]> = [
  ['a test that fails', [{ op: 'test', path: '/a', value: 2 }]],
  ['the removal of what is not there', [{ op: 'remove', path: '/b' }]],
  ['the replacement of what is not there', [{ op: 'replace', path: '/b', value: 1 }]],
  ['a path through what is not there', [{ op: 'add', path: '/b/c', value: 1 }]],
  ['an index beyond the end', [{ op: 'add', path: '/list/2', value: 1 }]],
  ['an unknown operation', [{ op: 'turn', path: '/a' }]],
  ['what is no list', { op: 'add' }],
]

describe('a merge patch', () => {
  for (const [claim, target, patch, wanted] of MERGES) {
    test(claim, () => assert.deepEqual(mergePatch(target, patch), wanted))
  }
})

describe('a strategic merge patch', () => {
  for (const [claim, target, patch, wanted] of STRATEGIC) {
    test(claim, () => assert.deepEqual(strategicMergePatch(target, patch), wanted))
  }
})

describe('a JSON patch', () => {
  for (const [claim, target, patch, wanted] of OPERATIONS) {
    test(claim, () => assert.deepEqual(jsonPatch(target, patch), wanted))
  }

  for (const [claim, patch] of REFUSED) {
    test(`refuses ${claim}`, () => assert.throws(() => jsonPatch({ a: 1, list: [1] }, patch), RangeError))
  }
})
