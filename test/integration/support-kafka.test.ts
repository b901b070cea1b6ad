// needs: kafka
// The Kafka of the tests: its life, its listeners, its permissions.

import { after, before, describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { Kafka, logLevel } from 'kafkajs'
import { startKafka } from '../support/kafka.ts'
import type { KafkaCluster } from '../support/kafka.ts'
import { createTopic } from '../support/kafka-topic.ts'
import { askCluster } from '../support/kafka-wire.ts'

function client(brokers: string, user?: { username: string; password: string }): Kafka {
  return new Kafka({
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    ...(user === undefined ? {} : { sasl: { mechanism: 'plain', ...user } }),
  })
}

describe('one node', () => {
  let cluster: KafkaCluster
  before(async () => {
    cluster = await startKafka({ authorizer: true })
  })
  after(() => cluster[Symbol.asyncDispose]())

  test('a record is there after a stop and after a crash, at the same address', async () => {
    const kafka = client(cluster.brokers)
    await createTopic(cluster.brokers, { topic: 'kept' })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: 'kept', messages: [{ key: 'a', value: '1' }] })
    await producer.disconnect()

    const address = cluster.brokers
    await cluster.restart()
    await cluster.kill()
    await assert.rejects(askCluster(address), /ECONNREFUSED/)
    await cluster.restart()

    assert.equal(cluster.brokers, address)
    const again = kafka.admin()
    await again.connect()
    const [offsets] = await again.fetchTopicOffsets('kept')
    await again.disconnect()
    assert.equal(offsets?.high, '1')
  })

  test('a user without permission is refused where an administrator is not', async () => {
    assert.ok(cluster.sasl)
    const { brokers, admin, reader } = cluster.sasl
    const topics = [{ topic: 'guarded', numPartitions: 1 }]

    const weak = client(brokers, reader).admin()
    await weak.connect()
    await assert.rejects(weak.createTopics({ topics }), { name: 'KafkaJSAggregateError' })
    await weak.disconnect()

    const strong = client(brokers, admin).admin()
    await strong.connect()
    assert.equal(await strong.createTopics({ topics, waitForLeaders: false }), true)
    await strong.disconnect()
  })

  test('a wrong password is refused', async () => {
    assert.ok(cluster.sasl)
    const stranger = client(cluster.sasl.brokers, { username: 'reader', password: 'wrong' }).admin()
    await assert.rejects(stranger.connect(), /Authentication failed/)
  })
})

test('three nodes go on without one of them', async () => {
  await using cluster = await startKafka({ nodes: 3 })
  const [first = '', second = '', third = ''] = cluster.brokers.split(',')
  assert.deepEqual((await askCluster(first)).brokers.length, 3)

  await cluster.stop(0)
  await createTopic(`${second},${third}`, { topic: 'replicated', replicationFactor: 2 })

  await cluster.restart(0)
  assert.deepEqual((await askCluster(first)).brokers.length, 3)
})
