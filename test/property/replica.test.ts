// A cache fed by a topic is a function of that topic, whatever stands there, and its handlers hear how it became so.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { KubedeltaError } from '../../src/base/errors.ts'
import { toControlRecord } from '../../src/bridge/wire.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { topicCache, type TopicCache } from '../../src/consumer/topic-cache.ts'
import { fromHeaders } from '../../src/record/control.ts'
import { keyOfRecord } from '../../src/record/order.ts'
import { tombstoneHeaders } from '../../src/record/tombstone.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import type { ReadBatch, ReadOptions, StoredRecord, TopicLog, TopicRecord } from '../../src/topic/port.ts'
import { progress, record, TOPIC, type Pod } from '../unit/consumer/support.ts'

interface Version {
  readonly name: string
  readonly uid: string
  readonly resourceVersion: number
  readonly epoch: number
  readonly text: string
}

type Step =
  | {
      readonly kind: 'state' | 'resync' | 'deletePair' | 'deletedAlone' | 'tombstone' | 'misplaced'
      readonly of: Version
    }
  | {
      readonly kind: 'garbage'
      readonly of: Version
      readonly how: 'corrupt' | 'unknown-schema' | 'foreign' | 'other-key'
    }
  | { readonly kind: 'progress' | 'reserved' | 'newStream' | 'newLeader' | 'start' | 'settle' | 'fail' }
  | { readonly kind: 'compact'; readonly tombstones: 'keep' | 'drop' }

const version: fc.Arbitrary<Version> = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  uid: fc.constantFrom('u', 'v'),
  resourceVersion: fc.integer({ min: 1, max: 5 }),
  epoch: fc.integer({ min: 1, max: 3 }),
  text: fc.constantFrom('x', 'y'),
})

const written = fc.record({
  kind: fc.constantFrom('state', 'resync', 'deletePair', 'deletedAlone', 'tombstone', 'misplaced'),
  of: version,
})

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: written },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('garbage'),
      of: version,
      how: fc.constantFrom('corrupt', 'unknown-schema', 'foreign', 'other-key'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('progress', 'reserved', 'newLeader', 'start', 'settle', 'fail') }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('newStream') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('compact'), tombstones: fc.constantFrom('keep', 'drop') }) },
)

test('a replica is what its topic says, at every start, and its handlers hear it in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, 3),
      fc.array(step, { maxLength: 40, size: 'max' }),
      fc.constantFrom('live', 'empty'),
      fc.constantFrom('step by step', 'in bursts'),
      async (partitions, steps, start, pace) => {
        const story = new Story(partitions)
        await story.begin()
        if (start === 'live') await story.take({ kind: 'progress' })
        for (const each of steps) {
          await story.take(each)
          if (pace === 'step by step') await turn()
        }
        await story.finish()
      },
    ),
    { numRuns: Number(process.env['REPLICA_RUNS'] ?? 400) },
  )
})

const encode = encodeRecord({ kind: 'json' })

/** A topic, those who read it, and what was written to it. */
class Story {
  readonly #log = new MemoryTopicLog()
  readonly #clock = new ManualClock()
  readonly #stop = new AbortController()
  readonly #readers: Reader[] = []
  readonly #history: TopicRecord[] = []
  readonly #partitions: number
  #stream = 1
  #epoch = 1

  constructor(partitions: number) {
    this.#partitions = partitions
  }

  async begin(): Promise<void> {
    await this.#log.admin.create(topicSpec({ topic: TOPIC, partitions: this.#partitions }), this.#stop.signal)
    this.#start()
  }

  async take(each: Step): Promise<void> {
    switch (each.kind) {
      case 'state':
        return this.#write(each.of, { op: 'UPDATED' })
      case 'resync':
        return this.#write(each.of, { op: 'UPDATED', cause: 'RESYNC' })
      case 'deletePair':
        this.#write(each.of, { op: 'DELETED' })
        return this.#append(
          each.of.name,
          null,
          tombstoneHeaders({ ...each.of, resourceVersion: String(each.of.resourceVersion) }),
        )
      case 'deletedAlone':
        return this.#write(each.of, { op: 'DELETED', finalStateUnknown: true })
      case 'tombstone':
        return this.#append(each.of.name, null)
      case 'misplaced': {
        if (this.#partitions === 1) return
        const key = Buffer.from(`shop/${each.of.name}`)
        const elsewhere = (partitionOf(key, this.#partitions) + 1) % this.#partitions
        this.#log.inject(TOPIC, elsewhere, { key, value: encode(recordOf(each.of)), headers: [], timestampMs: 1 })
        return
      }
      case 'garbage':
        return this.#append(each.of.name, garbage(each))
      case 'progress':
        return this.#control('progress')
      case 'newLeader':
        this.#epoch += 1
        return this.#control('fence')
      case 'newStream':
        this.#epoch += 1
        this.#stream += 1
        return this.#control('fence')
      case 'reserved':
        return this.#append('$kubedelta/from-the-future', null, [], '')
      case 'start':
        if (this.#readers.length < 3) this.#start()
        return
      case 'settle':
        return this.#settle()
      case 'fail':
        for (const reader of this.#readers) reader.failNext()
        return
      case 'compact':
        // Tombstones stay for as long as any reader is behind them: that is what delete.retention.ms is for.
        if (each.tombstones === 'drop') await this.#settle()
        return this.#log.compact(TOPIC, { tombstones: each.tombstones })
      default:
        each satisfies never
    }
  }

  /** Everything has been said, the bridge vouches for it: each reader holds it, and so does one that starts now. */
  async finish(): Promise<void> {
    this.#start()
    this.#control('progress')
    await this.#settle()
    for (const reader of this.#readers) reader.check()
    const [first, ...others] = this.#readers.map(({ cache }) => cache)
    for (const key of this.#honestKeys()) {
      const last = this.#history.findLast((each) => each.key.toString() === key)
      const expected = last === undefined ? undefined : stateOf(last)
      for (const cache of [first, ...others])
        assert.deepEqual(versionOf(cache?.get(key)), expected, `the last record of ${key}`)
    }
    this.#stop.abort()
    await Promise.all(this.#readers.map(({ ended }) => ended))
  }

  /** Keys under which no garbage was ever written: what was read of them cannot depend on compaction. */
  #honestKeys(): readonly string[] {
    const keys = new Set(this.#history.map(({ key }) => key.toString()))
    return [...keys].filter((key) =>
      this.#history.every((each) => each.key.toString() !== key || each.value === null || stateOf(each) !== GARBAGE),
    )
  }

  #start(): void {
    this.#readers.push(new Reader(this.#log, this.#clock, this.#partitions, this.#stop.signal))
  }

  #write(of: Version, change: Parameters<typeof record>[2]): void {
    const made = recordOf(of, change)
    this.#append(keyOfRecord(made), encode(made), [], '')
  }

  #append(name: string, value: Buffer | null, headers: TopicRecord['headers'] = [], prefix = 'shop/'): void {
    const key = Buffer.from(`${prefix}${name}`)
    const made = { key, value, headers, timestampMs: 1 }
    if (!name.startsWith('$')) this.#history.push(made)
    this.#log.inject(TOPIC, partitionOf(key, this.#partitions), made)
  }

  #control(kind: 'fence' | 'progress'): void {
    const made = progress(9, { epoch: this.#epoch, streamId: `s${this.#stream}`, partitions: this.#partitions })
    const stored = toControlRecord(kind === 'progress' ? made : { ...made, kind })
    for (let partition = 0; partition < this.#partitions; partition++) this.#log.inject(TOPIC, partition, stored)
  }

  async #settle(): Promise<void> {
    for (let turns = 0; turns < 12; turns++) {
      await turn()
      if (this.#clock.sleepers > 0) await this.#clock.advance(120_000)
    }
  }
}

/** A cache, a handler that checks every call, and what the cache was given to read. */
class Reader {
  readonly cache: TopicCache<Pod>
  readonly ended: Promise<void>
  readonly #view = new Map<string, Pod>()
  readonly #mistakes: string[] = []
  readonly #partitions: number
  /** What the present reading of the topic has brought, and where it has to come before anything may be seen. */
  #read: StoredRecord[] = []
  #positions = new Map<number, number>()
  #ends: ReadonlyMap<number, number> = new Map()
  #failNext = false

  constructor(log: MemoryTopicLog, clock: ManualClock, partitions: number, signal: AbortSignal) {
    this.#partitions = partitions
    this.cache = topicCache<Pod>({ from: this.#recording(log), cluster: 'test', resource: 'pods', clock })
    this.cache.addHandler(this.#handler(), { holdBackAt: 2 })
    this.ended = this.cache.run(signal)
  }

  failNext(): void {
    this.#failNext = true
  }

  check(): void {
    assert.deepEqual(this.#mistakes, [])
    assert.equal(this.cache.status().state, 'Live')
    assert.deepEqual(versions(this.cache.list()), model(this.#read, this.#partitions), 'the cache is what was read')
    assert.deepEqual(
      versions([...this.#view.values()]),
      versions(this.cache.list()),
      'the handler heard what the cache holds',
    )
  }

  /** The log, with the records noted that it gives, and a failure on request. */
  #recording(log: MemoryTopicLog): TopicLog {
    const { admin } = log
    return {
      admin: {
        ...admin,
        offsets: async (topic, at, signal) => {
          const offsets = await admin.offsets(topic, at, signal)
          if (at === 'latest') this.#ends = offsets
          return offsets
        },
      },
      openWriter: (options) => log.openWriter(options),
      openReader: async () => {
        const reader = await log.openReader()
        return { read: (options) => this.#note(reader.read(options), options), [Symbol.asyncDispose]: async () => {} }
      },
      [Symbol.asyncDispose]: async () => {},
    }
  }

  async *#note(batches: AsyncIterable<ReadBatch>, { topic, from }: ReadOptions): AsyncIterable<ReadBatch> {
    this.#read = []
    this.#positions = new Map(from)
    const before = versions(this.cache.list())
    for await (const batch of batches) {
      if (this.#failNext) {
        this.#failNext = false
        throw new KubedeltaError('offset-out-of-range', `Cannot read topic ${topic}`)
      }
      this.#read.push(...batch.records)
      this.#positions.set(batch.partition, batch.nextOffset)
      yield batch
      // The batch has been taken by now.
      const held = versions(this.cache.list())
      if (this.cache.status().state === 'Live') {
        if (!this.#isComplete()) this.#mistakes.push('live before all of it was read and vouched for')
        if (held.join() !== model(this.#read, this.#partitions).join()) this.#mistakes.push('live with another state')
      } else if (held.join() !== before.join()) {
        this.#mistakes.push('changed before it was live')
      }
    }
  }

  /** Whether the old ends were reached, and the newest stream has said on each partition that its first list is complete. */
  #isComplete(): boolean {
    const controls = this.#read.flatMap((each) => {
      const control = fromHeaders(each.key.toString(), each.headers)
      return control === undefined ? [] : [{ partition: each.partition, control }]
    })
    const newest = controls.reduce((highest, { control }) => Math.max(highest, control.epoch), 0)
    const stream = controls.find(({ control }) => control.epoch === newest)?.control.streamId
    const vouched = controls.filter(({ control }) => control.kind === 'progress' && control.streamId === stream)
    return [...this.#positions].every(
      ([partition, position]) =>
        position >= (this.#ends.get(partition) ?? 0) && vouched.some((each) => each.partition === partition),
    )
  }

  #handler(): Handler<Pod> {
    return {
      onAdd: (pod, { initial }) => {
        if (this.#view.has(pod.metadata.name)) this.#mistakes.push(`add of known ${pod.metadata.name}`)
        if (!this.cache.hasSynced())
          this.#mistakes.push(`heard of ${pod.metadata.name} before it was live, initial ${initial}`)
        this.#view.set(pod.metadata.name, pod)
      },
      onUpdate: (before, after) => {
        // Equal rather than the same: what was not looked at for long is parsed anew.
        if (versionOf(this.#view.get(after.metadata.name)) !== versionOf(before))
          this.#mistakes.push(`update of ${after.metadata.name} from another state`)
        if (before.metadata.uid !== after.metadata.uid) this.#mistakes.push('update to another uid')
        if (JSON.stringify(before) === JSON.stringify(after))
          this.#mistakes.push(`update of ${after.metadata.name} to the same`)
        this.#view.set(after.metadata.name, after)
      },
      onDelete: (pod, { finalStateUnknown }) => {
        const known = this.#view.get(pod.metadata.name)
        if (known === undefined) this.#mistakes.push(`delete of unknown ${pod.metadata.name}`)
        if (known?.metadata.uid !== pod.metadata.uid) this.#mistakes.push(`delete of another ${pod.metadata.name}`)
        if (finalStateUnknown && pod.metadata.resourceVersion === '') this.#mistakes.push('delete without a state')
        this.#view.delete(pod.metadata.name)
      },
    }
  }
}

const GARBAGE = 'garbage'

/** What the records amount to, told as plainly as can be: sorted `name uid resourceVersion text`. */
function model(records: readonly StoredRecord[], partitions: number): readonly string[] {
  const state = new Map<string, string>()
  for (const each of records) {
    const key = each.key.toString()
    if (key.startsWith('$') || partitionOf(each.key, partitions) !== each.partition) continue
    const found = stateOf(each)
    if (found === GARBAGE) continue
    if (found === undefined) state.delete(key)
    else state.set(key, found)
  }
  return [...state.values()].toSorted()
}

/** The state that a record of the topic gives its key; undefined: gone; GARBAGE: none, the key stays as it is. */
function stateOf({ key, value }: TopicRecord): string | undefined {
  if (value === null) return undefined
  let parsed: { op: string; resource: string; namespace: string; name: string; object: Pod }
  try {
    parsed = JSON.parse(value.toString())
  } catch {
    return GARBAGE
  }
  if (parsed.resource !== 'pods' || `${parsed.namespace}/${parsed.name}` !== key.toString()) return GARBAGE
  return parsed.op === 'DELETED' ? undefined : versionOf(parsed.object)
}

function versions(pods: readonly Pod[]): readonly string[] {
  return pods.map((pod) => versionOf(pod) ?? '').toSorted()
}

function versionOf(pod: Pod | undefined): string | undefined {
  if (pod === undefined) return undefined
  const { name, uid, resourceVersion } = pod.metadata
  return `${name} ${uid} ${resourceVersion} ${pod.text}`
}

function recordOf({ name, uid, resourceVersion, epoch, text }: Version, change: Parameters<typeof record>[2] = {}) {
  return record(name, resourceVersion, { uid, epoch, text, ...change })
}

function garbage({ of, how }: Extract<Step, { readonly kind: 'garbage' }>): Buffer {
  switch (how) {
    case 'corrupt':
      return Buffer.from(`{"op":"ADDED",${of.text}`)
    case 'unknown-schema':
      return Buffer.concat([Buffer.from([0xc3, 0x01]), Buffer.alloc(20, of.text)])
    case 'foreign':
      return encode(recordOf(of, { resource: 'services' }))
    case 'other-key':
      return encode(recordOf({ ...of, name: 'z' }))
    default:
      return how satisfies never
  }
}
