// A cache ends equal to the cluster whatever befalls its log, its bridge, its snapshot and itself, and its handlers hear all of it.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import { NamedCluster, statesIn, type Change } from '../support/named-cluster.ts'
import { damageSnapshots, putSnapshotFiles, snapshotFiles, type SnapshotDamage } from '../support/snapshot-files.ts'
import { ToldCache } from '../support/told-cache.ts'
import { TOPIC } from '../unit/consumer/support.ts'
import { awaitsFiles } from './file-requests.ts'
import { memoryFolder } from './memory-folder.ts'

const DAY_MS = 86_400_000
const INTERVAL_MS = 10_000

type Step =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'progress' | 'settle' | 'snapshot' }
  /** For `days` the cache is cut off from the log, or its process is stopped; meanwhile these things happen. */
  | {
      readonly kind: 'outage'
      readonly how: 'cut' | 'stopped'
      readonly days: number
      readonly changes: readonly Change[]
    }
  /** The process of the cache ends, with or without a word, and another one begins. */
  | {
      readonly kind: 'restart'
      readonly how: 'graceful' | 'killed'
      readonly days: number
      readonly changes: readonly Change[]
      readonly damage: Damage
      /** What befalls the log before the next one begins. */
      readonly meanwhile: readonly LogStep[]
    }
  | { readonly kind: 'broken batch'; readonly name: string }
  | LogStep

type LogStep =
  | { readonly kind: 'restart bridge' | 'compact' | 'add partitions' }
  | { readonly kind: 'truncate'; readonly which: 'head' | 'tail'; readonly share: number }
  | { readonly kind: 'recreate'; readonly partitions: number; readonly missing: boolean }

type Damage = { readonly kind: 'none' } | SnapshotDamage

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const change: fc.Arbitrary<Change> = fc.record({ kind: fc.constantFrom('set', 'set', 'delete', 'replace'), name })
const changes = fc.array(change, { maxLength: 4 })
const days = fc.constantFrom(0, 1, 3, 4, 8)
const share = fc.double({ min: 0, max: 1, noNaN: true })
/** The rows stand at the end of a small file. */
const place = fc.oneof(share, fc.double({ min: 0.8, max: 1, noNaN: true }))
const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Damage>({ kind: 'none' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('flip', 'cut'), share: place }) },
)

const logStep: fc.Arbitrary<LogStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('restart bridge', 'compact', 'add partitions') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate'), which: fc.constantFrom('head', 'tail'), share }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('recreate'), partitions: fc.constantFrom(1, 3), missing: fc.boolean() }),
  },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('change'), change }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('progress', 'settle', 'snapshot') }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('outage'), how: fc.constantFrom('cut', 'stopped'), days, changes }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('restart'),
      how: fc.constantFrom('graceful', 'killed'),
      days,
      changes,
      damage,
      meanwhile: fc.array(logStep, { maxLength: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('broken batch'), name }) },
  { weight: 5, arbitrary: logStep },
)

const folder = memoryFolder('consumer-trouble')
let stories = 0

after(() => folder[Symbol.dispose]())

test('a cache is the cluster again after any trouble: no ghost, no loss, deletes delivered, keys in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 3),
      fc.array(step, { maxLength: 14, size: 'max' }),
      async (partitions, steps) => {
        stories += 1
        const story = new Story(partitions, join(folder.path, String(stories)))
        await story.begin()
        for (const each of steps) await story.take(each)
        await story.finish()
      },
    ),
    { numRuns: Number(process.env['TROUBLE_RUNS'] ?? 150) },
  )
})

/** A cluster, its bridge, the topic between, and one cache after the other. */
class Story {
  readonly #log = new MemoryTopicLog()
  readonly #clock = new ManualClock()
  readonly #directory: string
  readonly #cluster: NamedCluster
  #partitions: number
  #cache: ToldCache | undefined

  constructor(partitions: number, directory: string) {
    this.#partitions = partitions
    this.#directory = directory
    this.#cluster = new NamedCluster(() => ({
      partitions: this.#partitions,
      add: ({ partition, record }) => this.#log.inject(TOPIC, partition, record),
      flush: () => {},
      states: () => statesIn(this.#log.records(TOPIC)),
    }))
  }

  async begin(): Promise<void> {
    mkdirSync(this.#directory)
    await this.#create()
    this.#cluster.startBridge()
    this.#startCache()
  }

  async take(each: Step): Promise<void> {
    switch (each.kind) {
      case 'change':
        return this.#cluster.change(each.change)
      case 'progress':
        return this.#cluster.progress()
      case 'settle':
        return this.#settle()
      case 'snapshot':
        await this.#settle()
        await this.#clock.advance(INTERVAL_MS)
        return this.#settle()
      case 'restart bridge':
        return this.#cluster.startBridge()
      case 'compact':
        return this.#log.compact(TOPIC)
      case 'add partitions':
        return this.#log.addPartitions(TOPIC, this.#partitions + 2)
      case 'outage': {
        if (each.days > 0) await this.#settle()
        const mend = each.how === 'cut' ? this.#log.cut() : (): void => {}
        this.#pass(each)
        return mend()
      }
      case 'restart': {
        const kept = snapshotFiles(this.#directory)
        await this.#cache?.stop()
        // Who is killed has no last word.
        if (each.how === 'killed') putSnapshotFiles(this.#directory, kept)
        if (each.damage.kind !== 'none') damageSnapshots(this.#directory, each.damage)
        this.#pass(each)
        for (const log of each.meanwhile) await this.take(log)
        return this.#startCache()
      }
      case 'broken batch':
        this.#cluster.change({ kind: 'set', name: each.name })
        this.#log.breakLast(TOPIC, partitionOf(Buffer.from(`shop/${each.name}`), this.#partitions))
        // The bridge knows nothing of it: the next change brings the key back.
        return this.#cluster.change({ kind: 'set', name: each.name })
      case 'truncate': {
        for (let partition = 0; partition < this.#partitions; partition++) {
          const records = this.#log.records(TOPIC).filter((stored) => stored.partition === partition)
          const offset = records[Math.floor(records.length * each.share)]?.offset
          if (offset === undefined) continue
          if (each.which === 'head') this.#log.truncateBefore(TOPIC, partition, offset)
          else this.#log.loseFrom(TOPIC, partition, offset)
        }
        return this.#cluster.startBridge()
      }
      case 'recreate':
        this.#log.delete(TOPIC)
        if (each.missing) await this.#clock.advance(120_000)
        this.#partitions = each.partitions
        this.#cluster.stream += 1
        await this.#create()
        return this.#cluster.startBridge()
      default:
        each satisfies never
    }
  }

  async finish(): Promise<void> {
    this.#cluster.progress()
    const expected = this.#cluster.texts()
    const cache = this.#cache
    assert.ok(cache !== undefined)
    await this.#settle(() => cache.isIdle() && cache.isAt(expected))
    assert.ok(cache.isAt(expected), `the cache is ${expected.join()}: ${cache.describe()}`)
    await cache.stop()
  }

  async #create(): Promise<void> {
    await this.#log.admin.create(
      topicSpec({ topic: TOPIC, partitions: this.#partitions }),
      new AbortController().signal,
    )
  }

  /** These changes, then days in which the broker forgets tombstones as it may. */
  #pass({ changes: made, days: passed }: { readonly changes: readonly Change[]; readonly days: number }): void {
    for (const each of made) this.#cluster.change(each)
    this.#clock.jump(passed * DAY_MS)
    if (passed > 7) this.#log.compact(TOPIC, { tombstones: 'drop' })
    this.#cluster.progress()
  }

  #startCache(): void {
    const { known } = this.#cluster
    const source = { from: this.#log, clock: this.#clock }
    this.#cache = new ToldCache({ ...source, directory: this.#directory, intervalMs: INTERVAL_MS, known })
  }

  /** Lets everything go on until the cache has read all there is, or the claim holds. */
  async #settle(claim?: () => boolean): Promise<void> {
    for (let round = 0; round < 20_000;) {
      await turn()
      this.#cache?.assertUnharmed()
      if (claim?.() ?? (round > 20 && this.#cache?.isIdle() === true)) return
      // However long a disk takes, time stands still.
      if (awaitsFiles()) continue
      round += 1
      // What waits before it reads again.
      if (round % 10 === 0) await this.#clock.advance(1_000)
    }
  }
}
