// Digests of a partition hold for its log, whole or compacted, and no longer once a record is lost from it.

import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DigestAudit, type AuditedRecord } from '../../src/cli/digest-audit.ts'
import type { DigestRecord } from '../../src/record/control.ts'
import { Digest, DIGEST_ALGORITHM } from '../../src/record/digest.ts'
import type { Previous } from '../../src/record/record.ts'

/** A record of the log, or the digest that its writer put there, with its place. */
type Logged = { readonly offset: number } & Content
type Content = { readonly record: AuditedRecord } | { readonly digest: DigestRecord }

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ what: fc.constantFrom('set', 'delete'), key: fc.constantFrom('a', 'b', 'c', 'd') }),
  },
  { weight: 1, arbitrary: fc.constant({ what: 'digest', key: '' }) },
)
const history = fc.array(step, { minLength: 1, maxLength: 60 })

test('the newest digest of a log is the same, however much of it was compacted before', () => {
  fc.assert(
    fc.property(history, fc.nat(), (steps, cut) => {
      const log = write(steps)
      const verdict = audit(compact(log, cut % (log.length + 1))).verdict('stream')
      if (!steps.some(({ what }) => what === 'digest')) return assert.equal(verdict.kind, 'none')
      const digestAt = log.findLastIndex((each) => 'digest' in each)
      const isCutBehind =
        compact(log, cut % (log.length + 1)).filter(({ offset }) => offset > digestAt).length <
        log.length - 1 - digestAt
      assert.equal(verdict.kind, isCutBehind ? 'unknown' : 'same', JSON.stringify(verdict))
    }),
    { numRuns: 1_000 },
  )
})

test('the newest digest of a log that nobody compacted is always known', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const verdict = audit(write([...steps, { what: 'digest', key: '' }])).verdict('stream')
      assert.equal(verdict.kind, 'same')
    }),
  )
})

test('a lost record shows, unless the key changed again before the digest', () => {
  fc.assert(
    fc.property(history, fc.nat(), (steps, which) => {
      const log = write([...steps, { what: 'digest', key: '' }])
      const lost = which % (log.length - 1)
      const rest = log.filter((_, index) => index !== lost)
      const gone = log[lost]
      if (gone === undefined || 'digest' in gone) return
      const isSuperseded = keysBehind(log, lost).has(keyOf(gone.record))
      const isTombstone = gone.record.kind === 'gone' && gone.record.previous === undefined
      const verdict = audit(rest).verdict('stream')
      // A tombstone behind its DELETED is lost without harm: the DELETED says it.
      assert.equal(verdict.kind, isSuperseded || isTombstone ? 'same' : 'different')
    }),
  )
})

test('a tombstone of another producer behind the digest shows, until its key is written again', () => {
  fc.assert(
    fc.property(history, fc.constantFrom('a', 'b', 'c', 'd'), (steps, key) => {
      const log = write([...steps, { what: 'set', key }, { what: 'digest', key: '' }])
      const offset = log.length
      const foreign: Logged = { offset, record: { kind: 'gone', key, previous: undefined } }
      const verdict = audit([...log, foreign]).verdict('stream')
      assert.ok(verdict.kind === 'different')
      assert.equal(verdict.current.count, verdict.wanted.count - 1)
      const object = { key, uid: 'again', resourceVersion: '1000' }
      const again: Logged = { offset: offset + 1, record: { kind: 'present', object, previous: null } }
      assert.equal(audit([...log, foreign, again]).verdict('stream').kind, 'same')
    }),
  )
})

test('a digest of another stream or algorithm says nothing', () => {
  const other = new DigestAudit()
  other.takeDigest({ ...digestRecord(new Digest()), algorithm: 'other/1' }, 0)
  assert.deepEqual(other.verdict('stream'), { kind: 'none' })
  const former = new DigestAudit()
  former.takeDigest(digestRecord(new Digest()), 0)
  assert.deepEqual(former.verdict('another stream'), { kind: 'none' })
})

/** What a bridge writes: DELETED and tombstone side by side, `previous` as the topic held it. */
function write(steps: readonly { readonly what: string; readonly key: string }[]): readonly Logged[] {
  const held = new Map<string, Previous>()
  const sums = new Digest()
  const contents = steps.flatMap(({ what, key }, index): Content[] => {
    if (what === 'digest') return [{ digest: digestRecord(sums) }]
    const before = held.get(key)
    if (what === 'set') {
      const state = { uid: before?.uid ?? `u${index}`, resourceVersion: String(index) }
      if (before !== undefined) sums.remove({ key, ...before })
      sums.add({ key, ...state })
      held.set(key, state)
      return [{ record: { kind: 'present', object: { key, ...state }, previous: before ?? null } }]
    }
    if (before === undefined) return []
    sums.remove({ key, ...before })
    held.delete(key)
    return [{ record: { kind: 'gone', key, previous: before } }, { record: { kind: 'gone', key, previous: undefined } }]
  })
  return contents.map((content, offset) => ({ offset, ...content }))
}

/** Of each key the last record before the cut stays, as after a cleaning up to there; digests and the rest stay. */
function compact(log: readonly Logged[], cut: number): readonly Logged[] {
  return log.filter((each, index) => {
    if ('digest' in each || index >= cut) return true
    const later = log.slice(index + 1, cut)
    return !later.some((other) => 'record' in other && keyOf(other.record) === keyOf(each.record))
  })
}

function audit(log: readonly Logged[]): DigestAudit {
  const audited = new DigestAudit()
  for (const each of log) {
    audited.reach(each.offset)
    if ('digest' in each) audited.takeDigest(each.digest, each.offset)
    else audited.take(each.record)
  }
  return audited
}

function digestRecord(sums: Digest): DigestRecord {
  return {
    kind: 'digest',
    clusterId: '',
    cluster: '',
    streamId: 'stream',
    epoch: 1,
    producerId: '',
    holder: '',
    asOf: 0,
    partitions: 1,
    scope: '',
    policy: '',
    schemas: {},
    algorithm: DIGEST_ALGORITHM,
    ...sums.sum(),
  }
}

function keysBehind(log: readonly Logged[], index: number): ReadonlySet<string> {
  return new Set(log.slice(index + 1).flatMap((each) => ('record' in each ? [keyOf(each.record)] : [])))
}

function keyOf(record: AuditedRecord): string {
  return record.kind === 'present' ? record.object.key : record.key
}
