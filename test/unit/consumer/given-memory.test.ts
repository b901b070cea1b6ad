import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeRecord } from '../../../src/record/record.ts'
import type { ReadBatch, StoredRecord, TopicLog } from '../../../src/topic/port.ts'
import { readThrough } from '../../support/read-through.ts'
import { progress, record, TopicHarness } from './support.ts'

test('a cache whose records are in memory given to it holds what the topic says', async () => {
  const topic = await new TopicHarness().create()
  topic.write(large('a', 1), large('b', 2), large('a', 3))
  topic.raw('shop/b', Buffer.from('{"op":'))
  topic.write(large('c', 4))
  topic.control(progress(4))
  const running = topic.start({ from: giving(topic.log) })
  await running.whenLive()
  await running.settled()
  assert.deepEqual(running.held(), ['a@3', 'b@2', 'c@4'])
  topic.write(large('b', 5), large('c', 6))
  await running.until(() => running.held().includes('c@6'), 'the update')
  assert.deepEqual(running.held(), ['a@3', 'b@5', 'c@6'])
  assert.equal(running.cache.list()[0]?.text?.length, 4_000)
  await running.stop()
})

/** Large enough to stay where it was read into. */
function large(name: string, resourceVersion: number): KubeRecord {
  return record(name, resourceVersion, { text: 'x'.repeat(4_000) })
}

/** The log as a reader of Kafka gives it: by one producer, in large buffers that are nobody else's. */
function giving(log: TopicLog): TopicLog {
  return readThrough(log, async function* read(reader, asked) {
    for await (const batch of reader.read(asked)) yield given(batch)
  })
}

function given(batch: ReadBatch): ReadBatch {
  const memory = Buffer.allocUnsafeSlow(1 << 20)
  let at = 0
  const records = batch.records.map((stored): StoredRecord => {
    if (stored.value === null) return stored
    const start = at
    at += stored.value.copy(memory, start)
    return { ...stored, value: memory.subarray(start, at) }
  })
  return { ...batch, records, isGiven: true, producerId: '1' }
}
