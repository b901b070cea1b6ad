// needs: kafka
// Caches over a real broker when topics come, go and come back.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { connect } from '../../src/connect/connect.ts'
import { topicCacheFactory } from '../../src/consumer/topic-cache-factory.ts'
import { topicCache, type TopicCache } from '../../src/consumer/topic-cache.ts'
import { entriesOf } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { deleteTopic } from '../conformance/kafka-operator.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { ready } from '../support/ready.ts'
import { until } from '../support/informers.ts'
import { noting, progress, record, short, type Pod } from '../unit/consumer/support.ts'

const signal = AbortSignal.timeout(240_000)
const life = new AsyncDisposableStack()
let kafka: KafkaCluster
let log: TopicLog

before(async () => {
  kafka = life.use(await startKafka())
  log = life.use(await connect(`kafka://${kafka.brokers}`, { signal }))
})

after(() => life.disposeAsync())

test('a topic that is deleted and created anew is read again, and what is gone is deleted', async () => {
  const topic = 'kubedelta.anew.pods'
  await publish(
    topic,
    2,
    'old',
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => record(name, 1)),
  )
  const where = { from: `kafka://${kafka.brokers}`, cluster: 'anew', resource: 'pods' }
  const cache = topicCache<Pod>(where)
  const heard: string[] = []
  cache.addHandler(noting(heard))
  await using running = run(cache)
  await running.whenLive()
  assert.equal(cache.size(), 6)

  await deleteTopic(kafka, topic)
  await publish(topic, 3, 'new', [record('a', 9), record('z', 10)])
  await until(cache, () => cache.size() === 2, signal)
  assert.deepEqual(cache.list().map(short).toSorted(), ['a@9', 'z@10'])
  await cache.whenState('Live', signal)
  assert.equal(cache.status().stream?.streamId, 'new')
  assert.equal(cache.status().partitions.size, 3)
  const gone = ['b', 'c', 'd', 'e', 'f'].map((name) => `delete ${name}@1 unknown`)
  await ready(async () => assert.equal(heard.length, 6 + 7), { what: 'the handler' })
  assert.deepEqual(heard.slice(6).toSorted(), ['add z@10', ...gone, 'update a@1 a@9'])
})

test('a factory reads many topics over one connection, and finds those that are created later', async () => {
  const prefix = 'many'
  await publish(`${prefix}.one.pods`, 1, 's', [record('a', 1)])
  const factory = topicCacheFactory({ from: `kafka://${kafka.brokers}`, cluster: 'one', prefix })
  const pods = factory.cache<Pod>('po')
  const found = Promise.withResolvers<TopicCache<Pod>>()
  factory.subscribe(
    /^many\.one\./,
    ({ topic, resource }) => {
      const cache = factory.cache<Pod>(resource, { topic })
      if (resource === 'pods') assert.equal(cache, pods)
      else found.resolve(cache)
    },
    { pollMs: 200 },
  )
  await using running = run(factory)
  await running.whenLive()
  assert.deepEqual(pods.list().map(short), ['a@1'])

  const scope = 'deployments.apps; namespaces: *; labels: *; fields: *'
  const deployment = record('d', 5, { group: 'apps', version: 'v1', resource: 'deployments', kind: 'Deployment' })
  await publish(`${prefix}.one.deployments.apps`, 1, 's', [deployment], scope)
  const later = await found.promise
  await later.whenLive(signal)
  assert.deepEqual([later.resource, later.list().map(short)], ['deployments.apps', ['d@5']])
})

test('a topic that is missing is a clear error', async () => {
  const cache = topicCache<Pod>({
    from: `kafka://${kafka.brokers}`,
    cluster: 'none',
    resource: 'pods',
    startupTimeoutMs: 2_000,
  })
  await assert.rejects(cache.run(signal), { code: 'topic-missing', message: /Cannot read topic kubedelta.none.pods/ })
})

/** Creates a topic and writes it as a bridge that has finished its first list. */
async function publish(
  topic: string,
  partitions: number,
  streamId: string,
  records: readonly KubeRecord[],
  scope = progress(1).scope,
): Promise<void> {
  await log.admin.create(topicSpec({ topic, partitions }), signal)
  await using writer = await log.openWriter({ topic, transactionalId: `kubedelta/${topic}`, signal })
  const control = { ...progress(10, { streamId, scope }), partitions }
  const appended: Promise<unknown>[] = []
  for (const content of [{ ...control, kind: 'fence' as const }, ...records, control]) {
    if ('op' in content) {
      for (const each of toTopicRecords(entriesOf(content), encodeRecord({ kind: 'avro' }))) {
        appended.push(writer.append(partitionOf(each.key, partitions), { records: [each] }))
      }
    } else {
      for (let partition = 0; partition < partitions; partition++) {
        appended.push(writer.append(partition, { records: [toControlRecord(content)] }))
      }
    }
  }
  await Promise.all(appended)
}

interface Running extends AsyncDisposable {
  whenLive(): Promise<void>
}

/** Runs it; disposing ends it and throws what it failed with. */
function run(runnable: {
  run(signal: AbortSignal): Promise<void>
  whenLive(signal: AbortSignal): Promise<void>
}): Running {
  const stop = new AbortController()
  const ended = runnable.run(stop.signal)
  // Whoever disposes of it gets the failure.
  ended.catch(() => {})
  return {
    whenLive: () => runnable.whenLive(signal),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}
