// needs: kafka
// A broker that stops, crashes or forgets its producers costs no record and doubles none.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import type { Appended, TopicLog } from '../../src/topic/port.ts'
import {
  appendEach,
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  record,
  STORY_MS,
  storySignal,
} from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'
import { recordingLogger } from '../conformance/recording-logger.ts'

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

const logger = recordingLogger()

async function straight(): Promise<TopicLog> {
  return openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal(), log: logger })
}

async function proxied(): Promise<TopicLog> {
  return openKafkaLog({
    brokers: kafka.proxiedBrokers.split(','),
    signal: storySignal(),
    requestTimeoutMs: 2_000,
    log: logger,
  })
}

for (const partitions of [1, 6]) {
  test(
    `a restart after which the broker knows only the last of five batches, ${partitions} partitions`,
    { timeout: STORY_MS },
    async () => {
      await using log = await proxied()
      const topic = await freshTopic(log, { partitions })
      await using writer = await openWriter(log, topic)
      const values = numbered('value', 9)
      const first = await appendEach(writer, values.slice(0, 1))
      const other = await appendEach(writer, ['other'], partitions - 1)
      proxy.hold('responses')
      const held: Promise<Appended>[] = []
      for (const value of values.slice(1, 6)) {
        const passed = proxy.nextRequest('Produce')
        held.push(writer.append(0, { records: [record(value, value)] }))
        await passed
      }
      const late = appendEach(writer, values.slice(6))
      const linesBefore = logger.lines.length
      await kafka.restart()
      // Else a quick restart would let the answers that are held still arrive.
      proxy.cut()
      proxy.release()
      const appended = [...first, ...(await Promise.all(held)), ...(await late)]
      assert.ok(logger.lines.slice(linesBefore).some(({ message }) => message === 'reopening the writer'))
      if (partitions === 1) {
        const all = [values[0] ?? '', 'other', ...values.slice(1)]
        await assertLog(log, topic, all, [...appended.slice(0, 1), ...other, ...appended.slice(1)])
      } else {
        await assertLog(log, topic, [...values, 'other'])
      }
    },
  )
}

test('a crash under load', { timeout: STORY_MS }, async () => {
  await using log = await straight()
  const topic = await freshTopic(log, { partitions: 1 })
  await using writer = await openWriter(log, topic)
  const values = numbered('value', 30_000)
  const appended: Promise<Appended>[] = []
  let crash: Promise<void> | undefined
  for (const value of values) {
    const done = writer.append(0, { records: [record(value, value)] })
    appended.push(done)
    if (appended.length % 1_000 === 0 && crash === undefined) await done
    if (appended.length === 10_000) {
      crash = kafka.kill().then(async () => kafka.restart())
    }
  }
  await crash
  await assertLog(log, topic, values, await Promise.all(appended))
})

test(
  'a writer that was taken over while its broker restarted is fenced and does not fence its successor',
  { timeout: STORY_MS },
  async () => {
    await using log = await proxied()
    const topic = await freshTopic(log)
    await using writer = await openWriter(log, topic)
    await appendEach(writer, ['first'])
    proxy.hold()
    const late = appendEach(writer, ['late'])
    await kafka.restart()
    await using beside = await straight()
    await using successor = await openWriter(beside, topic)
    await appendEach(successor, ['second'])
    proxy.release()
    await assert.rejects(late, (error) => hasCode(error, 'fenced'))
    await appendEach(successor, ['third'])
    await assertLog(beside, topic, ['first', 'second', 'third'])
  },
)

test('a reader goes on where it was when the broker restarts', { timeout: STORY_MS }, async () => {
  await using log = await straight()
  const topic = await freshTopic(log)
  await using writer = await openWriter(log, topic)
  await using reader = await log.openReader({ signal: storySignal() })
  await appendEach(writer, ['before'])
  const stop = new AbortController()
  const seen: string[] = []
  const signal = AbortSignal.any([stop.signal, storySignal()])
  for await (const { records } of reader.read({ topic, from: new Map([[0, 0]]), signal })) {
    seen.push(...records.map(({ value }) => String(value)))
    if (seen.length === 1) {
      await kafka.restart()
      await appendEach(writer, ['after'])
    } else stop.abort()
  }
  assert.deepEqual(seen, ['before', 'after'])
})
