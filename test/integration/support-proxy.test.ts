// needs: kafka
// The proxy before Kafka: each fault does to single requests what it says, and nothing else.

import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { Kafka, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { startKafka } from '../support/kafka.ts'
import type { KafkaCluster } from '../support/kafka.ts'
import { createTopic } from '../support/kafka-topic.ts'
import { startKafkaProxy } from '../support/kafka-proxy.ts'
import type { KafkaProxy } from '../support/kafka-proxy.ts'

const TOPIC = 'proxied'

describe('proxy', () => {
  let cluster: KafkaCluster
  let proxy: KafkaProxy
  let producer: Producer

  before(async () => {
    cluster = await startKafka({ proxied: true })
    await createTopic(cluster.brokers, { topic: TOPIC })
  })
  after(() => cluster[Symbol.asyncDispose]())

  beforeEach(async () => {
    proxy = await startKafkaProxy({ upstream: cluster })
    const kafka = new Kafka({
      brokers: cluster.proxiedBrokers.split(','),
      logLevel: logLevel.NOTHING,
      requestTimeout: 1000,
      retry: { retries: 0 },
    })
    producer = kafka.producer({ idempotent: false, retry: { retries: 0 } })
    await producer.connect()
    await send() // the first one also asks for metadata
  })
  afterEach(async () => {
    // A client whose connection was destroyed may fail to say goodbye.
    await producer.disconnect().catch(() => {})
    await proxy[Symbol.asyncDispose]()
  })

  async function withAdmin<T>(use: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
    const admin = new Kafka({ brokers: cluster.brokers.split(','), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      return await use(admin)
    } finally {
      await admin.disconnect()
    }
  }

  async function endOffset(): Promise<number> {
    const [partition] = await withAdmin((admin) => admin.fetchTopicOffsets(TOPIC))
    return Number(partition?.high)
  }

  async function send(): Promise<unknown> {
    return producer.send({ topic: TOPIC, messages: [{ key: 'a', value: '1' }] })
  }

  test('clients stay behind it after they have asked for metadata', () => {
    const apis = proxy.requests.map(({ api }) => api)
    assert.ok(apis.includes('Metadata'))
    assert.ok(apis.includes('Produce'))
  })

  test('a swallowed response means a record on the topic and a client without an answer', async () => {
    const start = await endOffset()
    const fault = proxy.swallow({ api: 'Produce', skip: 1 })
    await send()
    await assert.rejects(send(), /timed out/)
    await fault.done
    assert.equal(await endOffset(), start + 2)
    assert.equal(proxy.counters.swallowed, 1)
    await send()
  })

  test('a delayed response comes, late', async () => {
    const fault = proxy.delay({ api: 'Produce', ms: 300 })
    const startMs = performance.now()
    await send()
    await fault.done
    assert.ok(performance.now() - startMs >= 290)
  })

  test('a connection cut after the request leaves the record, one cut before it does not', async () => {
    const start = await endOffset()
    const late = proxy.cutAfterRequest({ api: 'Produce' })
    await assert.rejects(send())
    await late.done
    assert.equal(await endOffset(), start + 1)

    await producer.connect()
    const never = proxy.cutBeforeRequest({ api: 'Produce' })
    await assert.rejects(send())
    await never.done
    assert.equal(await endOffset(), start + 1)
  })

  test('cut ends every connection', async () => {
    const seen = proxy.nextRequest('Produce')
    proxy.hold('responses')
    const refusal = assert.rejects(send())
    await seen
    proxy.cut()
    await refusal
    proxy.release()
  })

  test('a held connection stays open and silent until it is released', async () => {
    const start = await endOffset()
    proxy.hold()
    await assert.rejects(send(), /timed out/)
    assert.equal(await endOffset(), start)
    const seen = proxy.nextRequest('Produce')
    proxy.release()
    await seen
  })

  test('a refused connection is refused by the kernel, open ones go on', async () => {
    await proxy.refuse(true)
    await send()
    proxy.cut()
    await assert.rejects(send(), /ECONNREFUSED|Closed connection/)
    await proxy.refuse(false)
    await producer.connect()
    await send()
  })
})
