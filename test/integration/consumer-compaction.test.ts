// needs: kafka
// A cache meets real compaction, whose tombstones are gone when it comes back: it keeps no ghost, from a snapshot, from memory or in a process that stood still.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connect } from '../../src/connect/connect.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { ConsumerProcess } from '../chaos/consumer-process.ts'
import { deleteTopic } from '../conformance/kafka-operator.ts'
import { readAll } from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { COMPACTED, StoryCache, StoryTopic } from '../support/topic-story.ts'

/** A cache that was away for two seconds may have missed tombstones. */
const FORGETFUL = { ...COMPACTED, 'delete.retention.ms': '4000' }
const NAMES = Array.from({ length: 12 }, (_, index) => `pod-${index}`)
const GONE = NAMES.filter((_, index) => index % 2 === 0)

const signal = AbortSignal.timeout(240_000)
const life = new AsyncDisposableStack()
let kafka: KafkaCluster
let proxy: KafkaProxy
let log: TopicLog

before(async () => {
  kafka = life.use(await startKafka({ proxied: true }))
  proxy = life.use(await startKafkaProxy({ upstream: kafka }))
  log = life.use(await connect(`kafka://${kafka.brokers}`, { signal }))
})

after(() => life.disposeAsync())

for (const partitions of [1, 6]) {
  test(`deletes whose tombstones are gone are told all the same, with ${partitions} partitions`, async () => {
    const cluster = `gone-${partitions}`
    await using topic = await StoryTopic.create({ log, cluster, partitions, config: FORGETFUL }, signal)
    await topic.set(...NAMES)
    const first = topic.truth()
    const snapshot = { directory: life.use(temporaryFolder('compaction')).path }
    const where = { from: `kafka://${kafka.proxiedBrokers}`, cluster, resource: 'pods' }
    {
      // Leaves a snapshot behind.
      await using stopped = await StoryCache.live({ ...where, snapshot }, signal)
      assert.deepEqual(stopped.held(), first)
    }
    await using running = await StoryCache.live(where, signal)
    proxy.hold()
    try {
      await topic.delete(...GONE)
      await topic.set('pod-1', 'new')
      await topic.compacted(GONE)
      assert.deepEqual(running.held(), first, 'it shows what it has')
      assert.ok((running.cache.status().staleMs ?? 0) > 2_000)
    } finally {
      proxy.release()
    }
    await topic.set()
    await running.shows(() => topic.truth())
    assert.deepEqual(
      running.heard.filter((line) => line.startsWith('delete')).toSorted(),
      first.filter((pod) => GONE.includes(pod.replace(/@.*/, ''))).map((pod) => `delete ${pod} unknown`),
    )
    assert.ok((await running.rebuilds()).includes('cut-off'))

    await using restarted = await StoryCache.live({ ...where, snapshot }, signal)
    await restarted.shows(() => topic.truth())
    assert.ok(restarted.heard.every((line) => line.startsWith('add') && line.endsWith('initial')))
    assert.match(await restarted.metrics.text(), /snapshot_reads_total\{resource="pods",result="too-old"\} 1/)
  })

  test(`a cache goes on from its snapshot over compaction, with ${partitions} partitions`, async () => {
    const cluster = `warm-${partitions}`
    const config = { ...COMPACTED, 'delete.retention.ms': '86400000' }
    await using topic = await StoryTopic.create({ log, cluster, partitions, config }, signal)
    await topic.set('a', 'b', 'c', 'd')
    const snapshot = { directory: life.use(temporaryFolder('compaction')).path }
    const where = { from: `kafka://${kafka.brokers}`, cluster, resource: 'pods', snapshot }
    await (await StoryCache.live(where, signal))[Symbol.asyncDispose]()
    await topic.set('a', 'e')
    await topic.delete('b')
    // Only the tombstone is left of b: it is what tells of the delete.
    await topic.rolled(async () => {
      const values = (await readAll(log, topic.topic)).filter((each) => each.value !== null)
      assert.ok(values.every((each) => each.key.toString() !== 'shop/b'))
    })
    await using resumed = await StoryCache.live(where, signal)
    await resumed.shows(() => topic.truth())
    assert.match(await resumed.metrics.text(), /snapshot_reads_total\{resource="pods",result="resumed"\} 1/)
    assert.deepEqual(await resumed.rebuilds(), [])
  })

  test(`a process that stood still meanwhile shows no ghost and tells the deletes, with ${partitions} partitions`, async () => {
    // As ConsumerProcess calls it.
    const cluster = 'test'
    const topic = await StoryTopic.create({ log, cluster, partitions, config: FORGETFUL }, signal)
    await topic.set(...NAMES)
    await using consumer = new ConsumerProcess(kafka.brokers, 'pods')
    const isEqual = async (): Promise<void> => {
      const { state, objects, violations } = await consumer.report()
      // Among them what its handlers were told and the cache does not show.
      assert.deepEqual(violations, [])
      assert.equal(state, 'Live')
      const held = objects.map(([key, , version]) => `${key.slice('shop/'.length)}@${version}`)
      assert.deepEqual(held.toSorted(), topic.truth())
    }
    await ready(isEqual, { what: 'the consumer' })
    consumer.signal('SIGSTOP')
    await topic.delete(...GONE)
    await topic.set('pod-1', 'new')
    await topic.compacted(GONE)
    consumer.signal('SIGCONT')
    await topic.set('last')
    await ready(isEqual, { what: 'the consumer after its stop' })
    await topic[Symbol.asyncDispose]()
    await deleteTopic(kafka, topic.topic)
  })
}
