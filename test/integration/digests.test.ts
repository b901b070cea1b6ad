// needs: kafka
// Digests on a real broker: verify --digest tells by them what compaction leaves intact from what somebody else took away, and so does a cache.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createMetrics } from '../../src/base/metrics.ts'
import { systemClock } from '../../src/base/clock.ts'
import { connect } from '../../src/connect/connect.ts'
import { topicCache } from '../../src/consumer/topic-cache.ts'
import { isReservedKey, reservedKeys } from '../../src/record/control.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import type { StoredRecord, TopicLog } from '../../src/topic/port.ts'
import { readAll, record } from '../conformance/log-content.ts'
import { BridgeHarness, TOPIC } from '../support/bridge-harness.ts'
import { kubedelta } from '../support/bridge-process.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { ready } from '../support/ready.ts'

const HOUR_MS = 3_600_000
/** Compacts as soon as it can; a segment ends when a record is half an hour younger than its first. */
const COMPACTED = {
  'cleanup.policy': 'compact',
  'segment.ms': String(HOUR_MS / 2),
  'min.cleanable.dirty.ratio': '0.001',
  'delete.retention.ms': '86400000',
}
const PODS = Array.from({ length: 12 }, (_, n) => `pod-${n}`)

const signal = AbortSignal.timeout(240_000)
const life = new AsyncDisposableStack()
let kafka: KafkaCluster
let log: TopicLog

before(async () => {
  kafka = life.use(await startKafka({ properties: { 'log.cleaner.backoff.ms': '200' } }))
  log = life.use(await connect(`kafka://${kafka.brokers}`, { signal }))
})

after(() => life.disposeAsync())

test('verify --digest says 0 after changes and compaction, and 1 once another producer has deleted something', async () => {
  const spec = topicSpec({ topic: TOPIC, partitions: 2 })
  await log.admin.create({ ...spec, replicationFactor: 1, config: new Map(Object.entries(COMPACTED)) }, signal)
  const t = new BridgeHarness()
  // Old enough that segments end within the test.
  const clock = new ManualClock(Date.now() - 40 * HOUR_MS)
  const running = t.start({ connection: log, clock, digestIntervalMs: 600_000 }, { partitions: 2 })
  for (const name of PODS) t.source.add({ name })
  await publishedBy(t, TOPIC)
  for (let round = 0; round < 4; round++) {
    await clock.advance(HOUR_MS)
    for (const name of PODS.slice(2)) t.source.modify({ name })
    t.source.delete({ name: PODS[round % 2] ?? '' })
    t.source.add({ name: PODS[round % 2] ?? '' })
    await publishedBy(t, TOPIC)
  }
  await running.stop()
  assert.deepEqual(await verify('test'), { code: 0, different: [], unknown: [], topic: PODS.length })

  await ready(
    async () => {
      const keys = (await readAll(log, TOPIC)).map(({ key }) => key.toString())
      assert.ok(keys.filter((key) => key === 'default/pod-5').length < 4, 'its former states are gone')
    },
    { what: 'compaction' },
  )
  assert.deepEqual(await verify('test'), { code: 0, different: [], unknown: [], topic: PODS.length })

  const tail = ['tail', '--from', from(), '--topic', TOPIC, '--from-beginning', '--until-end', '--control']
  const digests = (await kubedelta(tail)).stdout.split('\n').filter((line) => line.includes('digest'))
  assert.ok(digests.length >= 2, 'tail --control shows the digests')

  const [victim] = (await readAll(log, TOPIC)).filter(({ key }) => key.toString() === 'default/pod-5')
  assert.ok(victim !== undefined)
  await writeForeign(TOPIC, victim)
  const tampered = await verify('test')
  assert.equal(tampered.code, 1)
  assert.deepEqual(tampered.different, [victim.partition])
  assert.equal(tampered.topic, PODS.length - 1)
})

test('verify --digest says 3 of a topic without digests, and the way out', async () => {
  const t = new BridgeHarness()
  const running = t.start({ connection: log, cluster: 'bare', clock: systemClock, digestIntervalMs: 0 })
  t.source.add({ name: 'a' })
  await publishedBy(t, 'kubedelta.bare.pods')
  await running.stop()
  assert.deepEqual(await verify('bare'), { code: 3, different: [], unknown: [0], topic: 1 })
  const { stderr } = await kubedelta(argsOf('bare'))
  assert.match(stderr, /cannot tell whether pods is intact: no digest .* in partitions 0: .*leaving out --digest/)
})

test('a cache follows the digests of its bridge, and mends what somebody else took away', async () => {
  const topic = 'kubedelta.mended.pods'
  const t = new BridgeHarness()
  const options = { connection: log, cluster: 'mended', clock: systemClock, replicationFactor: 1 }
  const running = t.start({ ...options, digestIntervalMs: 100 }, { partitions: 3 })
  for (const name of PODS) t.source.add({ name })
  await publishedBy(t, topic)
  const metrics = createMetrics()
  const cache = topicCache<unknown>({ from: log, cluster: 'mended', resource: 'pods', metrics })
  const stop = new AbortController()
  const following = cache.run(stop.signal)
  await cache.whenLive(signal)
  const counted = async (result: string): Promise<number> =>
    Number(new RegExp(`digest_checks_total\\{.*"${result}"\\} (\\d+)`).exec(await metrics.text())?.[1] ?? 0)
  for (const name of PODS) t.source.modify({ name })
  await ready(async () => assert.ok((await counted('same')) >= 6), { what: 'digests that are the same' })
  assert.equal(await counted('different'), 0)

  const [victim] = (await readAll(log, topic)).filter(({ key }) => key.toString() === 'default/pod-5')
  assert.ok(victim !== undefined)
  await writeForeign(topic, victim)
  await ready(async () => assert.equal(await counted('different'), 1), { what: 'a digest that differs' })
  await ready(async () => assert.equal(cache.size(), PODS.length), { what: 'what the bridge has written again' })
  await publishedBy(t, topic)
  assert.match(await metrics.text(), /kubedelta_cache_rebuilds_total\{resource="pods",reason="digest-mismatch"\} 1/)
  const before = await counted('same')
  await ready(async () => assert.ok((await counted('same')) >= before + 3), { what: 'digests that are the same again' })
  assert.equal(cache.status().diverged, false)
  stop.abort()
  await following
  await running.stop()
})

/** Waits until a topic holds what the source does, and a digest of each partition behind that. */
async function publishedBy({ source }: BridgeHarness, topic: string): Promise<void> {
  await ready(
    async () => {
      const held = new Map<string, string>()
      for (const { key, value } of await readAll(log, topic)) {
        if (isReservedKey(key.toString())) continue
        if (value === null) held.delete(key.toString())
        else held.set(key.toString(), String(value))
      }
      assert.equal(held.size, source.objects.size)
      for (const [key, { uid, resourceVersion }] of source.objects) {
        const text = held.get(key) ?? ''
        assert.ok(text.includes(`"${uid}"`) && text.includes(`"resourceVersion":"${resourceVersion}"`), key)
      }
    },
    { what: `the objects on ${topic}` },
  )
}

async function writeForeign(topic: string, { key, partition }: StoredRecord): Promise<void> {
  assert.ok(!key.toString().startsWith(reservedKeys.digest))
  await using writer = await log.openWriter({ topic, transactionalId: `somebody/${topic}`, signal })
  await writer.append(partition, { records: [record(key.toString(), null)] })
}

function from(): string {
  return `kafka://${kafka.brokers}`
}

function argsOf(cluster: string): readonly string[] {
  return ['verify', '--digest', '--from', from(), '--cluster', cluster, '-r', 'pods']
}

async function verify(cluster: string) {
  const { code, stdout, stderr } = await kubedelta(argsOf(cluster))
  assert.notEqual(stdout, '', stderr)
  const line: { different: { partition: number }[]; unknown: number[]; topic: number } = JSON.parse(stdout)
  return {
    code,
    different: line.different.map(({ partition }) => partition),
    unknown: line.unknown,
    topic: line.topic,
  }
}
