// Caches that compare themselves with the digests of their bridge.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createMetrics } from '../../../src/base/metrics.ts'
import { parsedEntry } from '../../../src/cache/entry.ts'
import { sumOfPartition } from '../../../src/replica/digest-checks.ts'
import type { TopicCacheOptions } from '../../../src/consumer/topic-cache.ts'
import type { DigestRecord } from '../../../src/record/control.ts'
import { Digest, DIGEST_ALGORITHM } from '../../../src/record/digest.ts'
import type { StoredRecord } from '../../../src/topic/port.ts'
import { recordingLogger } from '../../conformance/recording-logger.ts'
import { lyingLog, type Lie } from '../../support/lying-log.ts'
import { progress, record, TopicHarness, type Pod, type RunningCache } from '../consumer/support.ts'

const HOUR_MS = 3_600_000

class Story {
  readonly topic: TopicHarness
  readonly running: RunningCache
  readonly log = recordingLogger()
  /** In force from now on. */
  lie: Lie | undefined
  readonly #metrics = createMetrics()

  private constructor(topic: TopicHarness, options: Partial<TopicCacheOptions<Pod>>) {
    this.topic = topic
    const from = lyingLog(topic.log, () => this.lie)
    this.running = topic.start({ from, ...options, metrics: this.#metrics, log: this.log })
  }

  /** A live cache of the pods a and b. */
  static async begin(options: Partial<TopicCacheOptions<Pod>> = {}): Promise<Story> {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 1), record('b', 2))
    topic.control(progress(2))
    const story = new Story(topic, options)
    await story.running.whenLive()
    return story
  }

  /** Writes a digest of these pods, `a@1`, and waits until it was judged, and the topic read again where that follows. */
  async digest(pods: readonly string[], change: Partial<DigestRecord> = {}): Promise<void> {
    const before = await this.#checks()
    this.topic.control(digestOf(pods, { asOf: this.topic.clock.now(), ...change }))
    for (let turns = 0; turns < 1_000 && (await this.#checks()) === before; turns++) await turn()
    for (let round = 0; round < 4; round++) {
      await this.running.settled()
      await this.topic.clock.advance(2_000)
    }
  }

  /** How many digests came out how: `same 1, different 2`. */
  async #checks(): Promise<string> {
    const counts = [...(await this.#metrics.text()).matchAll(/digest_checks_total\{.*result="(\w+)"\} (\d+)/g)]
    return counts.map(([, result, count]) => `${result} ${count}`).join(', ')
  }

  async told(): Promise<string> {
    const text = await this.#metrics.text()
    const diverged = /kubedelta_cache_diverged\{resource="pods"\} (\d)/.exec(text)?.[1]
    const rebuilds = /rebuilds_total\{resource="pods",reason="digest-mismatch"\} (\d+)/.exec(text)?.[1] ?? '0'
    assert.equal(this.running.cache.status().diverged, diverged === '1')
    return `${await this.#checks()}; rebuilt ${rebuilds}, diverged ${diverged}`
  }
}

function digestOf(pods: readonly string[], change: Partial<DigestRecord>): DigestRecord {
  const sums = new Digest()
  for (const pod of pods) {
    const [name = '', resourceVersion = ''] = pod.split('@')
    sums.add({ key: `shop/${name}`, uid: `uid-${name}`, resourceVersion })
  }
  const { kind: _kind, synced: _synced, resourceVersion: _resourceVersion, ...leadership } = progress(2)
  return { kind: 'digest', ...leadership, algorithm: DIGEST_ALGORITHM, ...sums.sum(), ...change }
}

describe('a cache that holds what its bridge says', () => {
  test('says so', async () => {
    const story = await Story.begin()
    await story.digest(['a@1', 'b@2'])
    story.topic.write(record('a', 3, { op: 'DELETED' }), record('b', 4, { op: 'UPDATED' }))
    await story.digest(['b@4'])
    assert.equal(await story.told(), 'same 2; rebuilt 0, diverged 0')
    await story.running.stop()
  })

  test('counts a withheld object by its identity', async () => {
    const story = await Story.begin()
    story.topic.write(record('c', 3, { object: null }))
    await story.digest(['a@1', 'b@2', 'c@3'])
    assert.equal(await story.told(), 'same 1; rebuilt 0, diverged 0')
    await story.running.stop()
  })

  test('finds it in a storage of parsed and transformed objects too', async () => {
    const transform = ({ metadata }: Pod): Pod => ({ metadata: { ...metadata, uid: '', resourceVersion: '' } })
    const story = await Story.begin({ storage: 'object', transform })
    await story.digest(['a@1', 'b@2'])
    assert.equal(await story.told(), 'same 1; rebuilt 0, diverged 0')
    await story.running.stop()
  })
})

describe('a digest is passed over', () => {
  const cases: Readonly<Record<string, Partial<DigestRecord>>> = {
    'of another algorithm': { algorithm: 'other/2' },
    'of an older stream': { streamId: 'former', epoch: 0 },
  }
  for (const [what, change] of Object.entries(cases)) {
    test(what, async () => {
      const topic = await new TopicHarness().create()
      // In what stood there before, several streams are history.
      topic.control({ ...progress(1), streamId: 'former', epoch: 0 })
      topic.write(record('a', 1))
      topic.control(progress(2))
      const metrics = createMetrics()
      const running = topic.start({ metrics })
      await running.whenLive()
      const stored = digestOf([], { asOf: topic.clock.now(), ...change })
      topic.control(stored)
      await running.settled()
      assert.match(await metrics.text(), /digest_checks_total\{resource="pods",result="skipped"\} 1/)
      assert.doesNotMatch(await metrics.text(), /digest_checks_total\{.*different/)
      await running.stop()
    })
  }

  test('that is older than five minutes', async () => {
    const story = await Story.begin()
    await story.digest([], { asOf: story.topic.clock.now() - 300_001 })
    await story.digest(['a@1', 'b@2'], { asOf: story.topic.clock.now() - 299_000 })
    assert.equal(await story.told(), 'skipped 1, same 1; rebuilt 0, diverged 0')
    await story.running.stop()
  })

  test('by a cache of a part of the topic', async () => {
    for (const part of [{ keys: ['shop/a'] }, { namespaces: ['shop'] }, { labels: 'app' }]) {
      const story = await Story.begin(part)
      await story.digest(['a@1'])
      assert.equal(await story.told(), 'skipped 1; rebuilt 0, diverged 0')
      await story.running.stop()
    }
  })

  test('while a key is not at its last state', async () => {
    const story = await Story.begin()
    story.topic.raw('shop/a', Buffer.from('not a record'))
    await story.digest(['a@3', 'b@2'])
    story.topic.write(record('a', 4, { op: 'UPDATED' }))
    await story.digest(['a@4', 'b@2'])
    assert.equal(await story.told(), 'skipped 1, same 1; rebuilt 0, diverged 0')
    await story.running.stop()
  })

  test('behind a batch that does not decode', async () => {
    const story = await Story.begin()
    const mend = story.topic.log.cut()
    story.topic.write(record('c', 3))
    story.topic.log.breakLast(story.topic.topic, 0)
    mend()
    await story.digest(['a@1', 'b@2', 'c@3'])
    assert.equal(await story.told(), 'skipped 1; rebuilt 0, diverged 0')
    await story.running.stop()
  })

  test('before the cache is live, and where what stood before it was compacted away until the end as it was then', async () => {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 1))
    topic.control(digestOf(['a@1'], { asOf: topic.clock.now() }))
    topic.control(progress(1))
    const metrics = createMetrics()
    const running = topic.start({ metrics })
    await running.whenLive()
    const mend = topic.log.cut()
    topic.write(record('a', 2, { op: 'UPDATED' }))
    topic.control(digestOf(['a@2'], { asOf: topic.clock.now() }))
    topic.write(record('a', 3, { op: 'UPDATED' }))
    topic.log.compact(topic.topic)
    mend()
    await running.until(() => running.held().includes('a@3'), 'the last state')
    topic.control(digestOf(['a@3'], { asOf: topic.clock.now() }))
    await running.settled()
    const text = await metrics.text()
    assert.match(text, /digest_checks_total\{resource="pods",result="skipped"\} 2/)
    assert.match(text, /digest_checks_total\{resource="pods",result="same"\} 1/)
    assert.doesNotMatch(text, /result="different"/)
    await running.stop()
  })
})

describe('a cache that holds something else than its bridge says', () => {
  const lies: Readonly<Record<string, { readonly lie: Lie; readonly wrong: readonly string[] }>> = {
    'lost a record': { lie: (stored) => (isOf('c', stored) ? [] : [stored]), wrong: ['b@4'] },
    'shows what is deleted': { lie: (stored) => (isOf('a', stored) ? [] : [stored]), wrong: ['a@1', 'b@4', 'c@5'] },
    'holds an older state': { lie: (stored) => (isOf('b', stored) ? [] : [stored]), wrong: ['b@2', 'c@5'] },
  }
  for (const [what, { lie, wrong }] of Object.entries(lies)) {
    test(`because it ${what} reads the topic again`, async () => {
      const story = await Story.begin()
      story.lie = lie
      story.topic.write(record('a', 3, { op: 'DELETED' }), record('b', 4, { op: 'UPDATED' }), record('c', 5))
      await story.running.settled()
      assert.deepEqual(story.running.held(), wrong)
      story.lie = undefined
      await story.digest(['b@4', 'c@5'])
      assert.deepEqual(story.running.held(), ['b@4', 'c@5'])
      await story.digest(['b@4', 'c@5'])
      assert.equal(await story.told(), 'different 1, skipped 1, same 1; rebuilt 1, diverged 0')
      const line = story.log.lines.find(({ message }) => message === 'cache differs from what its bridge says')
      assert.deepEqual([line?.level, line?.fields['partition'], line?.fields['offset']], ['warn', 0, 7])
      assert.match(String(line?.fields['wanted']), /^2 keys [0-9a-f]{16}$/)
      await story.running.stop()
    })
  }

  test('and differs again within six hours alarms, until it is the same again', async () => {
    const story = await Story.begin()
    await story.digest(['a@1'])
    await story.topic.clock.advance(5 * HOUR_MS)
    await story.digest(['a@1'])
    // The first one is met once more by the second reading, before that is live.
    assert.equal(await story.told(), 'different 2, skipped 1; rebuilt 1, diverged 1')
    const [alarm] = story.log.lines.filter(({ level }) => level === 'error')
    assert.equal(alarm?.message, 'cache differs from what its bridge says, and reading the topic again has not helped')
    story.topic.tombstone('b')
    await story.digest(['a@1'])
    assert.equal(await story.told(), 'different 2, skipped 1, same 1; rebuilt 1, diverged 0')
    await story.running.stop()
  })

  test('and differs again after six hours reads the topic once more', async () => {
    const story = await Story.begin()
    await story.digest(['a@1'])
    await story.topic.clock.advance(6 * HOUR_MS)
    await story.digest(['a@1'])
    assert.equal(await story.told(), 'different 2, skipped 3; rebuilt 2, diverged 0')
    await story.running.stop()
  })
})

test('a sum over many entries lets everything else have its turn', async () => {
  const entries = Array.from({ length: 5_000 }, (_, n) => parsedEntry(podOf(`p${n}`)))
  let turns = 0
  const done = new AbortController()
  const counting = (async () => {
    for (; !done.signal.aborted; turns++) await turn()
  })()
  const sums = [0, 1, 2].map((partition) =>
    sumOfPartition(entries, { partition, partitionCount: 3 }, new AbortController().signal),
  )
  const counts = (await Promise.all(sums)).map(({ count }) => count)
  done.abort()
  await counting
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    5_000,
  )
  assert.ok(turns >= 5, `${turns} turns`)
  const stopped = AbortSignal.abort(new Error('stopped'))
  await assert.rejects(sumOfPartition(entries, { partition: 0, partitionCount: 1 }, stopped), /stopped/)
})

function podOf(name: string): Pod {
  return { metadata: { namespace: 'shop', name, uid: `uid-${name}`, resourceVersion: '1' } }
}

function isOf(name: string, { key }: StoredRecord): boolean {
  return key.toString() === `shop/${name}`
}
