import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { topicCacheFactory, type FoundTopic } from '../../../src/consumer/topic-cache-factory.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { MemoryTopicLog } from '../../../src/testing/memory-topic.ts'
import { topicSpec } from '../../../src/topic/plan.ts'
import type { TopicLog } from '../../../src/topic/port.ts'
import { progress, record, short, TopicHarness, type Pod } from './support.ts'

const never = new AbortController().signal

describe('a factory of caches', () => {
  test('runs what was made before and what is made later, until the signal aborts', async () => {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 1))
    topic.control(progress(1))
    const factory = topicCacheFactory({ from: topic.log, cluster: 'test', clock: topic.clock })
    const pods = factory.cache<Pod>('pods')
    const stop = new AbortController()
    const running = factory.run(stop.signal)
    await factory.whenLive(never)
    const later = factory.cache<Pod>('pods', { transform: ({ metadata }) => ({ metadata }) })
    await later.whenLive(never)
    assert.deepEqual([pods.list().map(short), later.list().map(short)], [['a@1'], ['a@1']])
    stop.abort()
    await running
    await assert.rejects(later.whenState('Live', stop.signal))
  })

  test('gives the same cache to whoever asks for the same, with the indexers of all', async () => {
    const factory = topicCacheFactory({ from: new MemoryTopicLog(), cluster: 'test' })
    const byName = (pod: Pod): readonly string[] => [pod.metadata.name]
    const first = factory.cache<Pod>('pods', { indexers: { byName } })
    const second = factory.cache<Pod>('po', { topic: 'kubedelta.test.pods', indexers: { byName, again: byName } })
    assert.equal(second, first)
    assert.deepEqual(first.indexKeys('again', 'a'), [])
    assert.notEqual(factory.cache<Pod>('pods', { keys: ['shop/a'] }), first)
    assert.throws(() => factory.cache<Pod>('pods', { indexers: { byName: () => [] } }), {
      code: 'usage',
      message:
        "Cannot share the cache of topic kubedelta.test.pods: its index 'byName' has another function: pass the same function, or choose another name",
    })
  })

  test('fails as a whole when one of its caches fails, and tells whoever waits', async () => {
    const topic = await new TopicHarness().create()
    const factory = topicCacheFactory({ from: topic.log, cluster: 'test', clock: topic.clock })
    const pods = factory.cache<Pod>('pods')
    const nodes = factory.cache<Pod>('nodes')
    const waiting = [pods.whenLive(never), nodes.whenLive(never)]
    const outcomes = Promise.allSettled(waiting)
    await assert.rejects(factory.run(never), { code: 'topic-missing' })
    assert.deepEqual(
      (await outcomes).map(
        (each) => each.status === 'rejected' && each.reason instanceof KubedeltaError && each.reason.code,
      ),
      ['aborted', 'topic-missing'],
    )
  })

  test('finds topics that match, also those that come later, each once', async () => {
    const log = new MemoryTopicLog()
    const clock = new ManualClock()
    const create = (topic: string): Promise<unknown> => log.admin.create(topicSpec({ topic }), never)
    await create('kubedelta.test.pods')
    await create('other.test.pods')
    const found: FoundTopic[] = []
    const factory = topicCacheFactory({ from: log, cluster: 'test', clock })
    factory.subscribe(/kubedelta\.test\./g, (each) => found.push(each), { pollMs: 5_000 })
    const stop = new AbortController()
    const running = factory.run(stop.signal)
    await clock.waitForSleepers(1)
    await create('mirror.kubedelta.test.deployments.apps')
    await clock.advance(5_000)
    await clock.waitForSleepers(1)
    assert.deepEqual(found, [
      { topic: 'kubedelta.test.pods', resource: 'pods' },
      { topic: 'mirror.kubedelta.test.deployments.apps', resource: 'deployments.apps' },
    ])
    stop.abort()
    await running
    assert.equal(clock.sleepers, 0)
  })

  test('asks again when topics cannot be listed for a while, and fails when they never can', async () => {
    const log = new MemoryTopicLog()
    const clock = new ManualClock()
    const refusals: KubedeltaError[] = [
      new KubedeltaError('forbidden', 'Cannot list topics'),
      new KubedeltaError('unreachable', 'Cannot list topics'),
    ]
    const from: TopicLog = {
      openReader: () => log.openReader(),
      openWriter: (options) => log.openWriter(options),
      admin: { ...log.admin, list: async () => Promise.reject(refusals.pop()) },
      [Symbol.asyncDispose]: async () => {},
    }
    const factory = topicCacheFactory({ from, cluster: 'test', clock })
    factory.subscribe(/./, () => {}, { pollMs: 5_000 })
    const running = assert.rejects(factory.run(never), { code: 'forbidden' })
    await clock.waitForSleepers(1)
    await clock.advance(5_000)
    await running
    assert.throws(() => factory.subscribe(/./, () => {}, { pollMs: 0 }), RangeError)
  })

  test('fails every waiting cache when it cannot connect', async () => {
    const factory = topicCacheFactory({ from: 'kafka://127.0.0.1:1', cluster: 'test', startupTimeoutMs: 1 })
    const waiting = assert.rejects(factory.cache<Pod>('pods').whenLive(never), KubedeltaError)
    await assert.rejects(factory.run(never), { code: /unreachable|timeout/ })
    await waiting
  })
})
