import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import type { Logger } from '../../../src/base/log.ts'
import { createMetrics } from '../../../src/base/metrics.ts'
import { toControlRecord } from '../../../src/bridge/wire.ts'
import { describeSchema, recordSchema } from '../../../src/codec/avro.ts'
import { encodeRecord } from '../../../src/codec/codec.ts'
import { topicCache } from '../../../src/consumer/topic-cache.ts'
import type { KubeRecord } from '../../../src/record/record.ts'
import type { ReplicaState } from '../../../src/replica/reading.ts'
import { partitionOf } from '../../../src/topic/partition.ts'
import { progress, record, TopicHarness, type Pod } from './support.ts'

const never = new AbortController().signal

async function liveTopic(...names: readonly string[]): Promise<TopicHarness> {
  const topic = await new TopicHarness().create()
  topic.write(...names.map((name, index) => record(name, index + 1)))
  topic.control(progress(names.length))
  return topic
}

/** With one more field, an empty text behind the others. */
const later = describeSchema(recordSchema.text.replace(/\]\}$/, ',{"name":"later","type":"string","default":""}]}'))

/** A value as a later version would write it. */
function ofLaterVersion(each: KubeRecord): Buffer {
  const body = Buffer.concat([encodeRecord({ kind: 'avro' })(each).subarray(10), Buffer.from([0])])
  const head = Buffer.from([0xc3, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeBigUInt64LE(BigInt(`0x${later.fingerprint}`), 2)
  return Buffer.concat([head, body])
}

describe('a cache of a topic', () => {
  test('shows nothing before the bridge has said that its first list is complete, then all at once', async () => {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 1), record('b', 2))
    const running = topic.start()
    await running.cache.whenState('CatchingUp', running.signal)
    assert.deepEqual([running.held(), running.heard, running.cache.hasSynced()], [[], [], false])
    topic.write(record('c', 3))
    topic.control(progress(3))
    await running.whenLive()
    assert.deepEqual(running.held(), ['a@1', 'b@2', 'c@3'])
    await running.settled()
    assert.deepEqual(running.heard, ['add a@1 initial', 'add b@2 initial', 'add c@3 initial'])
    await running.stop()
  })

  test('is never called Live before its content can be seen', async () => {
    const topic = await liveTopic('a')
    const seen: string[] = []
    let look = (): void => {}
    const write = (): void => look()
    const log: Logger = { debug: write, info: write, warn: write, error: write, with: () => log }
    const running = topic.start({ log })
    look = () => seen.push(`${running.cache.status().state} ${running.cache.size()}`)
    await running.whenLive()
    look()
    assert.equal(seen.at(-1), 'Live 1')
    assert.deepEqual(
      seen.filter((each) => each === 'Live 0'),
      [],
    )
    assert.ok(seen.length > 2, seen.join())
    await running.stop()
  })

  test('follows the topic', async () => {
    const topic = await liveTopic('a', 'b')
    const running = topic.start()
    await running.whenLive()
    topic.write(record('a', 4, { op: 'UPDATED' }), record('b', 5, { op: 'DELETED' }), record('c', 6))
    await running.until(() => running.heard.length === 5, 'all changes')
    assert.deepEqual(running.held(), ['a@4', 'c@6'])
    assert.deepEqual(running.heard.slice(2), ['update a@1 a@4', 'delete b@5', 'add c@6'])
    await running.stop()
  })

  test('is live on an empty topic once the bridge has said so', async () => {
    const topic = await new TopicHarness({ partitions: 3 }).create()
    const running = topic.start()
    topic.control(progress(1), 0)
    topic.control(progress(1), 1)
    await running.settled()
    assert.equal(running.cache.status().state, 'CatchingUp')
    topic.control(progress(1), 2)
    await running.whenLive()
    assert.deepEqual(running.held(), [])
    await running.stop()
  })

  test('shows what there is to whoever does not insist on the bridge', async () => {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 1))
    const running = topic.start()
    await running.whenLive({ upstream: false })
    assert.deepEqual(running.held(), ['a@1'])
    assert.equal(running.cache.status().state, 'CatchingUp')
    topic.write(record('b', 2))
    await running.until(() => running.heard.includes('add b@2'), 'changes flow')
    topic.control(progress(2))
    await running.whenLive()
    await running.stop()
  })

  test('tells a delete once: with the final state, as missed, or with the last state known', async () => {
    const topic = await liveTopic('a', 'b', 'c', 'd')
    const running = topic.start()
    await running.whenLive()
    topic.write(record('a', 5, { op: 'DELETED' }), record('b', 2, { op: 'DELETED', finalStateUnknown: true }))
    topic.tombstone('c')
    topic.alone(record('d', 8, { op: 'DELETED' }))
    await running.until(() => running.heard.length === 8, 'four deletes')
    topic.tombstone('d')
    await running.settled()
    assert.deepEqual(running.heard.slice(4), ['delete a@5', 'delete b@2 unknown', 'delete c@3 unknown', 'delete d@8'])
    await running.stop()
  })

  test('tells another uid under a key as delete and add, with the final state where the topic has it', async () => {
    const topic = await liveTopic('a', 'b')
    const running = topic.start()
    await running.whenLive()
    topic.replace(record('a', 5, { op: 'DELETED' }), record('a', 6, { uid: 'other' }))
    topic.write(record('b', 7, { uid: 'other' }))
    await running.until(() => running.heard.length === 6, 'both replacements')
    assert.deepEqual(running.heard.slice(2), ['delete a@5', 'add a@6', 'delete b@2 unknown', 'add b@7'])
    await running.stop()
  })

  test('passes over the same again, and shows a RESYNC to handlers that ask for it', async () => {
    const topic = await liveTopic('a')
    const running = topic.start()
    await running.whenLive()
    const asked: string[] = []
    running.cache.addHandler(
      { onUpdate: (before, after) => void asked.push(before === after ? 'same' : 'changed') },
      { upstreamResync: true },
    )
    topic.write(record('a', 1, { op: 'UPDATED' }), record('a', 1, { op: 'UPDATED', cause: 'RESYNC' }))
    await running.until(() => asked.length === 1, 'one resync')
    await running.settled()
    assert.deepEqual([asked, running.heard], [['same'], ['add a@1 initial']])
    await running.stop()
  })

  test('takes other bytes of the same resourceVersion for an update', async () => {
    const topic = await liveTopic('a')
    const running = topic.start()
    await running.whenLive()
    topic.write(record('a', 1, { op: 'UPDATED', cause: 'POLICY', text: 'rewritten' }))
    await running.until(() => running.heard.includes('update a@1 a@1'), 'the update')
    await running.stop()
  })

  test('follows the log back in time and counts it', async () => {
    const topic = await liveTopic('a')
    const metrics = createMetrics()
    const running = topic.start({ metrics })
    await running.whenLive()
    topic.write(record('a', 9, { epoch: 2 }), record('a', 3, { epoch: 1 }))
    await running.until(() => running.held().join() === 'a@3', 'the last record')
    const text = await metrics.text()
    assert.match(text, /kubedelta_cache_regressions_total\{resource="pods",reason="epoch"\} 1/)
    assert.match(text, /kubedelta_cache_regressions_total\{resource="pods",reason="resource-version"\} 1/)
    await running.stop()
  })

  test('leaves a key whose record is corrupt, foreign or of an unknown schema at its last good state', async () => {
    const topic = await liveTopic('a', 'b', 'c')
    const metrics = createMetrics()
    const running = topic.start({ metrics })
    await running.whenLive()
    topic.raw('shop/a', Buffer.from('garbage'))
    topic.raw('shop/b', Buffer.concat([Buffer.from([0xc3, 1]), Buffer.alloc(30)]))
    topic.alone(record('c', 7, { resource: 'services' }))
    topic.raw('shop/d', encodeRecord({ kind: 'json' })(record('elsewhere', 8)))
    topic.write(record('e', 9))
    await running.until(() => running.held().includes('e@9'), 'what follows')
    assert.deepEqual(running.held(), ['a@1', 'b@2', 'c@3', 'e@9'])
    const reasons = { 'shop/a': 'corrupt', 'shop/b': 'unknown-schema', 'shop/c': 'foreign', 'shop/d': 'corrupt' }
    assert.deepEqual(Object.fromEntries(running.cache.status().degraded), reasons)
    assert.match(await metrics.text(), /kubedelta_cache_unreadable_records_total\{resource="pods",reason="corrupt"\} 2/)
    topic.write(record('a', 10), record('b', 11, { op: 'DELETED' }))
    await running.until(() => running.held().includes('a@10'), 'good again')
    assert.deepEqual([...running.cache.status().degraded.keys()], ['shop/c', 'shop/d'])
    await running.stop()
  })

  test('reads a record whose schema comes later', async () => {
    const topic = await liveTopic('a')
    const running = topic.start()
    await running.whenLive()
    topic.raw('shop/a', ofLaterVersion(record('a', 5)))
    await running.until(() => running.cache.status().degraded.get('shop/a') === 'unknown-schema', 'degraded')
    assert.deepEqual(running.held(), ['a@1'])
    topic.control(progress(5, { schemas: { [later.fingerprint]: later.canonical } }))
    await running.until(() => running.held().join() === 'a@5', 'read at last')
    assert.equal(running.cache.status().degraded.size, 0)
    await running.stop()
  })

  test('reads such a record for the last good state where the one behind it is corrupt', async () => {
    const topic = await liveTopic('a')
    const running = topic.start()
    await running.whenLive()
    topic.raw('shop/a', ofLaterVersion(record('a', 5)))
    topic.raw('shop/a', Buffer.from('{broken'))
    await running.until(() => running.cache.status().degraded.get('shop/a') === 'corrupt', 'degraded')
    topic.control(progress(5, { schemas: { [later.fingerprint]: later.canonical } }))
    await running.until(() => running.held().join() === 'a@5', 'read at last')
    assert.equal(running.cache.status().degraded.get('shop/a'), 'corrupt')
    await running.stop()
  })

  test('shows the identity of an object that was withheld', async () => {
    const topic = await liveTopic('a')
    const running = topic.start()
    await running.whenLive()
    topic.write(record('a', 2, { op: 'UPDATED', object: null }))
    await running.until(() => running.held().join() === 'a@2', 'the new identity')
    const metadata = { name: 'a', namespace: 'shop', uid: 'uid-a', resourceVersion: '2' }
    assert.deepEqual(running.cache.get('shop/a'), { kind: 'Pod', apiVersion: 'v1', metadata })
    assert.equal(running.cache.status().degraded.get('shop/a'), 'withheld')
    await running.stop()
  })

  test('keeps what the transform makes of objects, and the last good state where it fails', async () => {
    const topic = await liveTopic('a')
    const running = topic.start({
      transform: (pod: Pod) => {
        if (pod.text === 'bad') throw new Error('refused')
        return { metadata: pod.metadata }
      },
    })
    await running.whenLive()
    assert.deepEqual(Object.keys(running.cache.get('shop/a') ?? {}), ['metadata'])
    topic.write(record('a', 2, { op: 'UPDATED', text: 'bad' }), record('b', 3))
    await running.until(() => running.held().includes('b@3'), 'what follows')
    assert.deepEqual(running.held(), ['a@1', 'b@3'])
    assert.equal(running.cache.status().degraded.get('shop/a'), 'transform')
    await running.stop()
  })

  test('passes over reserved keys that it does not know', async () => {
    const topic = await liveTopic('a')
    topic.raw('$kubedelta/later', null, [{ name: 'x', value: 'y' }])
    topic.raw('$kubedelta/from-the-future', null)
    topic.raw('$kubedelta/progress', null, [{ name: 'broken', value: '' }])
    const running = topic.start()
    await running.whenLive()
    assert.deepEqual(running.held(), ['a@1'])
    await running.stop()
  })

  test('passes over a key in a partition where its writer does not put it', async () => {
    const topic = await new TopicHarness({ partitions: 2 }).create()
    topic.write(record('a', 1))
    const elsewhere = 1 - partitionOf(Buffer.from('shop/a'), 2)
    const value = encodeRecord({ kind: 'json' })(record('a', 9))
    topic.log.inject(topic.topic, elsewhere, { key: Buffer.from('shop/a'), value, headers: [], timestampMs: 1 })
    topic.control(progress(1))
    const running = topic.start()
    await running.whenLive()
    assert.deepEqual(running.held(), ['a@1'])
    await running.stop()
  })

  test('reads only the partitions of the keys that are asked for', async () => {
    const topic = await new TopicHarness({ partitions: 6 }).create()
    topic.write(...['a', 'b', 'c', 'd', 'e', 'f'].map((name) => record(name, 1)))
    topic.control(progress(1), partitionOf(Buffer.from('shop/c'), 6))
    const running = topic.start({ keys: ['shop/c'] })
    await running.whenLive()
    assert.deepEqual(running.held(), ['c@1'])
    assert.equal(running.cache.status().partitions.size, 1)
    await running.stop()
  })

  test('waits for a resourceVersion by the progress of the bridge', async () => {
    const topic = await liveTopic('a')
    const running = topic.start()
    await running.whenLive()
    topic.write(record('b', 9))
    let reached = false
    const waiting = running.cache.waitForResourceVersion('9', running.signal).then(() => (reached = true))
    await running.until(() => running.held().includes('b@9'), 'the record')
    assert.equal(reached, false)
    topic.control(progress(10))
    await waiting
    assert.equal(running.cache.status().resourceVersion, '10')
    assert.equal(running.cache.lastSyncResourceVersion(), '10')
    await assert.rejects(running.cache.waitForResourceVersion('newest', running.signal), RangeError)
    await running.stop()
  })

  test('is held back by a handler without room', async () => {
    const topic = await liveTopic('a')
    const running = topic.start()
    await running.whenLive()
    const gate = Promise.withResolvers<void>()
    running.cache.addHandler({ onAdd: () => gate.promise }, { holdBackAt: 1 })
    topic.write(...['b', 'c', 'd', 'e', 'f', 'g'].map((name, index) => record(name, index + 2)))
    await running.settled()
    const heldBack = running.held().length
    assert.ok(heldBack < 7, `holds ${heldBack}`)
    gate.resolve()
    await running.until(() => running.held().length === 7, 'all of it')
    await running.stop()
  })

  test('tells its metrics', async () => {
    const topic = await liveTopic('a', 'b')
    const metrics = createMetrics()
    const running = topic.start({ metrics })
    await running.whenLive()
    const text = await metrics.text()
    assert.match(text, /kubedelta_cache_objects\{resource="pods"\} 2/)
    assert.match(text, /kubedelta_cache_lag_records\{resource="pods"\} 0/)
    assert.match(text, /kubedelta_cache_as_of_timestamp_seconds\{resource="pods"\} 2\n/)
    await running.stop()
  })
})

describe('a cache in trouble', () => {
  test('refuses a topic that is missing, and tells whoever waits', async () => {
    const topic = new TopicHarness()
    const running = topic.start()
    const missing = {
      code: 'topic-missing',
      message: /Cannot read topic kubedelta.test.pods: wanted a topic that exists/,
    }
    await assert.rejects(running.whenLive(), missing)
    await assert.rejects(running.ended, missing)
  })

  test('refuses a topic of another collection and one whose partitions were added later', async () => {
    for (const [change, code] of [
      [{ scope: 'services; namespaces: *; labels: *; fields: *' }, 'topic-foreign'],
      [{}, 'partitions-changed'],
    ] as const) {
      const topic = await new TopicHarness().create()
      const partitions = code === 'partitions-changed' ? 6 : 1
      topic.log.inject(topic.topic, 0, toControlRecord({ ...progress(1), ...change, partitions }))
      const running = topic.start()
      await assert.rejects(running.whenLive(), { code })
      await assert.rejects(running.ended, { code })
    }
  })

  test('reads a topic that was created anew again, and deletes what is gone', async () => {
    const topic = await liveTopic('a', 'b')
    const metrics = createMetrics()
    const running = topic.start({ metrics })
    await running.whenLive()
    topic.tombstone('b')
    topic.control({ ...progress(1, { streamId: 'other', epoch: 1 }), kind: 'fence' })
    await running.until(() => running.cache.status().state === 'CatchingUp', 'reads again')
    assert.deepEqual(running.held(), ['a@1'], 'what was visible stays')
    topic.write(record('c', 8))
    topic.tombstone('a')
    topic.control(progress(8, { streamId: 'other', epoch: 1 }))
    await running.whenLive()
    await running.settled()
    assert.deepEqual(running.held(), ['c@8'])
    assert.deepEqual(running.heard.slice(2), ['delete b@2 unknown', 'delete a@1 unknown', 'add c@8'])
    assert.match(await metrics.text(), /kubedelta_cache_rebuilds_total\{resource="pods",reason="new-stream"\} 1/)
    await running.stop()
  })

  test('reads a truncated topic again, and tells only what differs', async () => {
    const topic = await liveTopic('a', 'b')
    const running = topic.start({ from: topic.failing('offset-out-of-range', 3) })
    await running.until(() => running.cache.status().state === 'Live', 'live')
    topic.write(record('c', 4))
    await running.until(() => topic.clock.sleepers === 1, 'waits before it reads again')
    topic.tombstone('a')
    await topic.clock.advance(2_000)
    await running.whenLive()
    await running.settled()
    assert.deepEqual(running.held(), ['b@2', 'c@4'])
    assert.deepEqual(running.heard, ['add a@1 initial', 'add b@2 initial', 'delete a@1 unknown', 'add c@4'])
    await running.stop()
  })

  test('runs once, and tells whoever still waits that it has stopped', async () => {
    const topic = await new TopicHarness().create()
    const running = topic.start()
    const waiting = running.cache.whenLive(never)
    await running.cache.whenState('CatchingUp', never)
    await running.stop()
    await assert.rejects(waiting, { code: 'aborted' })
    await running.cache.run(never)
    assert.throws(() => running.cache.addHandler({}), KubedeltaError)
  })

  test('refuses wrong options at the call', () => {
    assert.throws(() => topicCache({ from: 'http://x', cluster: 'c', resource: 'pods' }), { code: 'usage' })
    assert.throws(() => topicCache({ from: 'kafka://x:9092', resource: 'pods' }), /wanted 'cluster'/)
    assert.throws(() => topicCache({ from: 'kafka://x:9092', cluster: 'No', resource: 'pods' }), { code: 'usage' })
    assert.equal(
      topicCache({ from: 'kafka://x:9092', cluster: 'c', resource: 'deploy' }).topic,
      'kubedelta.c.deployments.apps',
    )
    const source = { from: 'kafka://x:9092', cluster: 'c' }
    const named = { ...source, resource: 'pods' }
    assert.throws(() => topicCache({ ...named, keys: [] }), { code: 'usage' })
    assert.throws(() => topicCache({ ...named, namespaces: [] }), { code: 'usage' })
    assert.throws(() => topicCache({ ...named, registry: 'registry:8081' }), { code: 'usage' })
    assert.throws(() => topicCache({ ...source, resource: '' }), TypeError)
    assert.throws(() => topicCache({ ...named, startupTimeoutMs: -1 }), RangeError)
    assert.throws(() => topicCache({ ...named, snapshot: { directory: '' } }), { code: 'usage' })
    const byNode = { fields: 'spec.nodeName=n', selectableFields: { 'spec.nodeName': () => 'n' } }
    assert.throws(
      () => topicCache({ ...named, ...byNode, snapshot: { directory: 'd' } }),
      /'snapshot.version' must name/,
    )
  })

  const wrong: ReadonlyArray<readonly [what: string, given: object, error: RegExp]> = [
    ['one key in place of a list', { keys: 'shop/a' }, /'keys' must be a list of texts: current value is "shop\/a"/],
    ['one namespace in place of a list', { namespaces: 'shop' }, /'namespaces' must be a list of texts/],
    ['a transform that is none', { transform: 'spec' }, /'transform' must be a function/],
    ['an indexer that is none', { indexers: { byNode: 'spec.nodeName' } }, /'indexers.byNode' must be a function/],
    ['no resource', { resource: undefined }, /'resource' must be a text that is not empty: current value is undefined/],
    ['no log', { from: undefined }, /'from' must be a URL or a log that 'connect' opened: current value is undefined/],
    ['a log that is not open yet', { from: Promise.resolve() }, /current value is a promise: await it/],
  ]
  for (const [what, given, message] of wrong) {
    test(`refuses ${what}, as a program without types may give it`, () => {
      const options = { from: 'kafka://x:9092', cluster: 'c', resource: 'pods' }
      assert.throws(() => topicCache(Object.assign(options, given)), { name: 'TypeError', message })
    })
  }

  test('refuses to wait for a state that there is not', async () => {
    const topic = await new TopicHarness().create()
    const running = topic.start()
    const { cache } = running
    const wrong: ReplicaState = JSON.parse('"live"')
    await assert.rejects(cache.whenState(wrong, never), {
      name: 'RangeError',
      message: 'Cannot wait for a state: wanted one of Recovering, CatchingUp, Live: current value is "live"',
    })
    await running.stop()
  })
})
