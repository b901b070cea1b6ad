// A cache goes on from its snapshot on disk, and from nothing that cannot be trusted.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { aborted } from '../../src/base/abort.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { describeSchema, recordSchema } from '../../src/codec/avro.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { SnapshotPlace } from '../../src/snapshot/snapshot-place.ts'
import type { SnapshotRow } from '../../src/snapshot/snapshot-layout.ts'
import type { TopicCacheOptions } from '../../src/consumer/topic-cache.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { awaitsFiles } from '../property/file-requests.ts'
import { recordingLogger } from '../conformance/recording-logger.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { readThrough } from '../support/read-through.ts'
import { progress, record, TOPIC, TopicHarness, type Pod, type RunningCache } from '../unit/consumer/support.ts'

const DAY_MS = 86_400_000
const life = new DisposableStack()
const never = new AbortController().signal

after(() => life.dispose())

function newDirectory(): string {
  return join(life.use(temporaryFolder('snapshot')).path, 'snapshots')
}

/** With one more field, an empty text behind the others. */
const later = describeSchema(recordSchema.text.replace(/\]\}$/, ',{"name":"later","type":"string","default":""}]}'))

/** A value as a later version would write it. */
function ofLaterVersion(each: KubeRecord): Buffer {
  const frame = Buffer.concat([encodeRecord({ kind: 'avro' })(each), Buffer.from([0])])
  frame.writeBigUInt64LE(BigInt(`0x${later.fingerprint}`), 2)
  return frame
}

/** A topic with pods a to c, and a directory with a snapshot of it. */
async function snapshotOf(options: Partial<TopicCacheOptions<Pod>> = {}): Promise<Kept> {
  const topic = await new TopicHarness({ partitions: 2 }).create()
  topic.write(record('a', 1), record('b', 2), record('c', 3))
  topic.control(progress(3))
  const kept = new Kept(topic, newDirectory(), options)
  const first = await kept.start()
  await first.running.stop()
  assert.equal(kept.files().length, 1)
  return kept
}

class Kept {
  readonly topic: TopicHarness
  readonly directory: string
  readonly #options: Partial<TopicCacheOptions<Pod>>

  constructor(topic: TopicHarness, directory: string, options: Partial<TopicCacheOptions<Pod>>) {
    this.topic = topic
    this.directory = directory
    this.#options = options
  }

  get path(): string {
    return join(this.directory, this.files().find((name) => name.endsWith('.snapshot')) ?? 'missing')
  }

  files(): readonly string[] {
    return readdirSync(this.directory).toSorted()
  }

  /** Starts a cache over the directory and waits until it is live. */
  async start(options: Partial<TopicCacheOptions<Pod>> = {}): Promise<Started> {
    const metrics = createMetrics()
    const log = recordingLogger()
    const snapshot = { directory: this.directory }
    const running = this.topic.start({ snapshot, metrics, log, ...this.#options, ...options })
    await running.whenLive()
    await running.settled()
    return { running, log, text: () => metrics.text() }
  }
}

interface Started {
  readonly running: RunningCache
  readonly log: ReturnType<typeof recordingLogger>
  readonly text: () => Promise<string>
}

function whatFor(result: string): RegExp {
  return new RegExp(`kubedelta_cache_snapshot_reads_total\\{resource="pods",result="${result}"\\} 1`)
}

test('a cache goes on from its snapshot, reads what came since, and tells its handlers all of it at once', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  topic.write(record('a', 4, { op: 'UPDATED' }), record('b', 5, { op: 'DELETED' }), record('d', 6))
  // What only the snapshot holds now.
  for (const partition of [0, 1]) topic.log.truncateBefore(TOPIC, partition, 0)
  const { running, text } = await kept.start()
  assert.deepEqual(running.held(), ['a@4', 'c@3', 'd@6'])
  assert.deepEqual(running.heard.toSorted(), ['add a@4 initial', 'add c@3 initial', 'add d@6 initial'])
  assert.match(await text(), whatFor('resumed'))
  const { asOf, resourceVersion } = running.cache.status()
  assert.deepEqual([asOf, resourceVersion], [3_000, '3'], 'no progress record has come since')
  await running.stop()
})

test('nothing before the positions of a snapshot is read again', async () => {
  const kept = await snapshotOf()
  let first = Infinity
  const { log } = kept.topic
  const from: TopicCacheOptions<Pod>['from'] = {
    admin: log.admin,
    openWriter: (options) => log.openWriter(options),
    openReader: async () => {
      const reader = await log.openReader()
      return {
        read: (options) => {
          first = Math.min(first, ...options.from.values())
          return reader.read(options)
        },
        [Symbol.asyncDispose]: async () => {},
      }
    },
    [Symbol.asyncDispose]: async () => {},
  }
  const { running } = await kept.start({ from })
  assert.ok(first > 0)
  assert.deepEqual(running.held(), ['a@1', 'b@2', 'c@3'])
  await running.stop()
})

test('a snapshot is written every interval while something changes, and at the end', async () => {
  const kept = await snapshotOf()
  const { topic, path } = kept
  const { running, log } = await kept.start({ snapshot: { directory: kept.directory, intervalMs: 10_000 } })
  const before = statSync(path).ino
  await topic.clock.advance(25_000)
  assert.equal(statSync(path).ino, before, 'nothing was read')
  topic.write(record('d', 7))
  await running.until(() => running.held().length === 4, 'the add')
  await topic.clock.advance(10_000)
  await running.until(() => log.lines.some(({ message }) => message === 'snapshot written'), 'a snapshot')
  assert.notEqual(statSync(path).ino, before)
  await running.stop()
  assert.deepEqual(kept.files().length, 1, 'no draft is left')
})

test('a damaged snapshot is set aside, and nothing of it is shown', async (t) => {
  const kept = await snapshotOf()
  const whole = readFileSync(kept.path)
  const damages: ReadonlyMap<string, (path: string) => void> = new Map([
    ['cut short', (path) => truncateSync(path, whole.length - 20)],
    ['empty', (path) => truncateSync(path, 0)],
    ['longer', (path) => writeFileSync(path, Buffer.concat([whole, Buffer.from('x')]))],
    ['text', (path) => writeFileSync(path, 'hello')],
    ...[12, 40, whole.length - 6, whole.length - 90, Math.floor(whole.length / 2)].map(
      (at) => [`a bit at ${at}`, (path: string) => writeFileSync(path, flipped(whole, at))] as const,
    ),
  ])
  for (const [name, damage] of damages) {
    await t.test(name, async () => {
      for (const file of kept.files()) if (!file.endsWith('.snapshot')) rmSync(join(kept.directory, file))
      writeFileSync(kept.path, whole)
      damage(kept.path)
      const { running, text, log } = await kept.start()
      assert.deepEqual(running.held(), ['a@1', 'b@2', 'c@3'])
      assert.match(await text(), whatFor('corrupt'))
      assert.ok(log.lines.some(({ level, fields }) => level === 'warn' && fields?.['reason'] === 'corrupt'))
      await running.stop()
      assert.deepEqual(
        kept.files().map((file) => file.replace(/^.*snapshot/, '')),
        ['', '.corrupt-1'],
      )
    })
  }
})

function flipped(whole: Buffer, at: number): Buffer {
  const copy = Buffer.from(whole)
  copy[at] = (copy[at] ?? 0) ^ 0x10
  return copy
}

test('the snapshot of another topic is foreign, under whatever name it comes', async () => {
  const kept = await snapshotOf()
  const topic = await new TopicHarness({ partitions: 2, topic: 'kubedelta.other.pods' }).create()
  topic.write(record('z', 1))
  topic.control(progress(1))
  renameSync(kept.path, kept.path.replace(TOPIC, topic.topic))
  const other = new Kept(topic, kept.directory, { cluster: 'other' })
  const { running, text } = await other.start()
  assert.deepEqual(running.held(), ['z@1'])
  assert.match(await text(), whatFor('foreign'))
  await running.stop()
  assert.ok(kept.files().some((name) => name.endsWith('.foreign')))
})

test('caches that keep different things of one topic share a directory', async () => {
  const kept = await snapshotOf()
  const some = await kept.start({ keys: ['shop/a'] })
  assert.deepEqual(some.running.held(), ['a@1'])
  await some.running.stop()
  assert.equal(kept.files().length, 2)
  const { running, text } = await kept.start()
  assert.deepEqual(running.held(), ['a@1', 'b@2', 'c@3'])
  assert.match(await text(), whatFor('resumed'))
  await running.stop()
})

test('a snapshot that is too old is not used: what was deleted since leaves no trace', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  topic.tombstone('a')
  topic.log.compact(TOPIC, { tombstones: 'drop' })
  topic.control(progress(3))
  await topic.clock.advance(3.5 * DAY_MS)
  const { running, text } = await kept.start()
  assert.deepEqual(running.held(), ['b@2', 'c@3'])
  assert.match(await text(), whatFor('too-old'))
  await running.stop()
})

test('a snapshot is not used for a topic that was created anew, or lost what was read', async () => {
  const recreated = await snapshotOf()
  recreated.topic.log.delete(TOPIC)
  await recreated.topic.create()
  recreated.topic.write(record('x', 1), record('y', 2), record('z', 3), record('w', 4), record('v', 5))
  recreated.topic.control(progress(5, { streamId: 'other' }))
  const after = await recreated.start()
  assert.deepEqual(after.running.held(), ['v@5', 'w@4', 'x@1', 'y@2', 'z@3'])
  assert.match(await after.text(), whatFor('topic-recreated'))
  await after.running.stop()

  const truncated = await snapshotOf()
  for (const partition of [0, 1]) truncated.topic.log.loseFrom(TOPIC, partition, 0)
  truncated.topic.write(...['k', 'l', 'm', 'n', 'o', 'p', 'q'].map((name, index) => record(name, index + 1)))
  truncated.topic.control(progress(7))
  truncated.topic.control(progress(7))
  const lost = truncated.start()
  const progressed = { isLive: false }
  void lost.then(() => (progressed.isLive = true))
  // It waits before it reads again.
  while (!progressed.isLive) await truncated.topic.clock.advance(2_000)
  const { running } = await lost
  assert.deepEqual(running.held(), ['k@1', 'l@2', 'm@3', 'n@4', 'o@5', 'p@6', 'q@7'])
  assert.ok(
    running.heard.every((line) => line.endsWith('initial')),
    running.heard.join(),
  )
  await running.stop()
})

test('a snapshot is not used for another stream, wherever that began', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  topic.control({ ...progress(1, { streamId: 'other', epoch: 2 }), kind: 'fence' })
  topic.tombstone('a')
  topic.control(progress(4, { streamId: 'other', epoch: 2 }))
  const { running, text } = await kept.start()
  assert.deepEqual(running.held(), ['b@2', 'c@3'])
  assert.match(await text(), /rebuilds_total\{resource="pods",reason="new-stream"\} 1/)
  assert.deepEqual(running.heard.toSorted(), ['add b@2 initial', 'add c@3 initial'])
  await running.stop()
})

test('what is degraded stays so over a restart, and records that wait for their schema still come', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  const first = await kept.start()
  topic.raw('shop/a', Buffer.from('{"op":"ADDED"'))
  topic.raw('shop/b', ofLaterVersion(record('b', 8, { op: 'UPDATED' })))
  await first.running.until(() => first.running.cache.status().degraded.size === 2, 'degraded')
  await first.running.stop()
  const { running } = await kept.start()
  const before = [...running.cache.status().degraded].toSorted(([a], [b]) => (a < b ? -1 : 1))
  assert.deepEqual(before, [
    ['shop/a', 'corrupt'],
    ['shop/b', 'unknown-schema'],
  ])
  assert.deepEqual(running.held(), ['a@1', 'b@2', 'c@3'])
  topic.control(progress(8, { schemas: { [later.fingerprint]: later.canonical } }))
  await running.until(() => running.held().includes('b@8'), 'read at last')
  assert.deepEqual([...running.cache.status().degraded], [['shop/a', 'corrupt']])
  await running.stop()
})

test('a schema that was learned before a restart need not come again', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  const first = await kept.start()
  topic.control(progress(7, { schemas: { [later.fingerprint]: later.canonical } }))
  topic.write(record('d', 7))
  await first.running.until(() => first.running.cache.status().resourceVersion === '7', 'the schema')
  await first.running.stop()
  topic.raw('shop/b', ofLaterVersion(record('b', 8, { op: 'UPDATED' })))
  const { running } = await kept.start()
  assert.deepEqual(running.held(), ['a@1', 'b@8', 'c@3', 'd@7'])
  assert.equal(running.cache.status().degraded.size, 0)
  await running.stop()
})

test('what was passed over before a restart, and who wrote then, is not forgotten', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  const first = await kept.start()
  topic.write(record('a', 4, { op: 'UPDATED' }))
  topic.log.breakLast(TOPIC, partitionOf(Buffer.from('shop/a'), topic.partitions))
  topic.write(record('d', 7))
  topic.control(progress(7, { epoch: 5 }))
  const { cache } = first.running
  await first.running.until(() => cache.status().resourceVersion === '7', 'all of it')
  assert.equal(cache.status().brokenBatches, 1)
  await first.running.stop()
  topic.write(record('b', 8, { op: 'UPDATED', epoch: 4 }))
  const { running, text } = await kept.start()
  assert.equal(running.cache.status().brokenBatches, 1)
  assert.deepEqual(running.held(), ['a@1', 'b@8', 'c@3', 'd@7'])
  assert.match(await text(), /regressions_total\{resource="pods",reason="epoch"\} 1/)
  await running.stop()
})

test('a cache that has not come to the end leaves the snapshot that it goes on from as it is', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  const before = readFileSync(kept.path)
  topic.write(...['d', 'e', 'f', 'g'].map((name, index) => record(name, 7 + index)))
  const { log } = gated(topic.log, { batches: 1 })
  const running = topic.start({ from: log, snapshot: { directory: kept.directory, intervalMs: 10_000 } })
  await running.until(() => running.cache.status().offsets.done > 0, 'it reads')
  assert.equal(running.cache.status().state, 'Recovering')
  await topic.clock.advance(30_000)
  for (let turns = 0; turns < 50 || awaitsFiles(); turns++) await turn()
  assert.deepEqual(readFileSync(kept.path), before)
  await running.stop()
  assert.deepEqual(readFileSync(kept.path), before)
})

test('a snapshot that gets too old before the rest is read is not gone on from', async () => {
  const kept = await snapshotOf()
  const { topic } = kept
  await topic.clock.advance(3 * DAY_MS)
  topic.write(record('d', 7))
  const { log, open } = gated(topic.log)
  const metrics = createMetrics()
  const running = topic.start({ from: log, snapshot: { directory: kept.directory }, metrics })
  await running.until(() => running.cache.status().offsets.toDo === 1, 'it begins')
  await topic.clock.advance(DAY_MS)
  topic.tombstone('a')
  topic.log.compact(TOPIC, { tombstones: 'drop' })
  topic.control(progress(7))
  open()
  const progressed = { isLive: false }
  void running.whenLive().then(() => (progressed.isLive = true))
  // It waits before it reads again.
  while (!progressed.isLive) await topic.clock.advance(2_000)
  assert.deepEqual(running.held(), ['b@2', 'c@3', 'd@7'])
  assert.match(await metrics.text(), /rebuilds_total\{resource="pods",reason="cut-off"\} 1/)
  await running.stop()
})

/** A log whose readers get so many batches, and the others once it is opened. */
function gated(log: TopicLog, { batches = 0 } = {}): { readonly log: TopicLog; readonly open: () => void } {
  const gate = Promise.withResolvers<void>()
  const open = (): void => gate.resolve()
  const through = readThrough(log, async function* read(reader, wanted) {
    let given = 0
    for await (const batch of reader.read(wanted)) {
      if (given === batches) await Promise.race([gate.promise, aborted(wanted.signal)])
      given += 1
      if (!wanted.signal.aborted) yield batch
    }
  })
  return { log: through, open }
}

test('a directory that cannot be written to is told at the start', async () => {
  const folder = life.use(temporaryFolder('snapshot')).path
  const path = join(folder, 'file')
  writeFileSync(path, '')
  const topic = await new TopicHarness().create()
  const running = topic.start({ snapshot: { directory: path } })
  await assert.rejects(running.ended, { code: 'usage', message: /Cannot keep snapshots in .*: wanted a directory/ })
})

test('a write that fails is told and counted, the snapshot before stays, and the cache goes on', async () => {
  const kept = await snapshotOf()
  const { running, text, log } = await kept.start()
  const gone = `${kept.directory}-gone`
  renameSync(kept.directory, gone)
  writeFileSync(kept.directory, 'no directory')
  kept.topic.write(record('d', 7))
  await running.until(() => running.held().length === 4, 'the add')
  await kept.topic.clock.advance(60_000)
  await running.until(() => log.lines.some(({ level }) => level === 'error'), 'the failure')
  assert.match(await text(), /snapshot_writes_total\{resource="pods",result="failed"\} 1/)
  kept.topic.write(record('e', 8))
  await running.until(() => running.held().length === 5, 'goes on')
  rmSync(kept.directory)
  renameSync(gone, kept.directory)
  await running.stop()
  assert.equal(kept.files().length, 1)
  const later = await kept.start()
  assert.deepEqual(later.running.held().length, 5)
  await later.running.stop()
})

test('writers that share a place leave one whole snapshot, and readers see whole ones only', async () => {
  const place = (): SnapshotPlace => new SnapshotPlace({ directory, name: 'shared' })
  const directory = newDirectory()
  await place().prepare()
  const rowsOf = (writer: number): readonly SnapshotRow[] =>
    Array.from({ length: 2_000 }, (_, index) => ({
      kind: 'object',
      key: `shop/${writer}-${index}`,
      uid: 'u',
      resourceVersion: '1',
      bytes: Buffer.alloc(5_000, writer),
    }))
  const write = async (writer: number): Promise<void> => {
    for (let round = 0; round < 3; round++) await place().write({ writer }, rowsOf(writer), never)
  }
  let read = 0
  const writing = { goesOn: true }
  const reading = (async () => {
    while (writing.goesOn) {
      await using file = await place().open()
      if (file === undefined) {
        await new Promise((resolve) => setImmediate(resolve))
        continue
      }
      const writers = new Set<string>()
      for await (const rows of file.blocks()) for (const { key } of rows) writers.add(key.slice(0, 6))
      assert.equal(writers.size, 1)
      read += 1
    }
  })()
  await Promise.all([write(1), write(2)])
  writing.goesOn = false
  await reading
  assert.ok(read > 0)
  assert.deepEqual(readdirSync(directory), ['shared.snapshot'])
})
