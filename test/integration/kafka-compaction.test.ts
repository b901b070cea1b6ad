// needs: kafka
// A reader passes what compaction leaves: empty batches, gaps, delete horizons, a tail without records.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { decodeBatch, splitBatches } from '../../src/kafka/batch-decode.ts'
import { Cluster } from '../../src/kafka/cluster.ts'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import { fetchRequest } from '../../src/kafka/protocol/fetch.ts'
import { silentLogger } from '../../src/base/log.ts'
import { readRecord } from '../conformance/read-record.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { freshTopic, readAll, readValues, record, STORY_MS, storySignal } from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { ready } from '../support/ready.ts'

let kafka: KafkaCluster
let log: TopicLog

before(async () => {
  kafka = await startKafka()
  log = await openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal() })
})

after(async () => {
  await log[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

const HOUR_MS = 3_600_000

/** Compacts as soon as it can; a segment ends when a record is an hour younger than its first. */
const COMPACTED = {
  'cleanup.policy': 'compact',
  'segment.ms': String(HOUR_MS / 2),
  'min.cleanable.dirty.ratio': '0.001',
  'delete.retention.ms': '86400000',
}

/** Each writer overwrites the same 50 keys in one batch under a producer id of its own; then segments are rolled. */
async function overwritten(
  topic: string,
  writers: number,
  value: (writer: number, key: number) => string | null,
): Promise<void> {
  const begin = Date.now() - 40 * HOUR_MS
  for (let writer = 0; writer <= writers; writer += 1) {
    const transactionalId = `${topic}/${writer}`
    await using open = await log.openWriter({ topic, transactionalId, compression: 'none', signal: storySignal() })
    const timestampMs = begin + writer * HOUR_MS
    // The last one only rolls the segment: the active segment is never cleaned.
    const keys = writer === writers ? ['roll'] : Array.from({ length: 50 }, (_, key) => `key-${key}`)
    const records = keys.map((key, index) =>
      record(key, writer === writers ? 'roll' : value(writer, index), timestampMs),
    )
    await open.append(0, { records })
  }
}

async function compacted(topic: string, records: number): Promise<void> {
  await ready(async () => assert.equal((await readAll(log, topic)).length, records), {
    what: `compaction of ${topic}`,
  })
}

test('empty batches are passed, however small the fetch', { timeout: STORY_MS }, async () => {
  const topic = await freshTopic(log, { config: COMPACTED })
  await overwritten(topic, 5, (writer) => `writer-${writer}`)
  await compacted(topic, 51)
  const raw = await rawBatches(topic)
  assert.ok(
    raw.some(({ header }) => header.recordCount === 0),
    'compaction left an empty batch',
  )
  await using small = await openKafkaLog({
    brokers: kafka.brokers.split(','),
    signal: storySignal(),
    readLimits: { maxBytes: 200, maxBytesPerPartition: 200, maxWaitMs: 100 },
  })
  const values = await readValues(small, topic)
  assert.deepEqual(values, [...Array.from({ length: 50 }, () => 'writer-4'), 'roll'])
})

test('a read that ends inside of what compaction removed ends', { timeout: STORY_MS }, async () => {
  const topic = await freshTopic(log, { config: COMPACTED })
  await overwritten(topic, 3, (writer) => `writer-${writer}`)
  await compacted(topic, 51)
  const signal = storySignal()
  await using reader = await log.openReader({ signal })
  const next: number[] = []
  for await (const batch of reader.read({ topic, from: new Map([[0, 10]]), until: new Map([[0, 75]]), signal })) {
    assert.deepEqual(batch.records, [])
    next.push(batch.nextOffset)
  }
  assert.equal(next.at(-1), 75)
  assert.equal(await readRecord(reader, { topic, partition: 0, offset: 20, signal }), undefined)
  const survivor = await readRecord(reader, { topic, partition: 0, offset: 120, signal })
  assert.deepEqual([survivor?.offset, String(survivor?.value)], [120, 'writer-2'])
})

test('timestamps are right in batches that carry a delete horizon', { timeout: STORY_MS }, async () => {
  const topic = await freshTopic(log, { config: COMPACTED })
  const begin = Date.now()
  await overwritten(topic, 3, (writer, key) => (writer === 2 && key % 2 === 0 ? null : `writer-${writer}`))
  await compacted(topic, 51)
  const horizon = (await rawBatches(topic)).filter(({ bytes }) => (bytes.readInt16BE(21) & 0b1000000) !== 0)
  assert.ok(horizon.length > 0, 'compaction set a delete horizon')
  assert.ok(
    horizon.some(({ header }) => header.baseTimestamp >= begin),
    'it stands where the first timestamp stood',
  )
  for (const batch of horizon) {
    for (const { timestampMs } of await decodeBatch(batch, { topic, partition: 0 })) {
      assert.ok(timestampMs < begin - 30 * HOUR_MS, `timestamp ${timestampMs}`)
    }
  }
  const stored = await readAll(log, topic)
  assert.equal(stored.filter(({ value }) => value === null).length, 25)
})

async function rawBatches(topic: string): Promise<ReturnType<typeof splitBatches>> {
  await using cluster = new Cluster({
    brokers: kafka.brokers.split(','),
    clientId: 'test',
    security: {},
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    log: silentLogger,
  })
  const leader = await cluster.leader(topic, 0)
  const limits = { maxWaitMs: 100, maxBytes: 4_194_304, maxBytesPerPartition: 4_194_304 }
  const found: ReturnType<typeof splitBatches> = []
  const end = (await log.admin.offsets(topic, 'latest', storySignal())).get(0) ?? 0
  // A broker hands out one segment at a time.
  for (let offset = 0; offset < end;) {
    const [answer] = await cluster.send(leader, fetchRequest(topic, [{ partition: 0, offset }], limits))
    const batches = splitBatches(answer?.batches ?? Buffer.alloc(0), { topic, partition: 0 })
    found.push(...batches)
    offset = batches.at(-1)?.header.nextOffset ?? end
  }
  return found
}
