// A cache ends equal to the cluster whatever befalls its log, its bridge, its snapshot and itself, and its handlers hear all of it.

import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { topicCache, type TopicCache } from '../../src/consumer/topic-cache.ts'
import { entriesOf } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { progress, record, TOPIC, type Pod } from '../unit/consumer/support.ts'

const DAY_MS = 86_400_000
const INTERVAL_MS = 10_000

type Change =
  | { readonly kind: 'set'; readonly name: string }
  | { readonly kind: 'delete'; readonly name: string }
  | { readonly kind: 'replace'; readonly name: string }

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

type Damage = { readonly kind: 'none' } | { readonly kind: 'flip' | 'cut'; readonly share: number }

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

const folder = temporaryFolder('consumer-trouble')
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
        for (const each of steps) {
          await story.take(each)
          story.checkVersions()
        }
        await story.finish()
      },
    ),
    { numRuns: Number(process.env['TROUBLE_RUNS'] ?? 150) },
  )
})

const encode = encodeRecord({ kind: 'json' })

interface Version {
  readonly uid: string
  readonly resourceVersion: number
}

/** A cluster, its bridge, the topic between, and one cache after the other. */
class Story {
  readonly #log = new MemoryTopicLog()
  readonly #clock = new ManualClock()
  readonly #directory: string
  readonly #cluster = new Map<string, Version>()
  /** Every version that ever was, so that a mixture of two states is told. */
  readonly #known = new Set<string>()
  #partitions: number
  #resourceVersion = 1
  #epoch = 0
  #stream = 1
  #reader: Reader | undefined

  constructor(partitions: number, directory: string) {
    this.#partitions = partitions
    this.#directory = directory
  }

  async begin(): Promise<void> {
    mkdirSync(this.#directory)
    await this.#create()
    this.#startBridge()
    this.#startReader()
  }

  async take(each: Step): Promise<void> {
    switch (each.kind) {
      case 'change':
        return this.#change(each.change)
      case 'progress':
        return this.#progress()
      case 'settle':
        return this.#settle()
      case 'snapshot':
        await this.#settle()
        await this.#clock.advance(INTERVAL_MS)
        return this.#settle()
      case 'restart bridge':
        return this.#startBridge()
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
        const kept = each.how === 'killed' ? this.#files() : undefined
        await this.#reader?.stop()
        for (const [path, bytes] of kept ?? []) writeFileSync(path, bytes)
        this.#damage(each.damage)
        this.#pass(each)
        for (const log of each.meanwhile) await this.take(log)
        return this.#startReader()
      }
      case 'broken batch':
        this.#change({ kind: 'set', name: each.name })
        this.#log.breakLast(TOPIC, partitionOf(Buffer.from(`shop/${each.name}`), this.#partitions))
        // The bridge knows nothing of it: the next change brings the key back.
        return this.#change({ kind: 'set', name: each.name })
      case 'truncate': {
        for (let partition = 0; partition < this.#partitions; partition++) {
          const records = this.#log.records(TOPIC).filter((stored) => stored.partition === partition)
          const offset = records[Math.floor(records.length * each.share)]?.offset
          if (offset === undefined) continue
          if (each.which === 'head') this.#log.truncateBefore(TOPIC, partition, offset)
          else this.#log.loseFrom(TOPIC, partition, offset)
        }
        return this.#startBridge()
      }
      case 'recreate':
        this.#log.delete(TOPIC)
        if (each.missing) await this.#clock.advance(120_000)
        this.#partitions = each.partitions
        this.#stream += 1
        await this.#create()
        return this.#startBridge()
      default:
        each satisfies never
    }
  }

  /** Nothing is ever shown that never was. */
  checkVersions(): void {
    for (const pod of this.#reader?.cache.list() ?? []) assert.ok(this.#known.has(versionOf(pod)), versionOf(pod))
  }

  async finish(): Promise<void> {
    this.#progress()
    const expected = [...this.#cluster].map(([each, version]) => textOf(each, version)).toSorted()
    await this.#settle(() => this.#reader?.isAt(expected) === true)
    this.#reader?.check(expected)
    await this.#reader?.stop()
  }

  async #create(): Promise<void> {
    await this.#log.admin.create(
      topicSpec({ topic: TOPIC, partitions: this.#partitions }),
      new AbortController().signal,
    )
  }

  /** Reads its topic, publishes what differs and says that it is complete. */
  #startBridge(): void {
    this.#epoch += 1
    this.#control('fence')
    const held = new Map<string, KubeRecord>()
    for (const { key, value } of this.#log.records(TOPIC)) {
      const text = key.toString()
      if (text.startsWith('$')) continue
      const read: KubeRecord | undefined = value === null ? undefined : JSON.parse(value.toString())
      if (read === undefined || read.op === 'DELETED') held.delete(text)
      else held.set(text, read)
    }
    for (const [key, { uid, resourceVersion }] of held) {
      const each = key.slice('shop/'.length)
      const now = this.#cluster.get(each)
      if (now?.uid === uid) continue
      this.#write(record(each, Number(resourceVersion), { op: 'DELETED', uid, finalStateUnknown: true }))
      held.delete(key)
    }
    for (const [each, { uid, resourceVersion }] of this.#cluster) {
      const before = held.get(`shop/${each}`)
      if (before?.resourceVersion === String(resourceVersion)) continue
      this.#write(record(each, resourceVersion, { op: before === undefined ? 'ADDED' : 'UPDATED', uid }))
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
      this.#log.inject(TOPIC, partitionOf(made.key, this.#partitions), made)
    }
  }

  #progress(): void {
    this.#control('progress')
  }

  #control(kind: 'fence' | 'progress'): void {
    const partitions = this.#partitions
    const made = progress(this.#resourceVersion, { epoch: this.#epoch, streamId: `s${this.#stream}`, partitions })
    const stored = toControlRecord(kind === 'progress' ? made : { ...made, kind })
    for (let partition = 0; partition < partitions; partition++) this.#log.inject(TOPIC, partition, stored)
  }

  /** These changes, then days in which the broker forgets tombstones as it may. */
  #pass({ changes: made, days: passed }: { readonly changes: readonly Change[]; readonly days: number }): void {
    for (const each of made) this.#change(each)
    this.#clock.jump(passed * DAY_MS)
    if (passed > 7) this.#log.compact(TOPIC, { tombstones: 'drop' })
    this.#progress()
  }

  #files(): ReadonlyMap<string, Buffer> {
    const names = readdirSync(this.#directory).filter((each) => each.endsWith('.snapshot'))
    return new Map(names.map((each) => [join(this.#directory, each), readFileSync(join(this.#directory, each))]))
  }

  #damage(made: Damage): void {
    if (made.kind === 'none') return
    for (const [path, bytes] of this.#files()) {
      const at = Math.floor(made.share * (bytes.length - 1))
      if (made.kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ 0x04
      writeFileSync(path, made.kind === 'flip' ? bytes : bytes.subarray(0, at))
    }
  }

  #startReader(): void {
    this.#reader = new Reader(this.#log, this.#clock, this.#directory)
  }

  /** Lets everything go on until the cache has read all there is, or the claim holds. */
  async #settle(claim?: () => boolean): Promise<void> {
    for (let round = 0; round < 200_000; round++) {
      await turn()
      if (claim?.() ?? (round > 20 && this.#reader?.isIdle() === true)) return
      // What waits before it reads again; files are read and written in real time.
      if (round % 10 === 9) await this.#clock.advance(1_000)
    }
  }
}

class Reader {
  readonly cache: TopicCache<Pod>
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  readonly #view = new Map<string, string>()
  readonly #newest = new Map<string, number>()
  readonly #mistakes: string[] = []

  constructor(from: MemoryTopicLog, clock: ManualClock, directory: string) {
    const snapshot = { directory, intervalMs: INTERVAL_MS }
    this.cache = topicCache<Pod>({ from, cluster: 'test', resource: 'pods', clock, snapshot })
    this.cache.addHandler(this.#handler())
    this.#ended = this.cache.run(this.#stop.signal)
    this.#ended.catch((error: unknown) => this.#mistakes.push(`ended with ${String(error)}`))
  }

  isIdle(): boolean {
    const { state, offsets } = this.cache.status()
    return state === 'Live' && offsets.toDo === 0
  }

  isAt(expected: readonly string[]): boolean {
    const shown = this.cache.list().map(versionOf).toSorted()
    return (
      this.isIdle() && shown.join() === expected.join() && [...this.#view.values()].toSorted().join() === shown.join()
    )
  }

  check(expected: readonly string[]): void {
    assert.deepEqual(this.#mistakes, [])
    assert.equal(this.cache.status().state, 'Live')
    assert.deepEqual(this.cache.list().map(versionOf).toSorted(), expected, 'the cache is the cluster')
    assert.deepEqual([...this.#view.values()].toSorted(), expected, 'the handler heard of all of it')
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  #handler(): Handler<Pod> {
    return {
      onAdd: (pod) => {
        if (this.#view.has(pod.metadata.name)) this.#mistakes.push(`add of known ${versionOf(pod)}`)
        this.#note(pod)
      },
      onUpdate: (before, pod) => {
        if (this.#view.get(before.metadata.name) !== versionOf(before)) {
          this.#mistakes.push(`update from another state than ${versionOf(before)}`)
        }
        this.#note(pod)
      },
      onDelete: (pod) => {
        const { name: each, uid } = pod.metadata
        if (this.#view.get(each)?.includes(uid) !== true) this.#mistakes.push(`delete of unknown ${versionOf(pod)}`)
        this.#view.delete(each)
      },
    }
  }

  #note(pod: Pod): void {
    const { name: each, resourceVersion } = pod.metadata
    if (Number(resourceVersion) < (this.#newest.get(each) ?? 0)) this.#mistakes.push(`back to ${versionOf(pod)}`)
    this.#newest.set(each, Number(resourceVersion))
    this.#view.set(each, versionOf(pod))
  }
}

function textOf(each: string, { uid, resourceVersion }: Version): string {
  return `${each} ${uid} ${resourceVersion}`
}

function versionOf({ metadata: { name: each, uid, resourceVersion } }: Pod): string {
  return `${each} ${uid} ${resourceVersion}`
}
