// needs: kafka
// A cache meets real compaction, whose tombstones are gone when it comes back: it keeps no ghost, from a snapshot or from memory.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createMetrics } from '../../src/base/metrics.ts'
import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { connect } from '../../src/connect/connect.ts'
import { topicCache, type TopicCache, type TopicCacheOptions } from '../../src/consumer/topic-cache.ts'
import { isReservedKey } from '../../src/record/control.ts'
import { entriesOf } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import type { TopicLog, TopicRecord, TopicWriter } from '../../src/topic/port.ts'
import { readAll } from '../conformance/log-content.ts'
import { until } from '../support/informers.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { noting, progress, record, short, type Pod } from '../unit/consumer/support.ts'

const HOUR_MS = 3_600_000
/** Compacts as soon as it can; a segment ends when a record is half an hour younger than its first. */
const COMPACTED = {
  'cleanup.policy': 'compact',
  'segment.ms': String(HOUR_MS / 2),
  'min.cleanable.dirty.ratio': '0.001',
  'delete.retention.ms': '4000',
}

const signal = AbortSignal.timeout(240_000)
const life = new AsyncDisposableStack()
let kafka: KafkaCluster
let proxy: KafkaProxy
let log: TopicLog

before(async () => {
  kafka = life.use(await startKafka({ proxied: true, properties: { 'log.cleaner.backoff.ms': '200' } }))
  proxy = life.use(await startKafkaProxy({ upstream: kafka }))
  log = life.use(await connect(`kafka://${kafka.brokers}`, { signal }))
})

after(() => life.disposeAsync())

for (const partitions of [1, 6]) {
  test(`deletes whose tombstones are gone are told all the same, with ${partitions} partitions`, async () => {
    const cluster = `gone-${partitions}`
    await using bridge = await Bridge.start(`kubedelta.${cluster}.pods`, partitions, COMPACTED)
    const names = Array.from({ length: 12 }, (_, index) => `pod-${index}`)
    await bridge.write(names.map((name, index) => record(name, index + 1)))

    const { directory, cutOff } = { directory: life.use(temporaryFolder('compaction')).path, cutOff: createMetrics() }
    const where = { from: `kafka://${kafka.proxiedBrokers}`, cluster, resource: 'pods' }
    {
      // Leaves a snapshot behind.
      await using stopped = await Cache.live({ ...where, snapshot: { directory } })
      assert.equal(stopped.cache.size(), 12)
    }
    await using running = await Cache.live({ ...where, metrics: cutOff })
    proxy.hold()
    const gone = names.filter((_, index) => index % 2 === 0)
    await bridge.write(gone.map((name, index) => record(name, 100 + index, { op: 'DELETED', uid: `uid-${name}` })))
    await bridge.write([record('pod-1', 200, { op: 'UPDATED' }), record('new', 201)])
    await bridge.compacted(gone)
    assert.equal(running.cache.size(), 12, 'it shows what it has')
    assert.ok((running.cache.status().staleMs ?? 0) > 2_000)

    proxy.release()
    await bridge.write([])
    const expected = ['new@201', 'pod-1@200', ...names.filter((_, index) => index % 2 === 1).slice(1)].length
    await until(
      running.cache,
      () => running.cache.size() === expected && running.cache.get('shop/new') !== undefined,
      signal,
    )
    await ready(
      async () => assert.equal(running.heard.filter((line) => line.startsWith('delete')).length, gone.length),
      {
        what: 'the handler',
      },
    )
    const deletes = running.heard.filter((line) => line.startsWith('delete'))
    assert.deepEqual(
      deletes.toSorted(),
      gone.map((name) => `delete ${name}@${names.indexOf(name) + 1} unknown`).toSorted(),
    )
    assert.match(await cutOff.text(), /kubedelta_cache_rebuilds_total\{resource="pods",reason="cut-off"\} [1-9]/)

    const resumed = createMetrics()
    await using restarted = await Cache.live({ ...where, metrics: resumed, snapshot: { directory } })
    assert.deepEqual(restarted.held(), running.held())
    assert.ok(restarted.heard.every((line) => line.startsWith('add') && line.endsWith('initial')))
    assert.match(await resumed.text(), /kubedelta_cache_snapshot_reads_total\{resource="pods",result="too-old"\} 1/)
  })

  test(`a cache goes on from its snapshot over compaction, with ${partitions} partitions`, async () => {
    const cluster = `warm-${partitions}`
    const config = { ...COMPACTED, 'delete.retention.ms': '86400000' }
    await using bridge = await Bridge.start(`kubedelta.${cluster}.pods`, partitions, config)
    await bridge.write(['a', 'b', 'c', 'd'].map((name, index) => record(name, index + 1)))
    const { path: directory } = life.use(temporaryFolder('compaction'))
    const where = { from: `kafka://${kafka.brokers}`, cluster, resource: 'pods', snapshot: { directory } }
    {
      await using stopped = await Cache.live(where)
      assert.equal(stopped.cache.size(), 4)
    }
    await bridge.write([record('a', 10, { op: 'UPDATED' }), record('b', 11, { op: 'DELETED' }), record('e', 12)])
    // Only the tombstone is left of b: it is what tells of the delete.
    await bridge.rolled(async () => {
      const values = (await readAll(log, bridge.topic)).filter((each) => each.value !== null)
      assert.ok(values.every((each) => each.key.toString() !== 'shop/b'))
    })
    const metrics = createMetrics()
    await using resumed = await Cache.live({ ...where, metrics })
    assert.deepEqual(resumed.held(), ['a@10', 'c@3', 'd@4', 'e@12'])
    assert.match(await metrics.text(), /kubedelta_cache_snapshot_reads_total\{resource="pods",result="resumed"\} 1/)
    assert.doesNotMatch(await metrics.text(), /rebuilds_total\{/)
  })
}

const encode = encodeRecord({ kind: 'avro' })

/** Writes a topic as a bridge does, hours apart so that segments end. */
class Bridge implements AsyncDisposable {
  readonly topic: string
  readonly #partitions: number
  readonly #writer: TopicWriter
  #atMs = Date.now() - 1_000 * HOUR_MS
  #resourceVersion = 1

  private constructor(topic: string, partitions: number, writer: TopicWriter) {
    this.topic = topic
    this.#partitions = partitions
    this.#writer = writer
  }

  static async start(topic: string, partitions: number, config: Readonly<Record<string, string>>): Promise<Bridge> {
    const spec = topicSpec({ topic, partitions })
    await log.admin.create({ ...spec, config: new Map(Object.entries(config)) }, signal)
    const writer = await log.openWriter({ topic, transactionalId: `kubedelta/${topic}`, signal })
    return new Bridge(topic, partitions, writer)
  }

  /** Appends records, and progress behind them on every partition. */
  async write(records: readonly KubeRecord[]): Promise<void> {
    this.#atMs += HOUR_MS
    const appended = records.map((each) => {
      const made = toTopicRecords(entriesOf(each), encode).map((one): TopicRecord => ({
        ...one,
        timestampMs: this.#atMs,
      }))
      this.#resourceVersion = Math.max(this.#resourceVersion, Number(each.resourceVersion))
      return this.#writer.append(partitionOf(made[0]?.key ?? Buffer.alloc(0), this.#partitions), { records: made })
    })
    const control = progress(this.#resourceVersion, { partitions: this.#partitions })
    const stored = { ...toControlRecord(control), timestampMs: this.#atMs }
    for (let partition = 0; partition < this.#partitions; partition++) {
      appended.push(this.#writer.append(partition, { records: [stored] }))
    }
    await Promise.all(appended)
  }

  /** Lets segments end until the claim holds: what is active is never compacted. */
  async rolled(claim: () => Promise<void>): Promise<void> {
    await ready(
      async () => {
        await this.write([])
        await claim()
      },
      { what: `compaction of ${this.topic}`, timeoutMs: 60_000 },
    )
  }

  /** Resolves once nothing on the topic tells of these names any more. */
  async compacted(names: readonly string[]): Promise<void> {
    const keys = new Set(names.map((name) => `shop/${name}`))
    await this.rolled(async () => {
      const left = (await readAll(log, this.topic)).filter(({ key }) => !isReservedKey(key.toString()))
      assert.deepEqual(
        left.map(({ key }) => key.toString()).filter((key) => keys.has(key)),
        [],
      )
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]()
  }
}

/** A cache that runs, and what its handler hears. */
class Cache implements AsyncDisposable {
  readonly cache: TopicCache<Pod>
  readonly heard: string[] = []
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>

  private constructor(options: TopicCacheOptions<Pod>) {
    this.cache = topicCache<Pod>(options)
    this.cache.addHandler(noting(this.heard))
    this.#ended = this.cache.run(this.#stop.signal)
    // Whoever disposes of it gets the failure.
    this.#ended.catch(() => {})
  }

  static async live(options: TopicCacheOptions<Pod>): Promise<Cache> {
    const cache = new Cache(options)
    await cache.cache.whenLive(signal)
    return cache
  }

  held(): readonly string[] {
    return this.cache.list().map(short).toSorted()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }
}
