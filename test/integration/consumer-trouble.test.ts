// needs: kafka
// A cache on real Kafka ends equal to the cluster whatever its log does meanwhile, and its handlers hear no contradiction.

import assert from 'node:assert/strict'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from '../../src/connect/connect.ts'
import type { TopicCacheOptions } from '../../src/consumer/topic-cache.ts'
import { readBatchHeader } from '../../src/kafka/batch-header.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { deleteRecords, deleteTopic } from '../conformance/kafka-operator.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'
import { temporaryFolder, type TemporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { StoryCache, StoryTopic, type StoryTopicOptions } from '../support/topic-story.ts'
import type { Pod } from '../unit/consumer/support.ts'

const signal = AbortSignal.timeout(240_000)
const life = new AsyncDisposableStack()
let kafka: KafkaCluster
let proxy: KafkaProxy
let log: TopicLog
let folder: TemporaryFolder

before(async () => {
  folder = life.use(temporaryFolder('broker'))
  kafka = life.use(await startKafka({ proxied: true, properties: { 'log.dirs': folder.path } }))
  proxy = life.use(await startKafkaProxy({ upstream: kafka }))
  log = life.use(await connect(`kafka://${kafka.brokers}`, { signal }))
})

after(() => life.disposeAsync())

/** A topic with the pods a to d. */
async function topicOf(cluster: string, options: Partial<StoryTopicOptions> = {}): Promise<StoryTopic> {
  const topic = await StoryTopic.create({ log, cluster, ...options }, signal)
  await topic.set('a', 'b', 'c', 'd')
  return topic
}

/** A live cache that comes by the proxy. */
function cacheOf(cluster: string, options: Partial<TopicCacheOptions<Pod>> = {}): Promise<StoryCache> {
  return StoryCache.live({ from: `kafka://${kafka.proxiedBrokers}`, cluster, resource: 'pods', ...options }, signal)
}

/** Lets caches hear nothing of their broker until it is ended, or disposed of. */
function holdBack(): Disposable & { readonly end: () => void } {
  const end = (): void => proxy.release()
  proxy.hold()
  return { end, [Symbol.dispose]: end }
}

/** The one segment of partition 0. */
function segmentOf({ topic }: StoryTopic): string {
  return join(folder.path, `${topic}-0`, '00000000000000000000.log')
}

/** Where the batches of a segment begin, and where the last one ends. */
function batchPlaces(segment: Buffer): readonly number[] {
  const places = [0]
  for (let at = 0; ;) {
    const header = readBatchHeader(segment, at)
    if (header === undefined) return places
    at += header.size
    places.push(at)
  }
}

test('records that were deleted before a cache came to them: it reads again, and what is gone is deleted', async () => {
  await using topic = await topicOf('out-of-range', {
    config: { 'cleanup.policy': 'compact,delete', 'retention.ms': '-1' },
  })
  await using cache = await cacheOf('out-of-range')
  using silence = holdBack()
  await topic.delete('b')
  await topic.set('c', 'e')
  const ends = await log.admin.offsets(topic.topic, 'latest', signal)
  await deleteRecords(kafka, topic.topic, ends)
  await topic.restart(signal)
  assert.deepEqual(cache.held(), ['a@2', 'b@3', 'c@4', 'd@5'], 'it shows what it has')
  silence.end()
  await cache.shows(() => topic.truth())
  assert.deepEqual(await cache.rebuilds(), ['offset-out-of-range'])
})

test('a topic that is deleted and created again under a cache: it becomes the new one', async () => {
  const former = await topicOf('recreated')
  await using cache = await cacheOf('recreated')
  await former[Symbol.asyncDispose]()
  await deleteTopic(kafka, former.topic)
  await using topic = await StoryTopic.create({ log, cluster: 'recreated', streamId: 'other' }, signal)
  await topic.set('b', 'x', 'y', 'z', 'w', 'v')
  await cache.shows(() => topic.truth())
  assert.notDeepEqual(await cache.rebuilds(), [])
})

test('a broker that lost the end of its log: caches that read it go back, from memory and from a snapshot', async () => {
  await using topic = await topicOf('truncated')
  const { path: directory } = life.use(temporaryFolder('truncated'))
  const snapshot = { directory }
  await using cache = await cacheOf('truncated')
  const kept = segmentOf(topic)
  const end = batchPlaces(readFileSync(kept)).at(-1) ?? 0
  await topic.set('a', 'lost')
  await topic.delete('d')
  await cache.shows(() => topic.truth())
  await (await cacheOf('truncated', { snapshot }))[Symbol.asyncDispose]()

  using silence = holdBack()
  await kafka.stop()
  // As after an unclean election: the leader never had what came last.
  truncateSync(kept, end)
  for (const index of ['index', 'timeindex']) rmSync(kept.replace(/log$/, index))
  await kafka.restart()
  // The bridge publishes what it finds missing, over the offsets that were read; of the lost pod it never hears.
  topic.vanish('lost')
  await topic.restart(signal)
  await topic.set('new', 'b', 'c', 'newer')
  assert.ok(
    cache.held().some((pod) => pod.startsWith('lost@')),
    'it shows what it has',
  )
  silence.end()
  await cache.shows(() => topic.truth())
  assert.deepEqual(await cache.rebuilds(), ['log-truncated'])
  await using resumed = await cacheOf('truncated', { snapshot })
  await resumed.shows(() => topic.truth())
  assert.match(await resumed.metrics.text(), /snapshot_reads_total\{resource="pods",result="resumed"\} 1/)
  assert.deepEqual(await resumed.rebuilds(), ['log-truncated'])
})

test('a record batch that a disk has broken: its key stays at its last good state, and the status tells', async () => {
  await using topic = await topicOf('broken')
  await using cache = await cacheOf('broken')
  using silence = holdBack()
  const before = batchPlaces(readFileSync(segmentOf(topic))).length
  await topic.set('b')
  await topic.set('c')
  await kafka.stop()
  const segment = readFileSync(segmentOf(topic))
  const at = (batchPlaces(segment)[before] ?? 0) - 5
  segment[at] = (segment[at] ?? 0) ^ 0x10
  writeFileSync(segmentOf(topic), segment)
  await kafka.restart()
  silence.end()

  const [, , c = ''] = topic.truth()
  await cache.shows(() => ['a@2', 'b@3', c, 'd@5'])
  assert.equal(cache.cache.status().brokenBatches, 1)
  await using fresh = await cacheOf('broken')
  await fresh.shows(() => ['a@2', 'b@3', c, 'd@5'])
  assert.equal(fresh.cache.status().brokenBatches, 1)
  await topic.set('b')
  for (const each of [cache, fresh]) {
    await each.shows(() => topic.truth())
    assert.deepEqual(await each.rebuilds(), [])
  }
})

test('a broker that is away: readers keep the last good state, and the status tells how old it is', async () => {
  await using topic = await topicOf('away')
  await using cache = await cacheOf('away')
  const truth = topic.truth()
  await kafka.stop()
  const staleFor = (ms: number): Promise<void> =>
    ready(async () => assert.ok((cache.cache.status().staleMs ?? 0) > ms), { what: `${ms} ms without contact` })
  await staleFor(3_000)
  assert.deepEqual(cache.held(), truth)
  assert.equal(cache.cache.status().state, 'Live')
  await kafka.restart()
  await topic.set('e')
  await topic.delete('a')
  await cache.shows(() => topic.truth())
  await ready(async () => assert.ok((cache.cache.status().staleMs ?? Infinity) < 3_000), { what: 'contact again' })
  assert.deepEqual(await cache.rebuilds(), [])
})
