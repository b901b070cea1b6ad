import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createMetrics } from '../../../src/base/metrics.ts'
import { toControlRecord } from '../../../src/bridge/wire.ts'
import { partitionOf } from '../../../src/topic/partition.ts'
import { topicSpec } from '../../../src/topic/plan.ts'
import type { TopicLog } from '../../../src/topic/port.ts'
import { readThrough } from '../../support/read-through.ts'
import { progress, record, TOPIC, TopicHarness, type RunningCache } from './support.ts'

const DAY_MS = 86_400_000

/** A topic with these pods, whose first list is complete, and a cache of it that is live. */
async function liveCache(
  names: readonly string[],
  { partitions = 1 }: { readonly partitions?: number } = {},
): Promise<{ readonly topic: TopicHarness; readonly running: RunningCache; readonly text: () => Promise<string> }> {
  const topic = await new TopicHarness({ partitions }).create()
  topic.write(...names.map((name, index) => record(name, index + 1)))
  topic.control(progress(names.length))
  const metrics = createMetrics()
  const running = topic.start({ metrics })
  await running.whenLive()
  await running.settled()
  running.heard.splice(0)
  return { topic, running, text: () => metrics.text() }
}

/** Lets the cache wait before it reads again, and read. */
async function readAgain(topic: TopicHarness): Promise<void> {
  for (let round = 0; round < 4; round++) {
    for (let turns = 0; turns < 10; turns++) await turn()
    await topic.clock.advance(2_000)
  }
}

/** A bridge that deletes a pod while nobody reads, and a broker that has forgotten the tombstone since. */
function deleteWithoutTrace(topic: TopicHarness, name: string): void {
  topic.tombstone(name)
  topic.log.compact(topic.topic, { tombstones: 'drop' })
}

describe('a cache out of contact', () => {
  test('for longer than half of delete.retention.ms reads again and deletes what left no trace', async () => {
    const { topic, running, text } = await liveCache(['a', 'b'])
    const mend = topic.log.cut()
    await topic.clock.advance(4 * DAY_MS)
    deleteWithoutTrace(topic, 'a')
    mend()
    topic.write(record('c', 5))
    topic.control(progress(5))
    await readAgain(topic)
    await running.until(() => running.heard.length === 2, 'the delete')
    assert.deepEqual(running.heard, ['delete a@1 unknown', 'add c@5'])
    assert.deepEqual(running.held(), ['b@2', 'c@5'])
    assert.match(await text(), /kubedelta_cache_rebuilds_total\{resource="pods",reason="cut-off"\} 1/)
    await running.stop()
  })

  test('for a shorter time goes on from where it was', async () => {
    const { topic, running, text } = await liveCache(['a', 'b'])
    const mend = topic.log.cut()
    await topic.clock.advance(3 * DAY_MS)
    topic.log.inject(TOPIC, 0, { key: Buffer.from('shop/a'), value: null, headers: [], timestampMs: 1 })
    mend()
    await running.until(() => running.heard.length === 1, 'the delete')
    assert.deepEqual(running.heard, ['delete a@1 unknown'])
    assert.doesNotMatch(await text(), /rebuilds_total\{/)
    await running.stop()
  })

  test('is not one that reads a topic on which nothing happens', async () => {
    const { topic, running, text } = await liveCache(['a'])
    await topic.clock.advance(10 * DAY_MS)
    topic.write(record('b', 2))
    await running.until(() => running.heard.length === 1, 'the add')
    assert.doesNotMatch(await text(), /rebuilds_total\{/)
    await running.stop()
  })

  test('because its process was stopped reads again, whatever it had fetched before', async () => {
    const { topic, running } = await liveCache(['a', 'b'])
    // Stopped: the clock jumps, and no timer of the cache has run in between.
    topic.clock.jump(4 * DAY_MS)
    deleteWithoutTrace(topic, 'a')
    topic.write(record('c', 5))
    topic.control(progress(5))
    await readAgain(topic)
    await running.until(() => running.heard.length === 2, 'the delete')
    assert.deepEqual(running.heard, ['delete a@1 unknown', 'add c@5'])
    await running.stop()
  })

  test('shows what it has, and tells how old that is', async () => {
    const { topic, running, text } = await liveCache(['a'])
    await topic.clock.advance(60_000)
    const before = running.cache.status()
    assert.ok((before.staleMs ?? Infinity) <= 30_000)
    const mend = topic.log.cut()
    await topic.clock.advance(600_000)
    const { asOf, contactAt, staleMs, state } = running.cache.status()
    assert.deepEqual([asOf, contactAt, state], [before.asOf, before.contactAt, 'Live'])
    assert.ok((staleMs ?? 0) >= 600_000)
    assert.deepEqual(running.held(), ['a@1'])
    mend()
    await topic.clock.advance(60_000)
    assert.ok((running.cache.status().staleMs ?? Infinity) <= 30_000)
    assert.equal(running.cache.status().asOf, before.asOf, 'nothing was said by the bridge')
    assert.match(await text(), /kubedelta_cache_contact_timestamp_seconds\{resource="pods"\} [0-9]{10}/)
    await running.stop()
  })

  test('tells its lag though no batch comes', async () => {
    const { topic, running, text } = await liveCache(['a'])
    const silent = withholding(topic.log)
    const other = topic.start({ from: silent.log })
    await other.whenLive()
    silent.hold()
    topic.write(record('b', 2), record('c', 3))
    await topic.clock.advance(31_000)
    assert.equal(other.cache.status().offsets.toDo, 2)
    assert.match(await text(), /lag_records\{resource="pods"\} 0/)
    await Promise.all([running.stop(), other.stop()])
  })
})

/** A log whose readers get nothing more once it is told to hold. */
function withholding(log: TopicLog): { readonly log: TopicLog; readonly hold: () => void } {
  let isHeld = false
  const through = readThrough(log, async function* read(reader, wanted) {
    for await (const batch of reader.read(wanted)) if (!isHeld) yield batch
  })
  return { log: through, hold: () => (isHeld = true) }
}

describe('a log that is no longer what was read', () => {
  test('for a leader that lost records is read again', async () => {
    const { topic, running, text } = await liveCache(['a', 'b', 'c'])
    topic.log.loseFrom(TOPIC, 0, 1)
    topic.write(record('d', 7), record('e', 8), record('f', 9))
    topic.control(progress(9))
    topic.write(record('g', 10))
    await readAgain(topic)
    await running.until(() => running.heard.length === 6, 'all changes')
    assert.deepEqual(running.held(), ['a@1', 'd@7', 'e@8', 'f@9', 'g@10'])
    assert.deepEqual(running.heard.slice(0, 2), ['delete b@2 unknown', 'delete c@3 unknown'])
    assert.match(await text(), /reason="log-truncated"\} 1/)
    await running.stop()
  })

  test('for retention that overtook the reading is read again', async () => {
    const { topic, running, text } = await liveCache(['a'])
    const mend = topic.log.cut()
    topic.write(record('b', 2), record('c', 3))
    topic.control(progress(3))
    topic.log.truncateBefore(TOPIC, 0, 3)
    mend()
    await readAgain(topic)
    await running.until(() => running.heard.length === 2, 'all changes')
    assert.deepEqual(running.heard, ['delete a@1 unknown', 'add c@3'])
    assert.match(await text(), /reason="offset-out-of-range"\} 1/)
    await running.stop()
  })

  test('for a topic that was deleted and created again is read again, and never shown mixed', async () => {
    const { topic, running, text } = await liveCache(['a', 'b'])
    topic.log.delete(TOPIC)
    await topic.create()
    topic.write(record('x', 1), record('y', 2), record('z', 3), record('a', 4))
    await readAgain(topic)
    assert.deepEqual(running.held(), ['a@1', 'b@2'], 'its first list is not complete')
    topic.control(progress(4, { streamId: 'other' }))
    await running.until(() => running.heard.length === 5, 'all changes')
    assert.deepEqual(running.held(), ['a@4', 'x@1', 'y@2', 'z@3'])
    assert.equal(running.heard[0], 'delete b@2 unknown')
    assert.match(await text(), /reason="topic-recreated"\} 1/)
    await running.stop()
  })

  test('for a topic that is missing for a while is waited for', async () => {
    const { topic, running, text } = await liveCache(['a', 'b'])
    topic.log.delete(TOPIC)
    await topic.clock.advance(600_000)
    assert.deepEqual([running.held(), running.heard], [['a@1', 'b@2'], []])
    await topic.create()
    topic.write(record('b', 7))
    topic.control(progress(7, { streamId: 'other' }))
    await topic.clock.advance(120_000)
    await running.until(() => running.heard.length === 2, 'all changes')
    assert.deepEqual(running.heard, ['delete a@1 unknown', 'update b@2 b@7'])
    assert.match(await text(), /rebuilds_total\{resource="pods",reason="topic-missing"\} 1/)
    await running.stop()
  })

  test('is shown as old as it is while another one is on its way', async () => {
    const { topic, running } = await liveCache(['a'])
    topic.raw('shop/a', Buffer.from('{broken'))
    await running.until(() => running.cache.status().degraded.size === 1, 'degraded')
    const before = running.cache.status()
    topic.log.delete(TOPIC)
    await topic.create()
    topic.write(record('x', 8))
    topic.control(progress(8, { streamId: 'other', synced: false }))
    await readAgain(topic)
    const { state, asOf, resourceVersion, contactAt, staleMs, degraded } = running.cache.status()
    assert.deepEqual([...degraded.keys()], ['shop/a'])
    assert.deepEqual(
      [state, asOf, resourceVersion, contactAt],
      ['CatchingUp', before.asOf, before.resourceVersion, before.contactAt],
    )
    assert.ok((staleMs ?? 0) >= 8_000)
    topic.control(progress(9, { streamId: 'other' }))
    await running.until(() => running.held().join() === 'x@8', 'the new content')
    const after = running.cache.status()
    assert.deepEqual([after.state, after.asOf, after.resourceVersion], ['Live', 9_000, '9'])
    assert.equal(after.degraded.size, 0)
    assert.ok((after.staleMs ?? Infinity) < 8_000)
    await running.stop()
  })

  test('is noticed though nothing is read', async () => {
    const topic = await new TopicHarness().create()
    topic.control(progress(1))
    const silent = withholding(topic.log)
    const metrics = createMetrics()
    const running = topic.start({ from: withId(silent.log, () => id), metrics })
    let id = 'one'
    await running.whenLive()
    id = 'two'
    await topic.clock.advance(31_000)
    await running.settled()
    assert.match(await metrics.text(), /reason="topic-recreated"\} 1/)
    await running.stop()
  })
})

/** A log that calls its topics by another id. */
function withId(log: TopicLog, id: () => string): TopicLog {
  const describe: TopicLog['admin']['describe'] = async (topic, signal) => {
    const description = await log.admin.describe(topic, signal)
    return description && { ...description, topicId: id() }
  }
  return { ...log, openReader: (options) => log.openReader(options), admin: { ...log.admin, describe } }
}

describe('partitions that are added', () => {
  test('do not matter while the bridge goes on as before', async () => {
    const { topic, running, text } = await liveCache(['a', 'b', 'c', 'd'], { partitions: 2 })
    topic.log.addPartitions(TOPIC, 5)
    topic.write(record('e', 9))
    topic.control(progress(9))
    await running.until(() => running.heard.length === 1, 'the add')
    const later = topic.start()
    await readAgain(topic)
    await later.whenLive()
    assert.deepEqual(later.held(), ['a@1', 'b@2', 'c@3', 'd@4', 'e@9'], 'a later reader finds them where they are')
    assert.doesNotMatch(await text(), /rebuilds_total\{/)
    await Promise.all([running.stop(), later.stop()])
  })

  test('lead to a rebuild that emits the deletes when a bridge spreads its keys anew', async () => {
    const names = ['a', 'b', 'c', 'd']
    const { topic, running, text } = await liveCache(names, { partitions: 2 })
    topic.log.addPartitions(TOPIC, 3)
    // Under three partitions some keys stand elsewhere now; what stands in the old place is not theirs any more.
    const moved = names.filter(
      (name) => partitionOf(Buffer.from(`shop/${name}`), 3) !== partitionOf(Buffer.from(`shop/${name}`), 2),
    )
    assert.ok(moved.length > 0 && moved.length < names.length)
    for (let partition = 0; partition < 3; partition++) {
      topic.log.inject(TOPIC, partition, toControlRecord(progress(9, { epoch: 2, partitions: 3 })))
    }
    await readAgain(topic)
    await running.until(() => running.heard.length === moved.length, 'the deletes')
    assert.deepEqual(
      running.heard.toSorted(),
      moved.map((name) => `delete ${name}@${names.indexOf(name) + 1} unknown`),
    )
    assert.match(await text(), /reason="partitions-changed"\} 1/)
    await running.stop()
  })
})

describe('a reading that takes longer than tombstones last', () => {
  test('is made again, and is taken for what it is when it always does', async () => {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 1), record('b', 2))
    topic.control(progress(2))
    const metrics = createMetrics()
    const running = topic.start({ from: slow(topic, 8 * DAY_MS), metrics })
    for (let round = 0; round < 6; round++) await readAgain(topic)
    await running.whenLive()
    assert.match(await metrics.text(), /reason="slow-rebuild"\} 2/)
    assert.deepEqual(running.held(), ['a@1', 'b@2'])
    topic.write(record('c', 3))
    await running.until(() => running.held().length === 3, 'goes on')
    await running.stop()
  })

  test('is taken where the second one is quick enough', async () => {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 1))
    topic.control(progress(2))
    const metrics = createMetrics()
    const running = topic.start({ from: slow(topic, 8 * DAY_MS, 1), metrics })
    await readAgain(topic)
    await running.whenLive()
    assert.match(await metrics.text(), /reason="slow-rebuild"\} 1/)
    await running.stop()
  })
})

/** A log whose first batch of a reading comes late. */
function slow({ log, clock }: TopicHarness, ms: number, times = Infinity): TopicLog {
  let left = times
  return readThrough(log, async function* read(reader, wanted) {
    let isFirst = wanted.from.get(0) === 0 && left-- > 0
    for await (const batch of reader.read(wanted)) {
      if (isFirst) clock.jump(ms)
      isFirst = false
      yield batch
    }
  })
}

describe('a record batch that does not decode', () => {
  test('is passed over, counted, and shown', async () => {
    const { topic, running, text } = await liveCache(['a', 'b'])
    topic.write(record('a', 7, { op: 'UPDATED' }))
    topic.log.breakLast(TOPIC, 0)
    topic.write(record('b', 8, { op: 'UPDATED' }))
    await running.until(() => running.heard.length === 1, 'what stands behind it')
    assert.deepEqual(running.held(), ['a@1', 'b@8'])
    assert.equal(running.cache.status().brokenBatches, 1)
    assert.match(await text(), /unreadable_records_total\{resource="pods",reason="broken-batch"\} 1/)
    await running.stop()
  })
})

test('a topic of which the configuration may not be read is read all the same', async () => {
  const topic = await new TopicHarness().create()
  topic.write(record('a', 1))
  topic.control(progress(1))
  const { KubedeltaError } = await import('../../../src/base/errors.ts')
  const describe = async (): Promise<never> => {
    throw new KubedeltaError('forbidden', 'Cannot describe topic')
  }
  const from = { admin: { ...topic.log.admin, describe } }
  const running = topic.start({
    from: {
      ...from,
      openReader: () => topic.log.openReader(),
      openWriter: (options) => topic.log.openWriter(options),
      [Symbol.asyncDispose]: async () => {},
    },
  })
  await running.whenLive()
  assert.deepEqual(running.held(), ['a@1'])
  await running.stop()
})

test('a topic is created as the bridge creates it', () => {
  assert.equal(topicSpec({ topic: TOPIC, partitions: 1 }).config.get('delete.retention.ms'), String(7 * DAY_MS))
})
