import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { coalesce } from '../../../src/bridge/coalesce.ts'
import { entriesOf, replacementEntries, type WireEntry } from '../../../src/record/order.ts'
import type { KubeRecord } from '../../../src/record/record.ts'

/** The record of `UPDATED u@3 of u@2`: op, uid and version, then what stood before. */
function record(text: string, more: Partial<KubeRecord> = {}): KubeRecord {
  const [op = '', now = '', , before] = text.split(' ')
  const [uid = '', resourceVersion = ''] = now.split('@')
  const [formerUid = '', formerVersion = ''] = before?.split('@') ?? []
  return {
    op: op === 'ADDED' || op === 'UPDATED' ? op : 'DELETED',
    cause: 'WATCH',
    finalStateUnknown: false,
    initial: false,
    cluster: 'test',
    group: '',
    version: 'v1',
    resource: 'pods',
    kind: 'Pod',
    namespace: 'default',
    name: 'a',
    uid,
    resourceVersion,
    previous: before === undefined ? null : { uid: formerUid, resourceVersion: formerVersion },
    observedAt: Number(resourceVersion),
    epoch: 1,
    object: Buffer.from(now),
    ...more,
  }
}

function textOf(entries: readonly WireEntry[] | undefined): readonly string[] | undefined {
  return entries?.map((entry) => {
    if (entry.kind === 'tombstone') return 'tombstone'
    const { op, uid, resourceVersion, previous, object } = entry.record
    assert.equal(String(object), `${uid}@${resourceVersion}`, 'the object is that of the version')
    return `${op} ${uid}@${resourceVersion}${previous === null ? '' : ` of ${previous.uid}@${previous.resourceVersion}`}`
  })
}

const added = entriesOf(record('ADDED u@1'))
const updated = entriesOf(record('UPDATED u@3 of u@2'))
const deleted = entriesOf(record('DELETED u@4 of u@3'))
const replaced = replacementEntries(record('DELETED u@3 of u@3'), record('ADDED v@5'))

for (const { claim, waiting, later, becomes } of [
  {
    claim: 'an ADDED stays ADDED with the newer object',
    waiting: added,
    later: 'UPDATED u@2 of u@1',
    becomes: ['ADDED u@2'],
  },
  {
    claim: 'an UPDATED keeps what stood before it',
    waiting: updated,
    later: 'UPDATED u@4 of u@3',
    becomes: ['UPDATED u@4 of u@2'],
  },
  {
    claim: 'a re-created object that waits with the end of the former one is updated alone',
    waiting: replaced,
    later: 'UPDATED v@6 of v@5',
    becomes: ['DELETED u@3 of u@3', 'tombstone', 'ADDED v@6'],
  },
  {
    claim: 'a delete does not take the place of an ADDED',
    waiting: added,
    later: 'DELETED u@2 of u@1',
    becomes: undefined,
  },
  {
    claim: 'a delete does not take the place of an UPDATED',
    waiting: updated,
    later: 'DELETED u@4 of u@3',
    becomes: undefined,
  },
  {
    claim: 'a re-creation does not take the place of a delete',
    waiting: deleted,
    later: 'ADDED v@5',
    becomes: undefined,
  },
  {
    claim: 'an update does not take the place of a delete',
    waiting: deleted,
    later: 'UPDATED u@5 of u@4',
    becomes: undefined,
  },
  { claim: 'another object does not take a place', waiting: updated, later: 'UPDATED v@4 of v@3', becomes: undefined },
  { claim: 'an ADDED takes no place', waiting: updated, later: 'ADDED u@4', becomes: undefined },
] as const) {
  test(`coalescing: ${claim}`, () => {
    assert.deepEqual(textOf(coalesce(waiting, entriesOf(record(later)))), becomes)
  })
}

test('coalescing: a delete with the re-creation after it takes no place', () => {
  assert.equal(coalesce(updated, replaced), undefined)
})

describe('coalescing: what takes a place', () => {
  function merged(waiting: Partial<KubeRecord>, later: Partial<KubeRecord>): KubeRecord {
    const entries = coalesce(
      entriesOf(record('UPDATED u@2 of u@1', waiting)),
      entriesOf(record('UPDATED u@3 of u@2', later)),
    )
    const last = entries?.at(-1)
    assert.ok(last?.kind === 'record')
    return last.record
  }

  test('says when the object in it was seen', () => {
    assert.equal(merged({}, {}).observedAt, 3)
  })

  test('stays on its side of the first progress record', () => {
    assert.equal(merged({ initial: true }, { initial: false }).initial, true)
  })

  test('keeps the cause that the first difference had', () => {
    assert.equal(merged({ cause: 'POLICY' }, { cause: 'WATCH' }).cause, 'POLICY')
    assert.equal(merged({ cause: 'WATCH' }, { cause: 'RESYNC' }).cause, 'WATCH')
  })

  test('is no RESYNC once the object has changed', () => {
    assert.equal(merged({ cause: 'RESYNC' }, { cause: 'WATCH' }).cause, 'WATCH')
  })

  test('says that the object is withheld where the newer one is', () => {
    assert.equal(merged({}, { object: null }).object, null)
  })
})
