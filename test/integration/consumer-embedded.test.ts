// A cache of a topic in a directory: removed and made anew under it, and gone on from a snapshot.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createMetrics } from '../../src/base/metrics.ts'
import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { connect } from '../../src/connect/connect.ts'
import { topicCacheFactory, type FoundTopic } from '../../src/consumer/topic-cache-factory.ts'
import { topicCache } from '../../src/consumer/topic-cache.ts'
import { entriesOf } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import { until } from '../support/informers.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { noting, progress, record, short, TOPIC, type Pod } from '../unit/consumer/support.ts'

const signal = AbortSignal.timeout(240_000)

test('a topic in a directory that is removed and made anew is read again, and what is gone is deleted', async () => {
  using folder = temporaryFolder('consumer-embedded')
  await publish(folder.path, 'old', [record('a', 1), record('b', 2), record('c', 3)])
  const metrics = createMetrics()
  const cache = topicCache<Pod>({ from: `file:${folder.path}`, cluster: 'test', resource: 'pods', metrics })
  const heard: string[] = []
  cache.addHandler(noting(heard))
  const stop = new AbortController()
  const ended = cache.run(stop.signal)
  await cache.whenLive(signal)
  rmSync(join(folder.path, TOPIC), { recursive: true })
  await publish(folder.path, 'new', [record('b', 7), record('x', 8), record('y', 9), record('z', 10)])
  await until(cache, () => cache.size() === 4, signal)
  await ready(async () => assert.equal(heard.length, 3 + 6), { what: 'the handler' })
  assert.deepEqual(heard.slice(3).toSorted(), [
    'add x@8',
    'add y@9',
    'add z@10',
    'delete a@1 unknown',
    'delete c@3 unknown',
    'update b@2 b@7',
  ])
  assert.match(
    await metrics.text(),
    /kubedelta_cache_rebuilds_total\{resource="pods",reason="topic-(recreated|missing)"\} 1/,
  )
  stop.abort()
  await ended
})

test('a cache of a directory goes on from its snapshot, and not over a topic that was made anew', async () => {
  using folder = temporaryFolder('consumer-embedded')
  using kept = temporaryFolder('consumer-embedded')
  await publish(folder.path, 's', [record('a', 1), record('b', 2)])
  const start = async (): Promise<{ readonly held: readonly string[]; readonly text: string }> => {
    const metrics = createMetrics()
    const where = { from: `file:${folder.path}`, cluster: 'test', resource: 'pods' }
    const cache = topicCache<Pod>({ ...where, metrics, snapshot: { directory: kept.path } })
    const stop = new AbortController()
    const ended = cache.run(stop.signal)
    await cache.whenLive(signal)
    const held = cache.list().map(short).toSorted()
    stop.abort()
    await ended
    return { held, text: await metrics.text() }
  }
  await start()
  await publish(folder.path, 's', [record('c', 3)])
  const resumed = await start()
  assert.deepEqual(resumed.held, ['a@1', 'b@2', 'c@3'])
  assert.match(resumed.text, /snapshot_reads_total\{resource="pods",result="resumed"\} 1/)

  rmSync(join(folder.path, TOPIC), { recursive: true })
  await publish(folder.path, 's', [record('d', 4), record('e', 5), record('f', 6), record('g', 7), record('h', 8)])
  const anew = await start()
  assert.deepEqual(anew.held, ['d@4', 'e@5', 'f@6', 'g@7', 'h@8'])
  assert.match(anew.text, /snapshot_reads_total\{resource="pods",result="topic-recreated"\} 1/)
})

/** Creates the topic where it is missing, and writes to it as a bridge that is complete. */
test('a factory knows the resources of a directory, whose cluster nobody has to name', async () => {
  using folder = temporaryFolder('consumer-embedded')
  const from = `file:${folder.path}`
  const topic = 'kubedelta.kubernetes.deployments.apps'
  await using log = await connect(from, { signal })
  await log.admin.create(topicSpec({ topic }), signal)
  const found: FoundTopic[] = []
  const factory = topicCacheFactory({ from })
  const stop = new AbortController()
  factory.subscribe(/./, (each) => {
    found.push(each)
    stop.abort()
  })
  await factory.run(stop.signal)
  assert.deepEqual(found, [{ topic, resource: 'deployments.apps' }])
})

for (const [what, start] of [
  ['snapshots', (path: string) => runWithSnapshots(path)],
  ['topics', (path: string) => createTopicIn(path)],
] as const) {
  test(`a directory for ${what} that cannot be made is an error, not a wait without end`, async () => {
    // Nothing can be made there, and the answer of /proc is the one of a parent that is missing.
    await assert.rejects(start('/proc/kubedelta/data'), { name: 'KubedeltaError', message: /\/proc\/kubedelta/ })
  })
}

function runWithSnapshots(directory: string): Promise<void> {
  return topicCache<Pod>({ from: 'file:/tmp', resource: 'pods', snapshot: { directory } }).run(signal)
}

async function createTopicIn(directory: string): Promise<void> {
  await using log = await connect(`file:${directory}`, { signal })
  await log.admin.create(topicSpec({ topic: TOPIC }), signal)
}

async function publish(directory: string, streamId: string, records: readonly KubeRecord[]): Promise<void> {
  await using log = await connect(`file:${directory}`, { signal })
  await log.admin.create(topicSpec({ topic: TOPIC, partitions: 1 }), signal)
  await using writer = await log.openWriter({ topic: TOPIC, transactionalId: `kubedelta/${TOPIC}`, signal })
  const made = records.flatMap((each) => toTopicRecords(entriesOf(each), encodeRecord({ kind: 'json' })))
  await writer.append(0, { records: [...made, toControlRecord(progress(10, { streamId }))] })
}
