import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decidePresent,
  type Decision,
  type Inherited,
  type Observed,
  type Sighting,
} from '../../../src/bridge/decide.ts'
import { WITHHELD_HASH, type IndexEntry } from '../../../src/bridge/topic-index.ts'

const watched: Sighting = { kind: 'watched' }
const firstList: Sighting = { kind: 'listed', reason: 'initial', first: true }
const relist: Sighting = { kind: 'listed', reason: 'expired', first: false }
const resync: Sighting = { kind: 'listed', reason: 'resync', first: false }
const synced: Inherited = { synced: true, policyChanged: false }
const empty: Inherited = { synced: false, policyChanged: false }
const otherPolicy: Inherited = { synced: true, policyChanged: true }
const observed: Observed = { uid: 'u1', resourceVersion: '7', hash: 'h7' }
const same: IndexEntry = { ...observed, position: undefined }
const previous = { uid: 'u1', resourceVersion: '6' }
const older: IndexEntry = { ...previous, hash: 'h6', position: undefined }
const stranger: IndexEntry = { uid: 'u0', resourceVersion: '3', hash: 'h3', position: undefined }
const unreadable: IndexEntry = { uid: '', resourceVersion: '', hash: '', position: undefined }
const rewritten: IndexEntry = { ...same, hash: 'other' }
const withheld: IndexEntry = { ...same, hash: WITHHELD_HASH }

const cases: ReadonlyArray<readonly [string, IndexEntry | undefined, Sighting, Inherited, Decision]> = [
  ['a new object is added', undefined, watched, synced, { kind: 'added', cause: 'WATCH' }],
  ['of the first list of an empty topic', undefined, firstList, empty, { kind: 'added', cause: 'LIST' }],
  ['missed while no bridge ran', undefined, firstList, synced, { kind: 'added', cause: 'RECOVERY' }],
  ['missed by a watch', undefined, relist, synced, { kind: 'added', cause: 'RELIST' }],
  ['over a record nobody can read', unreadable, firstList, empty, { kind: 'added', cause: 'RECOVERY' }],
  ['a newer version is an update', older, watched, synced, { kind: 'updated', cause: 'WATCH', previous }],
  ['found by the first list', older, firstList, synced, { kind: 'updated', cause: 'RECOVERY', previous }],
  ['another uid replaces', stranger, relist, synced, { kind: 'recreated', cause: 'RELIST', old: stranger }],
  ['the same version is nothing when watched', same, watched, synced, { kind: 'nothing' }],
  ['nor when listed again', same, relist, synced, { kind: 'nothing' }],
  ['nor at the next start', same, firstList, synced, { kind: 'nothing' }],
  [
    'a resync shows it again',
    same,
    resync,
    synced,
    { kind: 'updated', cause: 'RESYNC', previous: { ...previous, resourceVersion: '7' } },
  ],
  [
    'a changed policy rewrites what it changes',
    rewritten,
    firstList,
    otherPolicy,
    { kind: 'updated', cause: 'POLICY', previous: { ...previous, resourceVersion: '7' } },
  ],
  ['a changed policy leaves alone what it does not change', same, firstList, otherPolicy, { kind: 'nothing' }],
  ['what was withheld waits for its next version', withheld, relist, synced, { kind: 'nothing' }],
  ['and under another policy after its first list as well', withheld, relist, otherPolicy, { kind: 'nothing' }],
  [
    'what was withheld is tried again under another policy',
    withheld,
    firstList,
    otherPolicy,
    { kind: 'updated', cause: 'POLICY', previous: { ...previous, resourceVersion: '7' } },
  ],
]

for (const [claim, entry, sighting, inherited, wanted] of cases) {
  test(`decision: ${claim}`, () => assert.deepEqual(decidePresent(entry, observed, sighting, inherited), wanted))
}
