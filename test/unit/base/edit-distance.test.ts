import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance } from '../../../src/base/edit-distance.ts'

const CASES: ReadonlyArray<readonly [from: string, to: string, distance: number]> = [
  ['pods', 'pods', 0],
  ['pod', 'pods', 1],
  ['poods', 'pods', 1],
  ['pobs', 'pods', 1],
  ['pdos', 'pods', 1],
  ['deploymnets', 'deployments', 1],
  ['nodes', 'pods', 2],
  ['', 'pods', 4],
  ['pods', '', 4],
]

for (const [from, to, distance] of CASES) {
  test(`from '${from}' to '${to}' it is ${distance}, one for a swap of neighbours`, () => {
    assert.equal(editDistance(from, to), distance)
  })
}
