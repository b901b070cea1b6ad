// needs: kafka
// Brokers that are away, silent, slow or out of disk hold appends back, and lose, double or reorder none.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { systemClock, type Clock } from '../../src/base/clock.ts'
import { hasCode } from '../../src/base/errors.ts'
import { openKafkaLog, type KafkaLogOptions } from '../../src/kafka/kafka-log.ts'
import type { TopicLog, TopicWriter } from '../../src/topic/port.ts'
import {
  appendEach,
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  readAll,
  record,
  STORY_MS,
  storySignal,
} from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'
import { ready } from '../support/ready.ts'

let kafka: KafkaCluster
let proxy: KafkaProxy

before(async () => {
  kafka = await startKafka({ proxied: true })
  proxy = await startKafkaProxy({ upstream: kafka })
})

after(async () => {
  await proxy[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

async function straight(options: Partial<KafkaLogOptions> = {}): Promise<TopicLog> {
  return openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal(), ...options })
}

/** A log through the proxy that gives a lost answer up after 2 s. */
async function proxied(): Promise<TopicLog> {
  const brokers = kafka.proxiedBrokers.split(',')
  return openKafkaLog({ brokers, signal: storySignal(), requestTimeoutMs: 2_000 })
}

/** Waits until the writer has attempted again so many times, by what it says itself. */
async function untilAttempted(writer: TopicWriter, times: number): Promise<void> {
  const attempts = new Set<number | undefined>([writer.status().lastAttemptAtMs])
  await ready(
    async () => {
      attempts.add(writer.status().lastAttemptAtMs)
      assert.ok(attempts.size > times)
    },
    { what: `${times} attempts` },
  )
}

const outages: ReadonlyArray<{
  readonly name: string
  readonly begin: () => unknown
  readonly end: () => unknown
}> = [
  { name: 'stopped', begin: () => kafka.stop(), end: () => kafka.restart() },
  { name: 'frozen, its sockets half open', begin: () => kafka.pause(), end: () => kafka.resume() },
  { name: 'swallowed by the network', begin: () => proxy.hold(), end: () => proxy.release() },
  { name: 'refusing connections', begin: () => (proxy.cut(), proxy.refuse(true)), end: () => proxy.refuse(false) },
]

describe('a broker that is away for longer than requests wait', () => {
  for (const { name, begin, end } of outages) {
    test(name, { timeout: STORY_MS }, async () => {
      await using log = await proxied()
      await using beside = await straight()
      const topic = await freshTopic(beside)
      await using writer = await openWriter(log, topic)
      const values = numbered('value', 600)
      const first = await appendEach(writer, values.slice(0, 200))
      const flying = appendEach(writer, values.slice(200, 400))
      await begin()
      const late = appendEach(writer, values.slice(400))
      await untilAttempted(writer, 3)
      assert.ok(writer.status().pendingRecords >= 200)
      await end()
      await assertLog(beside, topic, values, [...first, ...(await flying), ...(await late)])
      assert.deepEqual(writer.status(), { pendingRecords: 0, lastAttemptAtMs: undefined })
    })
  }
})

test('a slow broker holds back and is waited for', { timeout: STORY_MS }, async () => {
  await using log = await proxied()
  await using beside = await straight()
  const topic = await freshTopic(beside)
  await using writer = await openWriter(log, topic)
  const slow = proxy.delay({ api: 'Produce', count: 6, ms: 500 })
  const values = numbered('value', 3_000)
  const appended = await appendEach(writer, values)
  slow.clear()
  assert.ok(slow.struck > 0)
  assert.equal(proxy.counters.swallowed, 0)
  await assertLog(beside, topic, values, appended)
})

test('a broker out of disk costs nothing once it has room again', { timeout: STORY_MS }, async () => {
  await using log = await straight({ requestTimeoutMs: 2_000 })
  const topic = await freshTopic(log)
  await using writer = await openWriter(log, topic)
  const large = (name: string): string => `${name} ${'x'.repeat(20_000)}`
  const values = numbered('value', 1_000).map(large)
  const first = await appendEach(writer, values.slice(0, 100))
  // Index files are made 10 MB large at once; the log outgrows that.
  await kafka.limitFiles(12 * 1024 * 1024)
  const rest = appendEach(writer, values.slice(100))
  await kafka.ended()
  assert.match(kafka.log(), /File too large/)
  await untilAttempted(writer, 2)
  await kafka.restart()
  await assertLog(log, topic, values, [...first, ...(await rest)])
})

describe('timestamps', () => {
  const HOUR_MS = 3_600_000

  test(
    'records that waited for longer than the topic allows are written with the time of now',
    { timeout: STORY_MS },
    async () => {
      await using log = await straight()
      const topic = await freshTopic(log, { config: { 'message.timestamp.before.max.ms': String(HOUR_MS) } })
      await using writer = await openWriter(log, topic)
      const at = [0, -2 * HOUR_MS, 0, 0]
      const values = numbered('value', at.length)
      const sentAtMs = Date.now()
      const appended = await Promise.all(
        values.map(async (value, n) => writer.append(0, { records: [record(value, value, sentAtMs + (at[n] ?? 0))] })),
      )
      await assertLog(log, topic, values, appended)
      for (const { timestampMs } of await readAll(log, topic)) assert.ok(timestampMs >= sentAtMs)
    },
  )

  test('a clock ahead of the brokers is an error that names the way out', { timeout: STORY_MS }, async () => {
    const clock: Clock = { ...systemClock, now: () => Date.now() + 2 * HOUR_MS }
    await using log = await straight({ clock })
    const topic = await freshTopic(log, { config: { 'message.timestamp.after.max.ms': String(HOUR_MS) } })
    await using writer = await openWriter(log, topic)
    const append = writer.append(0, { records: [record('key', 'value', clock.now())] })
    await assert.rejects(append, (error) => {
      return (
        hasCode(error, 'rejected') &&
        /INVALID_TIMESTAMP.*set the clock.*message\.timestamp\.after\.max\.ms/.test(error.message)
      )
    })
  })
})
