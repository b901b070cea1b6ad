import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Clock } from '../../../src/base/clock.ts'
import { toControlRecord } from '../../../src/bridge/wire.ts'
import { describeSchema, recordSchema } from '../../../src/codec/avro.ts'
import { encodeRecord } from '../../../src/codec/codec.ts'
import type { TopicEntry } from '../../../src/consumer/topic-entry.ts'
import type { TopicPositions } from '../../../src/consumer/topic-positions.ts'
import { topicRecords, type RecordBatch, type TopicRecordsOptions } from '../../../src/consumer/topic-records.ts'
import { partitionOf } from '../../../src/topic/partition.ts'
import { progress, record, TOPIC, TopicHarness, type Pod } from './support.ts'

const never = new AbortController().signal
/** The topics of tests keep tombstones for 7 days. */
const HALF_RETENTION_MS = 84 * 3_600_000

interface Read {
  readonly batches: readonly RecordBatch<Pod>[]
  readonly entries: readonly TopicEntry<Pod>[]
  readonly starts: readonly string[]
  readonly positions: TopicPositions
  readonly live: boolean
}

/** Everything that stands on the topic now. */
async function readAll(topic: TopicHarness, options: Partial<TopicRecordsOptions> = {}): Promise<Read> {
  return collect(topicRecords<Pod>({ ...sourceOf(topic), untilEnd: true, signal: never, ...options }))
}

function sourceOf(topic: TopicHarness): Pick<TopicRecordsOptions, 'from' | 'cluster' | 'resource' | 'clock'> {
  return { from: topic.log, cluster: 'test', resource: 'pods', clock: topic.clock }
}

async function collect(stream: AsyncIterable<RecordBatch<Pod>>): Promise<Read> {
  const batches = await Array.fromAsync(stream)
  const last = batches.at(-1)
  assert.ok(last)
  return {
    batches,
    entries: batches.flatMap(({ entries }) => entries),
    starts: startsOf(batches),
    positions: last.positions,
    live: last.live,
  }
}

function startsOf(batches: readonly RecordBatch<Pod>[]): readonly string[] {
  return batches.flatMap(({ start }) =>
    start === undefined ? [] : [start.kind === 'anew' ? start.reason : start.kind],
  )
}

/** `0:3 UPDATED shop/a@7`. */
function shortEntry(entry: TopicEntry<Pod>): string {
  const at = `${entry.partition}:${entry.offset}`
  switch (entry.kind) {
    case 'record':
      return `${at} ${entry.record.op} ${entry.key}@${entry.record.resourceVersion}`
    case 'tombstone':
      return `${at} tombstone ${entry.key}`
    case 'progress':
      return `${at} progress ${entry.resourceVersion}${entry.synced ? ' synced' : ''}`
    case 'unreadable':
      return `${at} unreadable ${entry.key} ${entry.error.code}`
    case 'broken':
      return `${at} broken to ${entry.nextOffset}`
    default:
      return entry satisfies never
  }
}

async function liveTopic(): Promise<TopicHarness> {
  const topic = await new TopicHarness().create()
  topic.write(record('a', 1), record('b', 2))
  topic.control(progress(2))
  return topic
}

describe('the records of a topic', () => {
  test('come in order: records, tombstones, the word of the bridge', async () => {
    const topic = await liveTopic()
    topic.write(record('a', 4, { op: 'UPDATED' }), record('b', 5, { op: 'DELETED' }))
    const { entries, starts, live } = await readAll(topic)
    assert.deepEqual(entries.map(shortEntry), [
      '0:0 ADDED shop/a@1',
      '0:1 ADDED shop/b@2',
      '0:2 progress 2 synced',
      '0:3 UPDATED shop/a@4',
      '0:4 DELETED shop/b@5',
      '0:5 tombstone shop/b',
    ])
    assert.deepEqual([starts, live], [['first'], true])
  })

  test('give an object as bytes, and parsed once it is asked for', async () => {
    const topic = await new TopicHarness().create()
    const bytes = Buffer.from('{"metadata":{"name":"a"},"big":9007199254740993}')
    topic.write(record('a', 1, { object: bytes }), record('b', 2, { object: null }))
    const [first, second] = (await readAll(topic)).entries
    assert.ok(first?.kind === 'record' && second?.kind === 'record')
    assert.deepEqual(first.bytes, bytes)
    assert.equal(first.object?.metadata.name, 'a')
    assert.equal(first.object, first.object)
    assert.deepEqual([second.bytes, second.object], [null, null])
  })

  test('go on behind the positions of any batch, once each', async () => {
    const topic = await new TopicHarness({ partitions: 3 }).create()
    topic.write(...['a', 'b', 'c', 'd', 'e', 'f'].map((name, index) => record(name, index + 1)))
    topic.control(progress(6))
    const all = await readAll(topic)
    topic.write(record('g', 7))
    const whole = (await readAll(topic)).entries.map(shortEntry).toSorted()
    for (const [index, { positions }] of all.batches.entries()) {
      const kept: TopicPositions = JSON.parse(JSON.stringify(positions))
      const rest = await readAll(topic, { positions: kept })
      const before = all.batches.slice(0, index + 1).flatMap(({ entries }) => entries.map(shortEntry))
      assert.deepEqual(rest.starts, ['resumed'])
      assert.deepEqual([...before, ...rest.entries.map(shortEntry)].toSorted(), whole)
    }
  })

  test('are live at once where everything was read before', async () => {
    const topic = await liveTopic()
    const { positions } = await readAll(topic)
    assert.deepEqual(await readAll(topic, { positions }).then(({ live, entries }) => [live, entries]), [true, []])
  })

  test('are not live before the bridge has said on every partition that all is there', async () => {
    const topic = await new TopicHarness({ partitions: 2 }).create()
    topic.control(progress(1, { synced: false }))
    topic.control(progress(1), 0)
    const first = await readAll(topic)
    assert.equal(first.live, false)
    topic.control(progress(1), 1)
    assert.equal((await readAll(topic, { positions: first.positions })).live, true)
  })

  test('follow the topic until the signal aborts, without an error', async () => {
    const topic = await liveTopic()
    const stop = new AbortController()
    const seen: string[] = []
    for await (const { entries } of topicRecords<Pod>({ ...sourceOf(topic), signal: stop.signal })) {
      seen.push(...entries.map(shortEntry))
      if (seen.length === 3) topic.write(record('c', 3))
      if (seen.length === 4) stop.abort()
    }
    assert.deepEqual(seen.slice(3), ['0:3 ADDED shop/c@3'])
  })

  test('that cannot be read are told, and the next ones come', async () => {
    const topic = await new TopicHarness().create()
    topic.raw('shop/a', Buffer.from('no record'))
    topic.alone(record('b', 1, { resource: 'services' }))
    topic.raw('shop/c', encodeRecord({ kind: 'json' })(record('other', 1)))
    topic.raw('$kubedelta/progress', null)
    topic.raw('$kubedelta/later', null)
    topic.write(record('d', 2))
    assert.deepEqual((await readAll(topic)).entries.map(shortEntry), [
      '0:0 unreadable shop/a corrupt',
      '0:1 unreadable shop/b topic-foreign',
      '0:2 unreadable shop/c corrupt',
      '0:3 unreadable $kubedelta/progress corrupt',
      '0:5 ADDED shop/d@2',
    ])
  })

  test('under a key of another partition are told', async () => {
    const topic = await new TopicHarness({ partitions: 2 }).create()
    const away = 1 - partitionOf(Buffer.from('shop/a'), 2)
    const value = encodeRecord({ kind: 'json' })(record('a', 1))
    topic.log.inject(TOPIC, away, { key: Buffer.from('shop/a'), value, headers: [], timestampMs: 1 })
    assert.deepEqual((await readAll(topic)).entries.map(shortEntry), [`${away}:0 unreadable shop/a topic-foreign`])
  })

  test('before the control record with their schema are read with it', async () => {
    // As a later version would write it: with one more field, an empty text behind the others.
    const later = describeSchema(recordSchema.text.replace(/\]\}$/, ',{"name":"later","type":"string","default":""}]}'))
    const value = Buffer.concat([encodeRecord({ kind: 'avro' })(record('a', 1)), Buffer.from([0])])
    value.writeBigUInt64LE(BigInt(`0x${later.fingerprint}`), 2)
    const topic = await new TopicHarness().create()
    topic.raw('shop/a', value)
    assert.deepEqual((await readAll(topic)).entries.map(shortEntry), ['0:0 unreadable shop/a unknown-schema'])
    topic.control(progress(1, { schemas: { [later.fingerprint]: later.canonical } }))
    assert.deepEqual((await readAll(topic)).entries.map(shortEntry), ['0:0 ADDED shop/a@1', '0:1 progress 1 synced'])
  })
})

describe('a reading begins anew', () => {
  test('where the positions are older than half of delete.retention.ms', async () => {
    const topic = await liveTopic()
    const { positions } = await readAll(topic)
    const older = (ms: number): TopicPositions => ({ ...positions, asOf: positions.asOf - ms })
    assert.deepEqual((await readAll(topic, { positions: older(HALF_RETENTION_MS) })).starts, ['resumed'])
    assert.deepEqual((await readAll(topic, { positions: older(HALF_RETENTION_MS + 1) })).starts, ['cut-off'])
    assert.deepEqual((await readAll(topic, { positions: older(-1) })).starts, ['cut-off'])
  })

  test('where it stood still for longer than half of delete.retention.ms', async () => {
    const topic = await liveTopic()
    const stop = new AbortController()
    let stoodStillMs = 0
    const clock: Clock = {
      now: () => topic.clock.now() + stoodStillMs,
      sleep: (ms, signal) => topic.clock.sleep(ms, signal),
    }
    const batches: RecordBatch<Pod>[] = []
    for await (const batch of topicRecords<Pod>({ ...sourceOf(topic), clock, signal: stop.signal })) {
      batches.push(batch)
      if (batches.length === 2) {
        stoodStillMs = HALF_RETENTION_MS + 1
        topic.write(record('c', 3))
      }
      if (batches.length === 4) stop.abort()
    }
    assert.deepEqual(startsOf(batches), ['first', 'cut-off'])
    assert.equal(batches.at(-1)?.entries.length, 4)
  })

  test('but not where nothing was written for as long', async () => {
    const topic = await liveTopic()
    const stop = new AbortController()
    const batches: RecordBatch<Pod>[] = []
    for await (const batch of topicRecords<Pod>({ ...sourceOf(topic), signal: stop.signal })) {
      batches.push(batch)
      if (batches.length === 2) {
        await topic.clock.advance(HALF_RETENTION_MS + 1)
        topic.write(record('c', 3))
      }
      if (batches.length === 3) stop.abort()
    }
    assert.deepEqual(startsOf(batches), ['first'])
    assert.deepEqual(batches.at(-1)?.positions.asOf, topic.clock.now() - 1)
  })

  test('where positions lie outside of what there is', async () => {
    const topic = await liveTopic()
    const { positions } = await readAll(topic)
    const partitions = positions.partitions.map((each) => ({ ...each, offset: 100 }))
    const again = await readAll(topic, { positions: { ...positions, partitions } })
    assert.deepEqual([again.starts, again.entries.length], [['offset-out-of-range'], 3])
  })

  test('where there are more partitions than before', async () => {
    const topic = await liveTopic()
    const { positions } = await readAll(topic)
    const more = await new TopicHarness({ partitions: 2 }).create()
    assert.deepEqual((await readAll(more, { positions })).starts, ['partitions-changed'])
  })

  test('where another stream began, as it does in a topic that was created anew', async () => {
    const topic = await liveTopic()
    const { positions } = await readAll(topic)
    topic.write(record('z', 9))
    topic.control(progress(9, { streamId: 'other', epoch: 2 }))
    const { starts, live, entries } = await readAll(topic, { positions })
    assert.deepEqual([starts, live, entries.length], [['resumed', 'new-stream'], true, 5])
  })

  test('where a topic of the same stream stands under another id, as one that was restored', async () => {
    const topic = await liveTopic()
    const { positions } = await readAll(topic)
    topic.log.delete(TOPIC)
    await topic.create()
    topic.write(record('a', 1), record('b', 3), record('c', 4))
    topic.control(progress(4))
    const { starts, entries } = await readAll(topic, { positions })
    assert.deepEqual([starts, entries.length], [['topic-recreated'], 4])
  })

  test('where the log has lost what was read, though it is as long again', async () => {
    const topic = await liveTopic()
    const { positions } = await readAll(topic)
    topic.log.loseFrom(TOPIC, 0, 1)
    topic.write(record('b', 7), record('c', 8))
    topic.control(progress(8))
    const { starts, entries } = await whileTimePasses(topic, readAll(topic, { positions }))
    assert.deepEqual([starts, entries.length], [['resumed', 'log-truncated'], 4])
  })

  test('where the log is truncated while it is read', async () => {
    const topic = await liveTopic()
    const stream = topicRecords<Pod>({
      ...sourceOf(topic),
      from: topic.failing('offset-out-of-range', 2),
      untilEnd: true,
      signal: never,
    })
    const { starts, entries } = await whileTimePasses(topic, collect(stream))
    assert.deepEqual([starts, entries.length], [['first', 'offset-out-of-range'], 3])
  })
})

test('a topic that vanishes while it is read is waited for, and read anew', async () => {
  const topic = await liveTopic()
  const stream = topicRecords<Pod>({
    ...sourceOf(topic),
    from: topic.failing('topic-missing', 2),
    untilEnd: true,
    signal: never,
  })
  const { starts, entries } = await whileTimePasses(topic, collect(stream))
  assert.deepEqual([starts, entries.length], [['first', 'topic-missing'], 3])
})

test('a topic that is missing, or holds something else, is an error with a way out', async () => {
  const topic = new TopicHarness()
  await assert.rejects(readAll(topic), { code: 'topic-missing', message: /kubedelta topics apply/ })
  await topic.create()
  topic.control(progress(1, { scope: 'services; namespaces: *' }))
  await assert.rejects(readAll(topic), { code: 'topic-foreign' })
  const wide = await new TopicHarness({ partitions: 2 }).create()
  wide.log.inject(TOPIC, 0, toControlRecord(progress(1)))
  await assert.rejects(readAll(wide), { code: 'partitions-changed' })
})

test('positions of another topic are refused at the call', async () => {
  const topic = await liveTopic()
  const { positions } = await readAll(topic)
  const options = { ...sourceOf(topic), resource: 'services', positions, signal: never }
  assert.throws(() => topicRecords(options), { code: 'usage' })
})

test('what a database made of positions is refused at the call', async () => {
  const topic = await liveTopic()
  const { positions } = await readAll(topic)
  const partitions = positions.partitions.map((each) => ({ ...each, offset: String(each.offset) }))
  const wrong = [null, '{}', {}, { ...positions, partitions }, { ...positions, asOf: '1' }]
  for (const each of wrong) {
    const kept: TopicPositions = JSON.parse(JSON.stringify(each))
    assert.throws(() => topicRecords<Pod>({ ...sourceOf(topic), positions: kept, signal: never }), {
      code: 'usage',
      message: /^Cannot resume topic kubedelta.test.pods: wanted positions as a batch had them: current value is /,
    })
  }
})

/** Lets the time pass for which a failed reading waits. */
async function whileTimePasses<R>({ clock }: TopicHarness, reading: Promise<R>): Promise<R> {
  const state = { isOver: false }
  const over = reading.finally(() => (state.isOver = true))
  while (!state.isOver) await clock.advance(1_000)
  return over
}
