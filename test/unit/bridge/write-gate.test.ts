import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { GatedWriter, WriteGate } from '../../../src/bridge/write-gate.ts'
import { MemoryTopicLog } from '../../../src/testing/memory-topic.ts'
import type { RecordGroup } from '../../../src/topic/port.ts'

const { signal } = new AbortController()
const topic = 'x'

function group(name: string): RecordGroup {
  return { records: [{ key: Buffer.from(name), value: null, headers: [], timestampMs: 0 }] }
}

async function setUp() {
  const log = new MemoryTopicLog()
  await log.admin.create({ topic, partitions: 1, replicationFactor: 1, config: new Map() }, signal)
  const gate = new WriteGate()
  const writer = new GatedWriter(await log.openWriter({ topic, transactionalId: topic, signal }), gate)
  return { gate, writer, written: () => log.records(topic).map(({ key }) => key.toString()) }
}

test('a gated writer appends nothing while its gate is closed, and then all of it in the order of the calls', async () => {
  const { gate, writer, written } = await setUp()
  gate.open()
  await writer.append(0, group('a'))
  gate.close()
  const waiting = ['b', 'c', 'd'].map((name) => writer.append(0, group(name)))
  const flushed = writer.flush(signal)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(written(), ['a'])
  assert.equal(writer.status().pendingRecords, 3)
  gate.open()
  const last = writer.append(0, group('e'))
  await flushed
  assert.deepEqual(written(), ['a', 'b', 'c', 'd', 'e'])
  assert.deepEqual(
    (await Promise.all([...waiting, last])).map(({ baseOffset }) => baseOffset),
    [1, 2, 3, 4],
  )
  assert.equal(writer.status().pendingRecords, 0)
})

test('what waits when a gate is opened and closed at once still goes in order', async () => {
  const { gate, writer, written } = await setUp()
  const waiting = [writer.append(0, group('a'))]
  gate.open()
  gate.close()
  waiting.push(writer.append(0, group('b')))
  gate.open()
  waiting.push(writer.append(0, group('c')))
  await Promise.all(waiting)
  assert.deepEqual(written(), ['a', 'b', 'c'])
})

test('a gate that is shut rejects what waits and what comes, and a flush does not wait for it', async () => {
  const { gate, writer, written } = await setUp()
  const lost = new KubedeltaError('lease-lost', 'Cannot go on')
  const waiting = writer.append(0, group('a'))
  const flushed = writer.flush(signal)
  gate.shut(lost)
  await assert.rejects(waiting, lost)
  await assert.rejects(flushed, lost)
  await assert.rejects(writer.append(0, group('b')), lost)
  gate.open()
  assert.equal(gate.isOpen, false)
  assert.deepEqual(written(), [])
})
