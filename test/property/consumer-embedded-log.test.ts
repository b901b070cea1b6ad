// A cache of a directory ends equal to what the directory holds, whatever befalls its topic, its writer, its snapshot and itself.

import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { createMetrics } from '../../src/base/metrics.ts'
import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { topicCache, type TopicCache } from '../../src/consumer/topic-cache.ts'
import { openEmbeddedLog } from '../../src/embedded/embedded-log.ts'
import type { TopicFiles } from '../../src/embedded/topic-files.ts'
import { entriesOf } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { WrittenTopic, type Version } from '../support/written-topic.ts'
import { progress, record, type Pod } from '../unit/consumer/support.ts'

const HOUR_MS = 3_600_000
const INTERVAL_MS = 10_000
const RUNS = Number(process.env['EMBEDDED_LOG_RUNS'] ?? 200)

interface Change {
  readonly kind: 'set' | 'delete' | 'replace'
  readonly name: string
}

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

const folder = temporaryFolder('consumer-embedded-log')
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

const encode = encodeRecord({ kind: 'json' })

/** A cluster, its bridge, the topic that it writes, and one process with a cache after the other. */
class Story implements AsyncDisposable {
  /** What became of snapshots, and why the topic was read again. */
  readonly met: string[] = []
  readonly #root: string
  readonly #log: string
  readonly #snapshots: string
  readonly #clock = new ManualClock()
  readonly #cluster = new Map<string, Version>()
  /** Every version that ever was, so that a mixture of two states is told. */
  readonly #known = new Set<string>()
  /** Snapshots of the past, oldest first. */
  readonly #older: Array<ReadonlyMap<string, Buffer>> = []
  #topic: WrittenTopic
  #backups = 0
  #backup: { readonly files: TopicFiles; readonly stream: number } | undefined
  #resourceVersion = 1
  #epoch = 0
  #stream = 1
  #reader: Reader | undefined

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
        this.#change(each.change)
        return this.#topic.flush()
      case 'progress':
        return this.#progress()
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
        return this.#sayAgain()
      case 'recreate':
        this.#topic.remove()
        if (each.isMissed) await this.#clock.advance(120_000)
        this.#stream += 1
        this.#topic = WrittenTopic.make(this.#log, each.partitions, this.#clock)
        return this.#startBridge()
      case 'back up':
        this.#backup = {
          files: this.#topic.copyTo(join(this.#root, `backup-${(this.#backups += 1)}`)),
          stream: this.#stream,
        }
        return
      case 'restore': {
        if (this.#backup === undefined) return
        this.#topic.remove()
        if (each.isMissed) await this.#clock.advance(120_000)
        this.#stream = this.#backup.stream
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
    this.#progress()
    await this.#settle()
    const held = [...this.#topic.states()].map(([key, version]) => textOf(key.slice('shop/'.length), version))
    assert.deepEqual(held.toSorted(), this.#expected(), 'the topic is the cluster')
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
    const before = this.#files()
    await this.#stopReader()
    // Who is killed has no last word.
    if (how === 'killed') this.#putFiles(before)
    this.#damage(made)
    this.#older.push(this.#files())
    this.#pass(gone)
    for (const happening of meanwhile) await this.take(happening)
    await this.#startReader()
  }

  /** Reads its topic, publishes what differs and says that it is complete. */
  #startBridge(): void {
    this.#epoch += 1
    this.#topic.reopen()
    this.#control('fence')
    const held = this.#topic.states()
    for (const [key, { uid, resourceVersion }] of held) {
      const each = key.slice('shop/'.length)
      if (this.#cluster.get(each)?.uid === uid) continue
      this.#write(record(each, resourceVersion, { op: 'DELETED', uid, finalStateUnknown: true }))
      held.delete(key)
    }
    for (const [each, { uid, resourceVersion }] of this.#cluster) {
      const before = held.get(`shop/${each}`)
      if (before?.resourceVersion === resourceVersion) continue
      this.#write(record(each, resourceVersion, { op: before === undefined ? 'ADDED' : 'UPDATED', uid }))
    }
    this.#progress()
  }

  #sayAgain(): void {
    for (const each of NAMES) {
      if (this.#cluster.has(each)) this.#change({ kind: 'set', name: each })
      else this.#write(record(each, ++this.#resourceVersion, { op: 'DELETED' }))
    }
    this.#progress()
  }

  #change({ kind, name: each }: Change): void {
    const before = this.#cluster.get(each)
    this.#resourceVersion += 1
    const resourceVersion = this.#resourceVersion
    if (kind !== 'set' && before !== undefined) {
      this.#cluster.delete(each)
      this.#write(record(each, resourceVersion, { op: 'DELETED', uid: before.uid }))
    }
    if (kind === 'delete') return
    const uid = kind === 'set' && before !== undefined ? before.uid : `uid-${resourceVersion}`
    const version = { uid, resourceVersion }
    this.#cluster.set(each, version)
    this.#known.add(textOf(each, version))
    this.#write(record(each, resourceVersion, { op: 'UPDATED', uid }))
  }

  #write(each: KubeRecord): void {
    for (const made of toTopicRecords(entriesOf({ ...each, epoch: this.#epoch }), encode)) {
      this.#topic.add({ partition: partitionOf(made.key, this.#topic.partitions), record: made })
    }
  }

  #progress(): void {
    this.#control('progress')
    this.#topic.flush()
  }

  #control(kind: 'fence' | 'progress'): void {
    const { partitions } = this.#topic
    const made = progress(this.#resourceVersion, { epoch: this.#epoch, streamId: `s${this.#stream}`, partitions })
    const stored = toControlRecord(kind === 'progress' ? made : { ...made, kind })
    for (let partition = 0; partition < partitions; partition++) this.#topic.add({ partition, record: stored })
  }

  #pass({ changes, hours, isCompacted }: Absence): void {
    for (const each of changes) this.#change(each)
    this.#progress()
    // Once so that the time of tombstones begins, and once when it may be over.
    if (isCompacted) this.#topic.compact()
    this.#clock.jump(hours * HOUR_MS)
    if (isCompacted) this.#topic.compact()
    this.#progress()
  }

  #files(): ReadonlyMap<string, Buffer> {
    const names = readdirSync(this.#snapshots).filter((each) => each.endsWith('.snapshot'))
    return new Map(names.map((each) => [each, readFileSync(join(this.#snapshots, each))]))
  }

  #putFiles(files: ReadonlyMap<string, Buffer>): void {
    for (const each of this.#files().keys()) rmSync(join(this.#snapshots, each))
    for (const [each, bytes] of files) writeFileSync(join(this.#snapshots, each), bytes)
  }

  #damage(made: Damage): void {
    if (made.kind === 'none') return
    if (made.kind === 'remove') return this.#putFiles(new Map())
    if (made.kind === 'older') {
      const found = this.#older[Math.floor(made.share * (this.#older.length - 1))]
      return found && this.#putFiles(found)
    }
    for (const [each, bytes] of this.#files()) {
      const at = Math.floor(made.share * (bytes.length - 1))
      if (made.kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ 0x04
      writeFileSync(join(this.#snapshots, each), made.kind === 'flip' ? bytes : bytes.subarray(0, at))
    }
  }

  async #startReader(): Promise<void> {
    const log = await openEmbeddedLog({ directory: this.#log, clock: this.#clock })
    const reader = new Reader({ log, clock: this.#clock, directory: this.#snapshots, known: this.#known })
    this.#reader = reader
    // A topic that is missing when its cache begins ends that: it is removed under one that has begun.
    await this.#turn(() => reader.hasBegun(), 'the cache begins')
  }

  async #stopReader(): Promise<void> {
    const reader = this.#reader
    this.#reader = undefined
    if (reader !== undefined) this.met.push(...(await reader.stop()))
  }

  #expected(): readonly string[] {
    return [...this.#cluster].map(([each, version]) => textOf(each, version)).toSorted()
  }

  /** Lets everything go on until the cache and what its handler heard are the cluster. */
  async #settle(): Promise<void> {
    // Something that will never be said again is not what it waits for.
    this.#progress()
    const expected = this.#expected()
    const reader = this.#reader
    await this.#turn(() => reader?.isAt(expected) === true, `the cache is ${expected.join(', ')}`)
  }

  async #turn(claim: () => boolean, what: string): Promise<void> {
    for (let round = 0; round < 200_000; round++) {
      await turn()
      this.#reader?.assertUnharmed()
      if (claim()) return
      // What waits before it reads again; files are read and written in real time.
      if (round % 10 === 9) await this.#clock.advance(500)
    }
    assert.fail(`never came true: ${what}: ${this.#reader?.describe()}`)
  }
}

interface ReaderOptions {
  readonly log: TopicLog
  readonly clock: ManualClock
  /** Of its snapshots. */
  readonly directory: string
  /** What may be shown. */
  readonly known: ReadonlySet<string>
}

/** A process with a cache, and a handler that adds up what it hears. */
class Reader {
  readonly #cache: TopicCache<Pod>
  readonly #log: TopicLog
  readonly #known: ReadonlySet<string>
  readonly #metrics = createMetrics()
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  readonly #heard = new Map<string, string>()
  readonly #newest = new Map<string, number>()
  readonly #mistakes: string[] = []

  constructor({ log, clock, directory, known }: ReaderOptions) {
    this.#log = log
    this.#known = known
    const snapshot = { directory, intervalMs: INTERVAL_MS }
    const source = { from: log, cluster: 'test', resource: 'pods', clock, metrics: this.#metrics }
    this.#cache = topicCache<Pod>({ ...source, snapshot })
    this.#cache.addHandler(this.#handler())
    this.#ended = this.#cache.run(this.#stop.signal).catch((error: unknown) => {
      this.#mistakes.push(`ended with ${String(error)}`)
    })
  }

  /** Whether it has found its topic. */
  hasBegun(): boolean {
    return this.#cache.status().partitions.size > 0
  }

  isAt(expected: readonly string[]): boolean {
    const text = expected.join()
    return this.#cache.status().state === 'Live' && this.#held() === text && this.#sum() === text
  }

  assertUnharmed(): void {
    assert.deepEqual(this.#mistakes, [])
  }

  describe(): string {
    return JSON.stringify({ state: this.#cache.status().state, held: this.#held(), heard: this.#sum() })
  }

  /** Returns what became of its snapshot, why it read its topic from the start, and whether it passed over broken rows. */
  async stop(): Promise<readonly string[]> {
    this.#stop.abort()
    await this.#ended
    const isBroken = this.#cache.status().brokenBatches > 0
    await this.#log[Symbol.asyncDispose]()
    this.assertUnharmed()
    const text = await this.#metrics.text()
    const told = /^kubedelta_cache_(snapshot|rebuild)(?:_read)?s_total\{.*(?:result|reason)="([a-z-]+)"\} [1-9]/gm
    const met = [...text.matchAll(told)].map(([, what, why]) => `${what} ${why}`)
    return isBroken ? [...met, 'broken row'] : met
  }

  #held(): string {
    return this.#cache.list().map(versionOf).toSorted().join()
  }

  #sum(): string {
    return [...this.#heard.values()].toSorted().join()
  }

  #handler(): Handler<Pod> {
    return {
      onAdd: (pod) => {
        if (this.#heard.has(pod.metadata.name)) this.#mistakes.push(`add of known ${versionOf(pod)}`)
        this.#note(pod)
      },
      onUpdate: (before, pod) => {
        const known = this.#heard.get(before.metadata.name)
        if (known !== versionOf(before)) this.#mistakes.push(`update of ${known} from ${versionOf(before)}`)
        this.#note(pod)
      },
      onDelete: (pod) => {
        const { name: each, uid } = pod.metadata
        if (this.#heard.get(each)?.includes(`${uid} `) !== true) {
          this.#mistakes.push(`delete of unknown ${versionOf(pod)}`)
        }
        this.#heard.delete(each)
      },
    }
  }

  #note(pod: Pod): void {
    const { name: each, resourceVersion } = pod.metadata
    if (!this.#known.has(versionOf(pod))) this.#mistakes.push(`never was ${versionOf(pod)}`)
    if (Number(resourceVersion) < (this.#newest.get(each) ?? 0)) this.#mistakes.push(`back to ${versionOf(pod)}`)
    this.#newest.set(each, Number(resourceVersion))
    this.#heard.set(each, versionOf(pod))
  }
}

function textOf(each: string, { uid, resourceVersion }: Version): string {
  return `${each} ${uid} ${resourceVersion}`
}

function versionOf({ metadata: { name: each, uid, resourceVersion } }: Pod): string {
  return `${each} ${uid} ${resourceVersion}`
}
