// needs: kafka
// What a broker does not allow, and brokers that cannot be reached, give one clear error each.

import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { hasCode, type ErrorCode } from '../../src/base/errors.ts'
import { connect } from '../../src/connect/connect.ts'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { appendEach, freshTopic, openWriter, STORY_MS, storySignal } from '../conformance/log-content.ts'
import { recordingLogger } from '../conformance/recording-logger.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'

let kafka: KafkaCluster
let admin: TopicLog

before(async () => {
  kafka = await startKafka({ authorizer: true })
  admin = await openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal() })
})

after(async () => {
  await admin[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

async function as(user: 'admin' | 'reader', password?: string): Promise<TopicLog> {
  assert.ok(kafka.sasl)
  const credentials = kafka.sasl[user]
  const sasl = { mechanism: 'plain', ...credentials, password: password ?? credentials.password } as const
  return openKafkaLog({
    brokers: kafka.sasl.brokers.split(','),
    signal: storySignal(),
    security: { sasl },
    startupTimeoutMs: 5_000,
  })
}

function withCode(code: ErrorCode, ...words: readonly string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(hasCode(error, code), String(error))
    for (const word of words) assert.ok(error.message.includes(word), error.message)
    return true
  }
}

test('credentials let a client in', { timeout: STORY_MS }, async () => {
  await using log = await as('admin')
  const topic = await freshTopic(log)
  await using writer = await openWriter(log, topic)
  await appendEach(writer, ['value'])
})

test('a wrong password is refused at once', { timeout: STORY_MS }, async () => {
  await assert.rejects(as('admin', 'wrong'), withCode('unauthorized'))
})

test('without permission nothing is listed, described, written or read', { timeout: STORY_MS }, async () => {
  const topic = await freshTopic(admin)
  await using log = await as('reader')
  const signal = storySignal()
  assert.ok(!(await log.admin.list(signal)).includes(topic))
  await assert.rejects(log.admin.describe(topic, signal), withCode('forbidden', topic))
  await assert.rejects(log.admin.offsets(topic, 'latest', signal), withCode('forbidden', topic))
  await assert.rejects(openWriter(log, topic), withCode('forbidden', topic))
  const spec = { topic: 'conformance.forbidden', partitions: 1, replicationFactor: -1, config: new Map() }
  await assert.rejects(log.admin.create(spec, signal), withCode('forbidden', 'Create', spec.topic))
  await using reader = await log.openReader({ signal })
  const read = async (): Promise<void> => {
    for await (const { records } of reader.read({ topic, from: new Map([[0, 0]]), signal }))
      assert.fail(String(records.length))
  }
  await assert.rejects(read, withCode('forbidden', topic))
})

test('an invalid topic is rejected with the word of the broker', { timeout: STORY_MS }, async () => {
  const spec = {
    topic: 'conformance.invalid',
    partitions: 1,
    replicationFactor: -1,
    config: new Map([['cleanup.policy', 'tidy']]),
  }
  await assert.rejects(admin.admin.create(spec, storySignal()), withCode('rejected', 'tidy'))
  const many = { ...spec, config: new Map(), replicationFactor: 3 }
  await assert.rejects(admin.admin.create(many, storySignal()), withCode('rejected', 'replication'))
})

test('a broker that refuses connections is named with the reason', { timeout: STORY_MS }, async () => {
  const signal = storySignal()
  const opening = connect('kafka://127.0.0.1:1', { signal, startupTimeoutMs: 500 })
  await assert.rejects(opening, withCode('unreachable', '127.0.0.1:1', 'ECONNREFUSED'))
})

test('a server that never answers is given up in time', { timeout: STORY_MS }, async () => {
  await using server = createServer((socket) => socket.on('error', () => {}).resume())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const brokers = [`127.0.0.1:${address.port}`]
  const opening = openKafkaLog({ brokers, signal: storySignal(), startupTimeoutMs: 500 })
  await assert.rejects(opening, withCode('timeout', brokers[0] ?? ''))
})

test('an abort ends the attempt to connect', { timeout: STORY_MS }, async () => {
  const stop = new AbortController()
  const opening = connect('kafka://127.0.0.1:1', { signal: stop.signal })
  stop.abort(new Error('stopped by the test'))
  await assert.rejects(opening, /stopped by the test/)
})

test('lines of kafkajs reach the log without secrets', { timeout: STORY_MS }, async () => {
  assert.ok(kafka.sasl)
  const log = recordingLogger()
  const sasl = { mechanism: 'plain', username: 'admin', password: 'planted-secret' } as const
  const opening = openKafkaLog({
    brokers: kafka.sasl.brokers.split(','),
    signal: storySignal(),
    security: { sasl },
    log,
  })
  await assert.rejects(opening, withCode('unauthorized'))
  assert.ok(log.lines.some(({ message }) => message === 'kafkajs'))
  assert.ok(!JSON.stringify(log.lines).includes('planted-secret'))
})
