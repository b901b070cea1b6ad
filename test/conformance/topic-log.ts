// What every adapter of the topic port must do, as tests that take the adapter.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import type { Compression, RecordGroup, TopicLog } from '../../src/topic/port.ts'
import {
  appendEach,
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  readAll,
  readValues,
  record,
  storySignal,
} from './log-content.ts'
import { readRecord } from './read-record.ts'

export interface ConformanceOptions {
  /** Says which adapter and how it is reached. */
  readonly name: string
  /** Of every topic that the suite makes. */
  readonly partitions: number
  /** Compressions the adapter knows. */
  readonly compressions: readonly Compression[]
  /** Opens the log anew; called once, and once more by stories that need a second client. */
  readonly open: () => Promise<TopicLog>
}

/** Registers the suite. */
export function topicLogConformance({ name, partitions, compressions, open }: ConformanceOptions): void {
  describe(`topic log over ${name}, ${partitions} partitions`, () => {
    let log: TopicLog
    before(async () => {
      log = await open()
    })
    after(async () => log[Symbol.asyncDispose]())

    for (const compression of compressions) {
      test(`records come back in order with all that was given, ${compression}`, async () => {
        const topic = await freshTopic(log, { partitions })
        const signal = storySignal()
        await using writer = await log.openWriter({ topic, transactionalId: topic, compression, signal })
        assert.equal(writer.partitions, partitions)
        const now = Date.now()
        const records = Array.from({ length: 2_500 }, (_, index) => ({
          key: Buffer.from(`namespace/näme-${index}`),
          value: index % 5 === 0 ? null : Buffer.from(`{"index":${index},"text":"${'ä'.repeat(index % 300)}"}`),
          headers:
            index % 3 === 0
              ? [
                  { name: 'uid', value: `uid-${index}` },
                  { name: 'uid', value: '' },
                  { name: 'é', value: '✓' },
                ]
              : [],
          timestampMs: now - ((index * 7_919) % 100_000),
        }))
        const appended = await Promise.all(
          records.map(async (each) => writer.append(partitionOf(each.key, partitions), { records: [each] })),
        )
        const stored = await readAll(log, topic)
        const expected = records
          .map((each, index) => ({
            ...each,
            partition: partitionOf(each.key, partitions),
            offset: appended[index]?.baseOffset ?? -1,
          }))
          .toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
        assert.deepEqual(stored, expected)
        // Sorted by offset they must also be sorted by the order of the calls.
        for (let partition = 0; partition < partitions; partition += 1) {
          const offsets = appended.filter((each) => each.partition === partition).map(({ baseOffset }) => baseOffset)
          assert.deepEqual(offsets, [...offsets.keys()])
        }
      })
    }

    test('the records of a group stand side by side, whoever appends at the same time', async () => {
      const topic = await freshTopic(log, { partitions })
      await using writer = await openWriter(log, topic)
      const groups = numbered('group', 1_500).map((each): RecordGroup => {
        return { records: [record(each, `${each}:deleted`), record(each, null), record(each, `${each}:added`)] }
      })
      const appended = await Promise.all(groups.map(async (group) => writer.append(0, group)))
      assert.deepEqual(
        appended.map(({ baseOffset }) => baseOffset),
        groups.map((_, index) => index * 3),
      )
      assert.deepEqual(
        await readValues(log, topic),
        groups.flatMap(({ records }) => records.map(({ value }) => value?.toString() ?? null)),
      )
    })

    test('flush waits for everything appended before it', async () => {
      const topic = await freshTopic(log, { partitions })
      await using writer = await openWriter(log, topic)
      const appended = appendEach(writer, numbered('value', 300), partitions - 1)
      assert.equal(writer.status().pendingRecords, 300)
      assert.notEqual(writer.status().lastAttemptAtMs, undefined)
      await writer.flush(storySignal())
      assert.deepEqual(writer.status(), { pendingRecords: 0, lastAttemptAtMs: undefined })
      assert.equal((await readAll(log, topic)).length, 300)
      await appended
    })

    test('a writer that is disposed rejects what comes later', async () => {
      const topic = await freshTopic(log, { partitions })
      const writer = await openWriter(log, topic)
      await writer[Symbol.asyncDispose]()
      await assert.rejects(
        async () => writer.append(0, { records: [record('k', 'v')] }),
        (error) => hasCode(error, 'aborted'),
      )
    })

    test('a group without records and a partition out of range are refused at the call', async () => {
      const topic = await freshTopic(log, { partitions })
      await using writer = await openWriter(log, topic)
      assert.throws(() => void writer.append(0, { records: [] }), RangeError)
      assert.throws(() => void writer.append(partitions, { records: [record('k', 'v')] }), RangeError)
    })

    test('a group that is too large is replaced in its place, or rejected alone', async () => {
      const topic = await freshTopic(log, { partitions, config: { 'max.message.bytes': '20000' } })
      await using writer = await openWriter(log, topic)
      let asked = 0
      const large = 'x'.repeat(30_000)
      const results = await Promise.allSettled([
        writer.append(0, { records: [record('a', 'before')] }),
        writer.append(0, {
          records: [record('a', large)],
          whenTooLarge: () => ((asked += 1), [record('a', 'replaced')]),
        }),
        writer.append(0, { records: [record('b', large)] }),
        writer.append(0, { records: [record('c', large)], whenTooLarge: () => [record('c', large)] }),
        writer.append(0, { records: [record('a', 'after')] }),
      ])
      assert.deepEqual(await readValues(log, topic), ['before', 'replaced', 'after'])
      assert.equal(asked, 1)
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
      )
      for (const result of results) if (result.status === 'rejected') assert.ok(hasCode(result.reason, 'too-large'))
      // Many that fit one by one and not together are no trouble either.
      const many = numbered('y'.repeat(1_000), 200)
      await appendEach(writer, many)
      assert.deepEqual((await readValues(log, topic)).slice(3), many)
    })

    test('a read ends before its end, by position', async () => {
      const topic = await freshTopic(log, { partitions })
      await using writer = await openWriter(log, topic)
      await appendEach(writer, numbered('value', 100))
      const signal = storySignal()
      await using reader = await log.openReader({ signal })
      const seen: string[] = []
      let next = -1
      for await (const batch of reader.read({ topic, from: new Map([[0, 10]]), until: new Map([[0, 60]]), signal })) {
        seen.push(...batch.records.map(({ value }) => String(value)))
        next = batch.nextOffset
        assert.equal(batch.endOffset, 100)
      }
      assert.deepEqual(seen, numbered('value', 100).slice(10, 60))
      assert.equal(next, 60)
    })

    test('a read of an empty topic to its end ends at once', async () => {
      const topic = await freshTopic(log, { partitions })
      assert.deepEqual(await readAll(log, topic), [])
    })

    test('a read follows the topic until its signal aborts', async () => {
      const topic = await freshTopic(log, { partitions })
      await using writer = await openWriter(log, topic)
      await using reader = await log.openReader({ signal: storySignal() })
      const stop = new AbortController()
      const from = new Map(Array.from({ length: partitions }, (_, partition) => [partition, 0]))
      const seen: string[] = []
      await writer.append(0, { records: [record('key', 'value-0')] })
      for await (const { records } of reader.read({
        topic,
        from,
        signal: AbortSignal.any([stop.signal, storySignal()]),
      })) {
        seen.push(...records.map(({ value }) => String(value)))
        if (seen.length === 20) stop.abort()
        else await writer.append(seen.length % partitions, { records: [record('key', `value-${seen.length}`)] })
      }
      assert.deepEqual(seen, numbered('value', 20))
    })

    test('a position before the beginning or beyond the end is never moved', async () => {
      const topic = await freshTopic(log, { partitions })
      const signal = storySignal()
      await using reader = await log.openReader({ signal })
      const read = async (): Promise<void> => {
        for await (const { records } of reader.read({ topic, from: new Map([[0, 5]]), signal }))
          assert.fail(String(records.length))
      }
      await assert.rejects(read, (error) => hasCode(error, 'offset-out-of-range') && error.fields['offset'] === 5)
    })

    test('one record is read at its position', async () => {
      const topic = await freshTopic(log, { partitions })
      await using writer = await openWriter(log, topic)
      await appendEach(writer, numbered('value', 50))
      const signal = storySignal()
      await using reader = await log.openReader({ signal })
      const found = await readRecord(reader, { topic, partition: 0, offset: 33, signal })
      assert.equal(String(found?.value), 'value-33')
    })

    test('a later writer of the same identity fences the earlier one', async () => {
      const topic = await freshTopic(log, { partitions })
      await using first = await openWriter(log, topic)
      await appendEach(first, ['first-0', 'first-1'])
      await using second = await openWriter(log, topic)
      await appendEach(second, ['second-0'])
      const late = first.append(0, { records: [record('k', 'late')] })
      await assert.rejects(late, (error) => hasCode(error, 'fenced'))
      await assert.rejects(
        async () => first.append(0, { records: [record('k', 'later')] }),
        (error) => hasCode(error, 'fenced'),
      )
      await assert.rejects(
        async () => first.flush(storySignal()),
        (error) => hasCode(error, 'fenced'),
      )
      await appendEach(second, ['second-1'])
      await assertLog(log, topic, ['first-0', 'first-1', 'second-0', 'second-1'])
    })

    test('a missing topic has no writer, no offsets and no description', async () => {
      const signal = storySignal()
      const topic = 'conformance.missing'
      assert.equal(await log.admin.describe(topic, signal), undefined)
      await assert.rejects(
        async () => openWriter(log, topic),
        (error) => hasCode(error, 'topic-missing'),
      )
      await assert.rejects(
        async () => log.admin.offsets(topic, 'latest', signal),
        (error) => hasCode(error, 'topic-missing'),
      )
      assert.ok(!(await log.admin.list(signal)).includes(topic))
    })

    test('a topic is created once and described as it was asked for', async () => {
      const config = { 'cleanup.policy': 'compact', 'max.message.bytes': '4194304', 'delete.retention.ms': '604800000' }
      const topic = await freshTopic(log, { partitions, config })
      const signal = storySignal()
      const spec = { topic, partitions, replicationFactor: -1, config: new Map(Object.entries(config)) }
      assert.equal(await log.admin.create(spec, signal), 'exists')
      const description = await log.admin.describe(topic, signal)
      assert.equal(description?.partitions, partitions)
      assert.equal(description?.replicationFactor, 1)
      for (const [key, value] of Object.entries(config)) assert.equal(description?.config.get(key), value)
      assert.ok((await log.admin.list(signal)).includes(topic))
    })
  })
}
