// A cache of a directory ends equal to what the directory holds, whatever befalls its topic, its writer, its snapshot and itself.

import assert from 'node:assert/strict'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { openEmbeddedLog } from '../../src/embedded/embedded-log.ts'
import type { TopicFiles } from '../../src/embedded/topic-files.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { NamedCluster, textOf, type Change } from '../support/named-cluster.ts'
import { damageSnapshots, putSnapshotFiles, snapshotFiles } from '../support/snapshot-files.ts'
import { ToldCache } from '../support/told-cache.ts'
import { WrittenTopic } from '../support/written-topic.ts'
import { awaitsFiles } from './file-requests.ts'
import { memoryFolder } from './memory-folder.ts'

const HOUR_MS = 3_600_000
const INTERVAL_MS = 10_000
const RUNS = Number(process.env['EMBEDDED_LOG_RUNS'] ?? 200)

/** Changes that a cache is not there to see, and how long it is away; compaction comes before and behind the time. */
interface Absence {
  readonly changes: readonly Change[]
  readonly hours: number
  readonly isCompacted: boolean
}

type Damage =
  | { readonly kind: 'none' }
  | { readonly kind: 'remove' }
  | { readonly kind: 'flip' | 'cut' | 'older'; readonly share: number }

type LogStep =
  | { readonly kind: 'restart bridge' | 'compact' | 'back up' }
  | { readonly kind: 'recreate'; readonly partitions: number; readonly isMissed: boolean }
  /** Its directory is replaced by the last copy of it: another topic, and the same stream. */
  | { readonly kind: 'restore'; readonly isMissed: boolean }
  /** A row of the topic is no longer what was written; the next records of all keys make it good. */
  | { readonly kind: 'damage row'; readonly share: number; readonly column: string }

type Step =
  | LogStep
  | ({ readonly kind: 'change' } & { readonly change: Change })
  | { readonly kind: 'progress' | 'settle' | 'snapshot' }
  /** The process of the cache stands still for a time. */
  | { readonly kind: 'freeze'; readonly absence: Absence }
  /** The process of the cache ends, with or without a word, and another one begins with what is left of its snapshot. */
  | {
      readonly kind: 'restart'
      readonly how: 'graceful' | 'killed'
      /** Whether it was Live: what ends before that leaves no snapshot. */
      readonly isLive: boolean
      readonly absence: Absence
      readonly damage: Damage
      readonly meanwhile: readonly LogStep[]
    }

const NAMES = ['a', 'b', 'c', 'd', 'e']
const name = fc.constantFrom(...NAMES)
const change = fc.record<Change>({ kind: fc.constantFrom('set', 'set', 'delete', 'replace'), name })
const share = fc.double({ min: 0, max: 1, noNaN: true })

const absence = fc.record<Absence>({
  changes: fc.array(change, { maxLength: 4 }),
  // Less than a cache may be away, more than that, and more than tombstones stay.
  hours: fc.constantFrom(0, 0, 6, 6, 13, 30, 60),
  isCompacted: fc.boolean(),
})

const damage = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Damage>({ kind: 'none' }) },
  { weight: 1, arbitrary: fc.constant<Damage>({ kind: 'remove' }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom<'flip' | 'cut' | 'older'>('flip', 'cut', 'older'), share }),
  },
)

const logStep: fc.Arbitrary<LogStep> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom<'restart bridge' | 'compact' | 'back up'>('restart bridge', 'compact', 'back up'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('recreate'),
      partitions: fc.constantFrom(1, 3),
      isMissed: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restore'), isMissed: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('damage row'),
      share,
      column: fc.constantFrom('key', 'headers', 'value', 'crc', 'timestamp'),
    }),
  },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('change'), change }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom<'progress' | 'settle' | 'snapshot'>('progress', 'settle', 'snapshot'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('freeze'), absence }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('restart'),
      how: fc.constantFrom<'graceful' | 'killed'>('graceful', 'killed'),
      isLive: fc.constantFrom(true, true, false),
      absence,
      damage,
      meanwhile: fc.array(logStep, { maxLength: 2 }),
    }),
  },
  { weight: 5, arbitrary: logStep },
)

const RESTORED: readonly LogStep[] = [
  { kind: 'restore', isMissed: false },
  { kind: 'restart bridge' },
  { kind: 'restart bridge' },
]

/** What must have happened, so that the property cannot come to hold of nothing: random histories only add to it. */
const examples: ReadonlyArray<[number, Step[]]> = [
  [1, [set('a'), set('b'), restart(), set('c'), restart({ damage: { kind: 'flip', share: 0.9 } })]],
  [3, [set('a'), set('b'), restart({ absence: away(30, 'a') }), { kind: 'freeze', absence: away(60, 'b') }]],
  [1, [set('a'), { kind: 'settle' }, recreate(), set('b'), restart({ meanwhile: [recreate()] })]],
  [1, [set('a'), restart({ meanwhile: [{ kind: 'damage row', share: 1, column: 'crc' }] })]],
  // Positions of the lost days are there again, with other records.
  [
    1,
    [
      set('a'),
      { kind: 'back up' },
      set('b'),
      set('b'),
      set('b'),
      restart({ absence: away(6, 'a'), meanwhile: RESTORED }),
    ],
  ],
]
const EXPECTED = [
  'snapshot resumed',
  'snapshot corrupt',
  'snapshot too-old',
  'snapshot topic-recreated',
  'rebuild cut-off',
  'rebuild topic-recreated',
  'broken row',
]

const folder = memoryFolder('consumer-embedded-log')
let stories = 0

after(() => folder[Symbol.dispose]())

test('a cache is its topic again after any trouble: no ghost, no loss, deletes delivered, keys in order', async (t) => {
  const met = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 3),
      fc.array(step, { minLength: 3, maxLength: 20, size: 'max' }),
      async (partitions, steps) => {
        stories += 1
        await using story = await Story.begin(join(folder.path, String(stories)), partitions)
        for (const each of steps) await story.take(each)
        await story.finish()
        for (const each of story.met) met.set(each, (met.get(each) ?? 0) + 1)
      },
    ),
    { numRuns: RUNS, examples: examples.map(([partitions, steps]) => [partitions, [...steps]]) },
  )
  t.diagnostic(JSON.stringify(Object.fromEntries(met)))
  assert.deepEqual(
    EXPECTED.filter((each) => !met.has(each)),
    [],
  )
})

function set(each: string): Step {
  return { kind: 'change', change: { kind: 'set', name: each } }
}

function recreate(): LogStep {
  return { kind: 'recreate', partitions: 1, isMissed: false }
}

/** A time after which nothing in the topic tells of the delete. */
function away(hours: number, deleted: string): Absence {
  return { hours, changes: [{ kind: 'delete', name: deleted }], isCompacted: true }
}

function restart(given: Partial<Extract<Step, { readonly kind: 'restart' }>> = {}): Step {
  return {
    kind: 'restart',
    how: 'graceful',
    isLive: true,
    absence: { changes: [], hours: 0, isCompacted: false },
    damage: { kind: 'none' },
    meanwhile: [],
    ...given,
  }
}

/** A cluster, its bridge, the topic that it writes, and one process with a cache after the other. */
class Story implements AsyncDisposable {
  /** What became of snapshots, and why the topic was read again. */
  readonly met: string[] = []
  readonly #root: string
  readonly #log: string
  readonly #snapshots: string
  readonly #clock = new ManualClock()
  readonly #cluster = new NamedCluster(() => this.#topic)
  /** Snapshots of the past, oldest first. */
  readonly #older: Array<ReadonlyMap<string, Buffer>> = []
  #topic: WrittenTopic
  #backups = 0
  #backup: { readonly files: TopicFiles; readonly stream: number } | undefined
  #process: { readonly cache: ToldCache; readonly log: TopicLog } | undefined

  static async begin(root: string, partitions: number): Promise<Story> {
    const story = new Story(root, partitions)
    story.#startBridge()
    await story.#startReader()
    return story
  }

  private constructor(root: string, partitions: number) {
    this.#root = root
    this.#log = join(root, 'log')
    this.#snapshots = join(root, 'snapshots')
    mkdirSync(this.#snapshots, { recursive: true })
    this.#topic = WrittenTopic.make(this.#log, partitions, this.#clock)
  }

  async take(each: Step): Promise<void> {
    switch (each.kind) {
      case 'change':
        this.#cluster.change(each.change)
        return this.#topic.flush()
      case 'progress':
        return this.#cluster.progress()
      case 'settle':
        return await this.#settle()
      case 'snapshot':
        await this.#settle()
        await this.#clock.advance(INTERVAL_MS)
        return await this.#settle()
      case 'restart bridge':
        return this.#startBridge()
      case 'compact':
        return this.#topic.compact()
      case 'damage row':
        this.#topic.damage(each.share, each.column)
        // Which key stood there nobody knows: all of them are said again.
        return this.#cluster.sayAgain(NAMES)
      case 'recreate':
        this.#topic.remove()
        if (each.isMissed) await this.#clock.advance(120_000)
        this.#cluster.stream += 1
        this.#topic = WrittenTopic.make(this.#log, each.partitions, this.#clock)
        return this.#startBridge()
      case 'back up':
        this.#backup = {
          files: this.#topic.copyTo(join(this.#root, `backup-${(this.#backups += 1)}`)),
          stream: this.#cluster.stream,
        }
        return
      case 'restore': {
        if (this.#backup === undefined) return
        this.#topic.remove()
        if (each.isMissed) await this.#clock.advance(120_000)
        this.#cluster.stream = this.#backup.stream
        this.#topic = WrittenTopic.restore(this.#log, this.#backup.files, this.#clock)
        return this.#startBridge()
      }
      case 'freeze':
        await this.#settle()
        return this.#pass(each.absence)
      case 'restart':
        return await this.#restart(each)
      default:
        each satisfies never
    }
  }

  async finish(): Promise<void> {
    await this.#settle()
    const held = [...this.#topic.states()].map(([key, version]) => textOf(key.slice('shop/'.length), version))
    assert.deepEqual(held.toSorted(), this.#cluster.texts(), 'the topic is the cluster')
    await this.#stopReader()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Only a story that failed has one left, and that failure is the one to tell.
    await this.#stopReader().catch(() => {})
    this.#topic.close()
    rmSync(this.#root, { recursive: true })
  }

  async #restart(each: Extract<Step, { readonly kind: 'restart' }>): Promise<void> {
    const { how, isLive, damage: made, absence: gone, meanwhile } = each
    if (isLive) await this.#settle()
    const before = snapshotFiles(this.#snapshots)
    await this.#stopReader()
    // Who is killed has no last word.
    if (how === 'killed') putSnapshotFiles(this.#snapshots, before)
    this.#damage(made)
    this.#older.push(snapshotFiles(this.#snapshots))
    this.#pass(gone)
    for (const happening of meanwhile) await this.take(happening)
    await this.#startReader()
  }

  #startBridge(): void {
    this.#topic.reopen()
    this.#cluster.startBridge()
  }

  #pass({ changes, hours, isCompacted }: Absence): void {
    for (const each of changes) this.#cluster.change(each)
    this.#cluster.progress()
    // Once so that the time of tombstones begins, and once when it may be over.
    if (isCompacted) this.#topic.compact()
    this.#clock.jump(hours * HOUR_MS)
    if (isCompacted) this.#topic.compact()
    this.#cluster.progress()
  }

  #damage(made: Damage): void {
    switch (made.kind) {
      case 'none':
        return
      case 'remove':
        return putSnapshotFiles(this.#snapshots, new Map())
      case 'older': {
        const found = this.#older[Math.floor(made.share * (this.#older.length - 1))]
        return found && putSnapshotFiles(this.#snapshots, found)
      }
      case 'flip':
      case 'cut':
        return damageSnapshots(this.#snapshots, { kind: made.kind, share: made.share })
      default:
        made satisfies never
    }
  }

  async #startReader(): Promise<void> {
    const clock = this.#clock
    const log = await openEmbeddedLog({ directory: this.#log, clock })
    const { known } = this.#cluster
    const cache = new ToldCache({ from: log, clock, directory: this.#snapshots, intervalMs: INTERVAL_MS, known })
    this.#process = { cache, log }
    // A topic that is missing when its cache begins ends that: it is removed under one that has begun.
    await this.#turn(() => cache.hasBegun(), 'the cache begins')
  }

  async #stopReader(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    if (process === undefined) return
    const { cache, log } = process
    try {
      this.met.push(...(await cache.stop()))
    } finally {
      await log[Symbol.asyncDispose]()
    }
  }

  /** Lets everything go on until the cache and what its handler heard are the cluster. */
  async #settle(): Promise<void> {
    // Something that will never be said again is not what it waits for.
    this.#cluster.progress()
    const expected = this.#cluster.texts()
    await this.#turn(() => this.#process?.cache.isAt(expected) === true, `the cache is ${expected.join(', ')}`)
  }

  async #turn(claim: () => boolean, what: string): Promise<void> {
    for (let round = 0; round < 20_000;) {
      await turn()
      this.#process?.cache.assertUnharmed()
      if (claim()) return
      // However long a disk takes, time stands still.
      if (awaitsFiles()) continue
      round += 1
      // What waits before it reads again.
      if (round % 10 === 0) await this.#clock.advance(500)
    }
    assert.fail(`never came true: ${what}: ${this.#process?.cache.describe()}`)
  }
}
