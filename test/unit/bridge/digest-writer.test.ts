// Digests that a bridge writes: when, and that they are true of the log where they stand.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TopicIndex } from '../../../src/bridge/topic-index.ts'
import type { DigestRecord } from '../../../src/record/control.ts'
import { FakeSource } from '../../../src/testing/fake-source.ts'
import { Digest, DIGEST_ALGORITHM } from '../../../src/record/digest.ts'
import { recordingLogger } from '../../conformance/recording-logger.ts'
import { BridgeHarness, TOPIC } from '../../support/bridge-harness.ts'
import { checkDigests } from '../../support/written-digests.ts'

const MINUTE_MS = 60_000

function digests(t: BridgeHarness): readonly DigestRecord[] {
  return t.controls().flatMap((control) => (control.kind === 'digest' ? [control] : []))
}

describe('a bridge', () => {
  test('writes a digest of each partition behind the progress of its first list, then every interval', async () => {
    const t = new BridgeHarness()
    for (const name of ['a', 'b', 'c', 'd']) t.source.add({ name })
    const running = t.start({ digestIntervalMs: 10 * MINUTE_MS }, { partitions: 3 })
    await t.until(() => digests(t).length === 3, 'the first digests')
    assert.deepEqual(
      t.controls().map(({ kind }) => kind),
      [0, 1, 2].flatMap(() => ['fence', 'progress', 'digest']),
    )
    await t.clock.advance(9 * MINUTE_MS)
    assert.equal(digests(t).length, 3)
    t.source.add({ name: 'e' })
    await t.untilEqual(running)
    await t.clock.advance(MINUTE_MS)
    await t.until(() => digests(t).length === 6, 'the next digests')
    assert.equal(checkDigests(t.log.records(TOPIC)), 6)
    assert.equal(
      digests(t)
        .slice(-6)
        .reduce((sum, { count }) => sum + count, 0),
      4 + 5,
    )
    await running.stop()
  })

  test('writes one more before it stops, if something has changed since', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const first = t.start({ digestIntervalMs: MINUTE_MS })
    await t.until(() => digests(t).length === 1, 'the first digest')
    t.source.delete({ name: 'a' })
    await t.untilEqual(first)
    await first.stop()
    assert.deepEqual(
      digests(t).map(({ count, digest }) => ({ count, digest })),
      [{ count: 1, digest: digests(t)[0]?.digest }, new Digest().sum()],
    )
    const second = t.start({ digestIntervalMs: MINUTE_MS })
    await t.until(() => digests(t).length === 3, 'the digest of the repair')
    await second.stop()
    assert.equal(digests(t).length, 3)
    assert.equal(checkDigests(t.log.records(TOPIC)), 3)
  })

  test('writes none with an interval of 0', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const running = t.start({ digestIntervalMs: 0 })
    await t.untilEqual(running)
    await t.clock.advance(60 * MINUTE_MS)
    await running.stop()
    assert.equal(digests(t).length, 0)
  })

  test('writes a true one while updates wait for the broker and replace each other', async () => {
    const t = new BridgeHarness()
    for (const name of ['a', 'b', 'c']) t.source.add({ name })
    const running = t.start({ digestIntervalMs: MINUTE_MS })
    await t.until(() => digests(t).length === 1, 'the first digest')
    const acknowledge = t.log.holdAcks()
    for (let n = 0; n < 5; n++) {
      for (const name of ['a', 'b', 'c']) t.source.modify({ name })
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
      await t.clock.advance(MINUTE_MS)
    }
    acknowledge()
    await t.untilEqual(running)
    await running.stop()
    assert.match(await running.metrics(), /kubedelta_records_coalesced_total\{resource="pods"\} [1-9]/)
    assert.ok(checkDigests(t.log.records(TOPIC)) >= 2)
  })

  test('writes none for a partition with a key that nobody can read, until that is written over', async () => {
    const t = new BridgeHarness()
    t.source = new FakeSource({ watchList: false })
    for (const name of ['a', 'b']) t.source.add({ name })
    const log = recordingLogger()
    const first = t.start({ digestIntervalMs: MINUTE_MS, log })
    await t.until(() => digests(t).length === 1, 'the first digest')
    const garbage = Buffer.from('not ours')
    t.log.inject(TOPIC, 0, { key: Buffer.from('default/a'), value: garbage, headers: [], timestampMs: 0 })
    t.source.failNext('list', { kind: 'refused' })
    t.source.add({ name: 'c' })
    await t.until(() => log.lines.some(({ message }) => message.startsWith('another producer writes')), 'the discovery')
    await first.stop()
    assert.equal(digests(t).length, 1)
    const second = t.start({ digestIntervalMs: MINUTE_MS })
    await t.until(() => digests(t).length === 2, 'the digest of the repair')
    await second.stop()
    assert.equal(checkDigests(t.log.records(TOPIC).filter(({ value }) => value === null || !value.equals(garbage))), 2)
  })
})

describe('the index of a topic', () => {
  test('sums up what it holds, partition by partition, and nothing of a partition with an unknown state', () => {
    const index = new TopicIndex(2)
    const entry = { resourceVersion: '1', hash: 'x', position: undefined }
    const keys = Array.from({ length: 20 }, (_, n) => `shop/pod-${n}`)
    for (const key of keys) index.set(key, { ...entry, uid: 'first' })
    for (const key of keys) index.set(key, { ...entry, uid: 'second' })
    const sums = [index.sumOf(0), index.sumOf(1)]
    assert.equal(
      sums.reduce((count, sum) => count + (sum?.count ?? 0), 0),
      20,
    )
    assert.ok(sums.every((sum) => sum !== undefined && sum.count > 0))
    index.set('shop/pod-0', { ...entry, uid: '', hash: '' })
    assert.equal([index.sumOf(0), index.sumOf(1)].filter((sum) => sum === undefined).length, 1)
    index.set('shop/pod-0', { ...entry, uid: 'second', hash: '' })
    assert.equal([index.sumOf(0), index.sumOf(1)].filter((sum) => sum === undefined).length, 1)
    index.set('shop/pod-0', { ...entry, uid: 'second' })
    assert.deepEqual([index.sumOf(0), index.sumOf(1)], sums)
    for (const key of keys) index.delete(key)
    index.delete('shop/unknown')
    assert.deepEqual([index.sumOf(0), index.sumOf(1)], [new Digest().sum(), new Digest().sum()])
    assert.equal(DIGEST_ALGORITHM, 'xor-sha256-64/1')
  })
})
