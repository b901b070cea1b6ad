// needs: kafka
// A transactional id that nobody takes expires, and a producer that writes nothing is forgotten: neither lets two writers write.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { openKafkaLog, type KafkaLogOptions } from '../../src/kafka/kafka-log.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import {
  appendEach,
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  readAll,
  STORY_MS,
  storySignal,
} from '../conformance/log-content.ts'
import { recordingLogger, type RecordingLogger } from '../conformance/recording-logger.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'
import { askProducers } from '../support/kafka-wire.ts'
import { ready } from '../support/ready.ts'

let kafka: KafkaCluster
let proxy: KafkaProxy

before(async () => {
  kafka = await startKafka({
    proxied: true,
    properties: {
      'transactional.id.expiration.ms': '2000',
      'transaction.remove.expired.transaction.cleanup.interval.ms': '200',
    },
  })
  proxy = await startKafkaProxy({ upstream: kafka })
})

after(async () => {
  await proxy[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

async function straight(options: Partial<KafkaLogOptions> = {}): Promise<TopicLog> {
  return openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal(), ...options })
}

async function proxied(options: Partial<KafkaLogOptions> = {}): Promise<TopicLog> {
  const brokers = kafka.proxiedBrokers.split(',')
  return openKafkaLog({ brokers, signal: storySignal(), requestTimeoutMs: 2_000, ...options })
}

/** Waits until the coordinator has removed a transactional id: its last word on it is a tombstone then. */
async function untilExpired(log: TopicLog, transactionalId: string): Promise<void> {
  await ready(
    async () => {
      const states = await readAll(log, '__transaction_state')
      const last = states.findLast(({ key }) => key.toString().endsWith(transactionalId))
      assert.ok(last !== undefined && last.value === null)
    },
    { what: `the expiry of ${transactionalId}` },
  )
}

/** Waits until the broker knows nobody any more who wrote to the topic. */
async function untilForgotten({ brokers }: KafkaCluster, topic: string): Promise<void> {
  await ready(async () => assert.equal(await askProducers(brokers, topic, 0), 0), {
    what: `the expiry of the producers of ${topic}`,
  })
}

function raised(logger: RecordingLogger): number {
  return logger.lines.filter(({ message }) => message === 'raised the producer epoch').length
}

test(
  'a writer that is taken over later is refused, since it kept its transactional id',
  { timeout: STORY_MS },
  async () => {
    const logger = recordingLogger()
    await using careless = await straight()
    await using careful = await straight({ renewalIntervalMs: 300, log: logger })
    await using beside = await straight()
    const [expiring, kept] = [await freshTopic(beside), await freshTopic(beside, { partitions: 2 })]
    const stories = [
      { topic: expiring, old: await openWriter(careless, expiring) },
      { topic: kept, old: await openWriter(careful, kept) },
    ]
    for (const { old } of stories) await appendEach(old, ['first'])
    await untilExpired(beside, `conformance/${expiring}`)
    const [lost, found] = await Promise.all(stories.map(async ({ topic }) => openWriter(beside, topic)))
    assert.ok(lost !== undefined && found !== undefined)
    await Promise.all([appendEach(lost, ['second']), appendEach(found, ['second']), appendEach(found, ['other'], 1)])

    // What renewing is for: without it the coordinator knows the old writer no more, and no broker refuses it.
    await appendEach(stories[0]?.old ?? lost, ['zombie'])
    await assertLog(beside, expiring, ['first', 'second', 'zombie'])
    assert.notEqual(lost.producerId, stories[0]?.old.producerId)

    assert.equal(found.producerId, stories[1]?.old.producerId)
    assert.ok(raised(logger) > 0)
    for (const partition of [0, 1]) {
      await assert.rejects(appendEach(stories[1]?.old ?? found, ['zombie'], partition), (error) =>
        hasCode(error, 'fenced'),
      )
    }
    await assertLog(beside, kept, ['first', 'second', 'other'])
  },
)

test(
  'a renewal whose answer is lost does not fence the writer, and appends go on in order',
  { timeout: STORY_MS },
  async () => {
    const logger = recordingLogger()
    await using log = await proxied({ renewalIntervalMs: 200, log: logger })
    await using beside = await straight()
    const topic = await freshTopic(beside, { partitions: 1 })
    await using writer = await openWriter(log, topic)
    const values = numbered('value', 2_000)
    const lost = proxy.swallow({ api: 'InitProducerId' })
    const appended = []
    for (const value of values) {
      appended.push(...(await appendEach(writer, [value])))
      if (lost.struck === 1 && raised(logger) >= 3) break
    }
    await lost.done
    assert.ok(raised(logger) >= 3)
    await assertLog(beside, topic, values.slice(0, appended.length), appended)
  },
)

test(
  'a leader that wrote nothing for too long goes on behind what a zombie got in meanwhile',
  { timeout: STORY_MS },
  async () => {
    const logger = recordingLogger()
    const properties = { 'producer.id.expiration.ms': '2000', 'producer.id.expiration.check.interval.ms': '200' }
    await using forgetful = await startKafka({ properties })
    const brokers = forgetful.brokers.split(',')
    await using zombies = await openKafkaLog({ brokers, signal: storySignal() })
    await using log = await openKafkaLog({ brokers, signal: storySignal(), log: logger })
    const topic = await freshTopic(log)
    await using zombie = await openWriter(zombies, topic)
    await appendEach(zombie, ['first'])
    await using writer = await openWriter(log, topic)
    await appendEach(writer, ['fence'])
    await untilForgotten(forgetful, topic)
    // This is why progress must come well inside producer.id.expiration.ms.
    await appendEach(zombie, ['zombie'])
    await appendEach(writer, ['second', 'third'])
    await assert.rejects(appendEach(zombie, ['late']), (error) => hasCode(error, 'fenced'))
    await assertLog(log, topic, ['first', 'fence', 'zombie', 'second', 'third'])
    assert.ok(logger.lines.some(({ message }) => message === 'reopening the writer'))
  },
)

test('a coordinator that can never start is an error that names the way out', { timeout: STORY_MS }, async () => {
  await using lone = await startKafka({ properties: { 'transaction.state.log.replication.factor': '3' } })
  const brokers = lone.brokers.split(',')
  await using log = await openKafkaLog({ brokers, signal: storySignal(), startupTimeoutMs: 2_000 })
  const topic = await freshTopic(log)
  await assert.rejects(openWriter(log, topic), (error) => {
    return (
      hasCode(error, 'unreachable') &&
      error.fields['kafkaError'] === 'COORDINATOR_NOT_AVAILABLE' &&
      /transaction\.state\.log\.replication\.factor must not be above the number of brokers/.test(error.message)
    )
  })
})
