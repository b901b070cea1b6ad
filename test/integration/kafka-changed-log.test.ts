// needs: kafka
// A log that changed under its reader is noticed: a damaged batch is told and passed over, lost records and another topic end the reading.

import assert from 'node:assert/strict'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import { readBatchHeader } from '../../src/kafka/batch-header.ts'
import type { ReadBatch, TopicLog, TopicWriter } from '../../src/topic/port.ts'
import { deleteTopic } from '../conformance/kafka-operator.ts'
import { freshTopic, numbered, openWriter, record, storySignal } from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { temporaryFolder, type TemporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'

let kafka: KafkaCluster
let folder: TemporaryFolder

before(async () => {
  folder = temporaryFolder('broker')
  kafka = await startKafka({ properties: { 'log.dirs': folder.path } })
})

after(async () => {
  await kafka[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const FROM_START = new Map([[0, 0]])

function open(): Promise<TopicLog> {
  return openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal() })
}

/** One batch each. */
async function appendApart(writer: TopicWriter, values: readonly string[]): Promise<void> {
  for (const value of values) await writer.append(0, { records: [record(`key-${value}`, value)] })
}

async function readToEnd(log: TopicLog, topic: string): Promise<readonly ReadBatch[]> {
  const signal = storySignal()
  await using reader = await log.openReader({ signal })
  const until = await log.admin.offsets(topic, 'latest', signal)
  const batches: ReadBatch[] = []
  for await (const batch of reader.read({ topic, from: FROM_START, until, signal })) batches.push(batch)
  return batches
}

function valuesOf(batches: readonly ReadBatch[]): readonly string[] {
  return batches.flatMap(({ records }) => records.map(({ value }) => String(value)))
}

/** The one segment of partition 0. */
function segmentOf(topic: string): string {
  return join(folder.path, `${topic}-0`, '00000000000000000000.log')
}

/** Where the batches of a segment begin, and where the last one ends. */
function batchPlaces(segment: Buffer): readonly number[] {
  const places = [0]
  for (let at = 0; ;) {
    const header = readBatchHeader(segment, at)
    if (header === undefined) return places
    at += header.size
    places.push(at)
  }
}

describe('a record batch damaged on the disk of its broker', () => {
  for (const [what, damaged, left, offset] of [
    ['within', 2, ['value-0', 'value-1', 'value-3', 'value-4'], 2],
    ['at the end of', 4, ['value-0', 'value-1', 'value-2', 'value-3'], 4],
  ] as const) {
    test(`${what} a log is told and passed over`, async () => {
      await using log = await open()
      const topic = await freshTopic(log)
      await using writer = await openWriter(log, topic)
      await appendApart(writer, numbered('value', 5))
      await kafka.stop()
      const segment = readFileSync(segmentOf(topic))
      const place = (batchPlaces(segment)[damaged + 1] ?? 0) - 5
      segment[place] = (segment[place] ?? 0) ^ 0x10
      writeFileSync(segmentOf(topic), segment)
      await kafka.restart()

      await using reopened = await open()
      const batches = await readToEnd(reopened, topic)
      assert.deepEqual(valuesOf(batches), left)
      const broken = batches.flatMap((batch) => batch.broken ?? [])
      assert.deepEqual(
        broken.map(({ baseOffset, nextOffset, error }) => [baseOffset, nextOffset, error.code]),
        [[offset, offset + 1, 'corrupt']],
      )
      assert.equal(batches.at(-1)?.nextOffset, 5)
    })
  }
})

describe('a reader that goes on from a position', () => {
  test('is told when the log no longer holds what it read', async () => {
    await using log = await open()
    const topic = await freshTopic(log)
    const writer = await openWriter(log, topic)
    await appendApart(writer, numbered('lost', 3))
    const last = (await readToEnd(log, topic)).at(-1)
    assert.equal(last?.nextOffset, 3)
    assert.ok(last.leaderEpoch !== undefined)
    await writer[Symbol.asyncDispose]()
    await kafka.stop()
    // As after an unclean election: the new leader has the first record alone.
    truncateSync(segmentOf(topic), batchPlaces(readFileSync(segmentOf(topic)))[1] ?? 0)
    for (const index of ['index', 'timeindex']) rmSync(segmentOf(topic).replace(/log$/, index))
    await kafka.restart()

    await using reopened = await open()
    await using second = await openWriter(reopened, topic)
    await appendApart(second, numbered('other', 5))
    const signal = storySignal()
    await using reader = await reopened.openReader({ signal })
    const goOn = async (leaderEpochs: ReadonlyMap<number, number>): Promise<readonly string[]> => {
      const until = new Map([[0, 6]])
      const seen: ReadBatch[] = []
      for await (const batch of reader.read({ topic, from: new Map([[0, 3]]), until, leaderEpochs, signal })) {
        seen.push(batch)
      }
      return valuesOf(seen)
    }
    await assert.rejects(
      goOn(new Map([[0, last.leaderEpoch]])),
      (error) => hasCode(error, 'log-truncated') && error.fields['offset'] === 3,
    )
    // Without a word of what was read nothing is wrong with the position.
    assert.deepEqual(await goOn(new Map()), ['other-2', 'other-3', 'other-4'])
  })

  test('reads on where the log still holds what it read, over a restart of the broker too', async () => {
    await using log = await open()
    const topic = await freshTopic(log)
    await using writer = await openWriter(log, topic)
    await appendApart(writer, numbered('value', 3))
    const signal = storySignal()
    const stop = new AbortController()
    await using reader = await log.openReader({ signal })
    const leaderEpochs = new Map([[0, (await readToEnd(log, topic)).at(-1)?.leaderEpoch ?? -1]])
    const seen: ReadBatch[] = []
    const request = { topic, from: new Map([[0, 2]]), leaderEpochs, signal: AbortSignal.any([stop.signal, signal]) }
    for await (const batch of reader.read(request)) {
      seen.push(batch)
      if (seen.length === 1) {
        await kafka.restart()
        await appendApart(writer, ['later'])
      } else stop.abort()
    }
    assert.deepEqual(valuesOf(seen), ['value-2', 'later'])
    assert.ok((seen[1]?.leaderEpoch ?? 0) > (seen[0]?.leaderEpoch ?? 0))
  })
})

describe('a topic that is deleted and created again under its reader', () => {
  for (const [what, values] of [
    ['empty', []],
    ['longer than it was', numbered('other', 9)],
  ] as const) {
    test(`ends the reading, ${what}`, async () => {
      await using log = await open()
      const topic = await freshTopic(log)
      const writer = await openWriter(log, topic)
      await appendApart(writer, numbered('value', 3))
      const signal = storySignal()
      const former = await log.admin.describe(topic, signal)
      await using reader = await log.openReader({ signal })
      const reading = reader.read({ topic, from: FROM_START, signal })[Symbol.asyncIterator]()
      assert.equal((await reading.next()).value?.nextOffset, 3)
      // At once: it may end before the new topic has its records.
      const ended = assert.rejects(reading.next(), (error) => hasCode(error, 'topic-recreated'))
      await writer[Symbol.asyncDispose]()
      await deleteTopic(kafka, topic)
      const spec = { topic, partitions: 1, replicationFactor: 1, config: new Map() }
      await ready(async () => assert.equal(await log.admin.create(spec, signal), 'created'), { what: 'the new topic' })
      if (values.length > 0) {
        await using second = await openWriter(log, topic)
        await appendApart(second, values)
      }
      await ended
      const present = await log.admin.describe(topic, signal)
      assert.ok(former?.topicId !== undefined && present?.topicId !== undefined)
      assert.notEqual(present.topicId, former.topicId)
    })
  }
})
