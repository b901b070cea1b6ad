import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  parseHeader,
  printHeader,
  refusalOf,
  type SnapshotHeader,
  type SnapshotWanted,
} from '../../../src/replica/snapshot-header.ts'
import { progress, TOPIC } from '../consumer/support.ts'

const HOUR_MS = 3_600_000
const NOW_MS = 1_000 * HOUR_MS

const header: SnapshotHeader = {
  topic: TOPIC,
  resource: 'pods',
  content: 'abc',
  topicId: 't1',
  topicPartitions: 2,
  partitionCount: 2,
  caughtUpAtMs: NOW_MS - HOUR_MS,
  control: progress(9, { partitions: 2 }),
  partitions: new Map([
    [0, { position: 10, leaderEpoch: 3, progress: progress(9, { partitions: 2 }) }],
    [1, { position: 20, leaderEpoch: undefined, progress: progress(8, { partitions: 2 }) }],
  ]),
  schemas: { f00: '{"type":"record"}' },
  brokenBatches: 1,
}

const wanted: SnapshotWanted = {
  topic: TOPIC,
  resource: 'pods',
  content: 'abc',
  topicPartitions: 2,
  look: {
    atMs: NOW_MS,
    topicId: 't1',
    deleteRetentionMs: 24 * HOUR_MS,
    ends: new Map([
      [0, 10],
      [1, 25],
    ]),
  },
  earliest: new Map([
    [0, 0],
    [1, 20],
  ]),
}

describe('the header of a snapshot', () => {
  test('comes back as it was printed', () => {
    const text = JSON.stringify(printHeader(header))
    assert.deepEqual(parseHeader(JSON.parse(text)), header)
  })

  test('of any other form is corrupt', () => {
    const whole: Record<string, unknown> = JSON.parse(JSON.stringify(printHeader(header)))
    const others: readonly unknown[] = [null, 7, [], {}, ...Object.keys(whole).flatMap((name) => changed(whole, name))]
    for (const other of others) assert.throws(() => parseHeader(other), { code: 'corrupt' }, JSON.stringify(other))
  })
})

/** Without a field that must be there, and with another kind of value in it. */
function changed(whole: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const without = Object.fromEntries(Object.entries(whole).filter(([each]) => each !== name))
  const other = { ...whole, [name]: [{}] }
  return name === 'topicId' ? [other] : [without, other]
}

describe('a snapshot', () => {
  test('is gone on from when everything is as it was', () => {
    assert.equal(refusalOf(header, wanted), undefined)
  })

  test('is foreign where topic, resource or what is kept of it are others', () => {
    for (const name of ['topic', 'resource', 'content'] as const) {
      assert.equal(refusalOf(header, { ...wanted, [name]: 'other' }), 'foreign')
    }
  })

  test('is refused for another topic under the name, and for more partitions', () => {
    assert.equal(refusalOf(header, { ...wanted, look: { ...wanted.look, topicId: 't2' } }), 'topic-recreated')
    assert.equal(refusalOf(header, { ...wanted, topicPartitions: 3 }), 'partitions-changed')
  })

  test('is too old from half of delete.retention.ms on', () => {
    for (const [hours, expected] of [
      [11.9, undefined],
      [12, 'too-old'],
      [400, 'too-old'],
    ] as const) {
      assert.equal(refusalOf({ ...header, caughtUpAtMs: NOW_MS - hours * HOUR_MS }, wanted), expected)
    }
  })

  test('of a time to come has no age', () => {
    assert.equal(refusalOf({ ...header, caughtUpAtMs: NOW_MS + 1 }, wanted), 'clock')
  })

  test('is refused where a position is before the first offset or behind the end', () => {
    const { look } = wanted
    for (const change of [
      { earliest: new Map(wanted.earliest).set(0, 11) },
      { earliest: new Map([[0, 0]]) },
      { look: { ...look, ends: new Map(look.ends).set(1, 19) } },
      { look: { ...look, ends: new Map([[0, 10]]) } },
    ]) {
      assert.equal(refusalOf(header, { ...wanted, ...change }), 'offset-out-of-range')
    }
  })
})
