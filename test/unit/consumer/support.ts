// A topic in memory that a test writes as a bridge does, and a cache of it.

import { setImmediate as turn } from 'node:timers/promises'
import assert from 'node:assert/strict'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { toControlRecord, toTopicRecords } from '../../../src/bridge/wire.ts'
import type { Handler } from '../../../src/cache/handler.ts'
import { encodeRecord } from '../../../src/codec/codec.ts'
import { topicCache, type TopicCache, type TopicCacheOptions } from '../../../src/consumer/topic-cache.ts'
import type { Control, Progress } from '../../../src/record/control.ts'
import { entriesOf, keyOfRecord, replacementEntries, type WireEntry } from '../../../src/record/order.ts'
import type { KubeRecord } from '../../../src/record/record.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { MemoryTopicLog } from '../../../src/testing/memory-topic.ts'
import { partitionOf } from '../../../src/topic/partition.ts'
import { topicSpec } from '../../../src/topic/plan.ts'
import type { ReadBatch, ReadOptions, TopicLog, TopicReader, TopicRecord } from '../../../src/topic/port.ts'
import { awaitsFiles } from '../../property/file-requests.ts'

export const TOPIC = 'kubedelta.test.pods'

export interface Pod {
  readonly metadata: {
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
  }
  readonly text?: string
}

/** A pod of namespace `shop`: `pod('a', 7)`. */
export function record(
  name: string,
  resourceVersion: number,
  change: Partial<KubeRecord> & { text?: string } = {},
): KubeRecord {
  const { text = '', ...rest } = change
  const uid = rest.uid ?? `uid-${name}`
  const metadata = { namespace: 'shop', name, uid, resourceVersion: String(resourceVersion) }
  return {
    op: 'ADDED',
    cause: 'WATCH',
    finalStateUnknown: false,
    initial: false,
    cluster: 'test',
    group: '',
    version: 'v1',
    resource: 'pods',
    kind: 'Pod',
    namespace: 'shop',
    name,
    uid,
    resourceVersion: String(resourceVersion),
    previous: null,
    observedAt: 1_000,
    epoch: 1,
    object: Buffer.from(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata, ...(text === '' ? {} : { text }) })),
    ...rest,
  }
}

/** A progress record of stream `s`. */
export function progress(resourceVersion: number, change: Partial<Progress> = {}): Progress {
  return {
    kind: 'progress',
    clusterId: 'cluster-1',
    cluster: 'test',
    streamId: 's',
    epoch: 1,
    producerId: '1',
    holder: 'test',
    asOf: resourceVersion * 1_000,
    partitions: 1,
    scope: 'pods; namespaces: *; labels: *; fields: *',
    policy: '',
    schemas: {},
    synced: true,
    resourceVersion: String(resourceVersion),
    ...change,
  }
}

const encode = encodeRecord({ kind: 'json' })

/** A topic that the test writes. */
export class TopicHarness {
  readonly log = new MemoryTopicLog()
  readonly clock = new ManualClock()
  readonly partitions: number
  readonly topic: string

  constructor({ partitions = 1, topic = TOPIC }: { readonly partitions?: number; readonly topic?: string } = {}) {
    this.partitions = partitions
    this.topic = topic
  }

  async create(): Promise<this> {
    await this.log.admin.create(
      topicSpec({ topic: this.topic, partitions: this.partitions }),
      new AbortController().signal,
    )
    return this
  }

  /** Appends what a bridge appends for these records: a tombstone behind each DELETED. */
  write(...records: readonly KubeRecord[]): void {
    for (const each of records) this.#entries(entriesOf(each))
  }

  replace(deleted: KubeRecord, added: KubeRecord): void {
    this.#entries(replacementEntries(deleted, added))
  }

  /** Appends a value, or a tombstone, as it stands. */
  raw(key: string, value: Buffer | null, headers: TopicRecord['headers'] = []): void {
    this.#append({ key: Buffer.from(key), value, headers, timestampMs: 1_000 })
  }

  /** One record without the tombstone that belongs to a DELETED. */
  alone(each: KubeRecord): void {
    this.raw(keyOfRecord(each), encode(each))
  }

  tombstone(name: string): void {
    this.raw(`shop/${name}`, null)
  }

  /** A control record on every partition, or on one. */
  control(control: Control, partition?: number): void {
    const stored = toControlRecord({ ...control, partitions: this.partitions })
    for (let number = 0; number < this.partitions; number++) {
      if (partition === undefined || partition === number) this.log.inject(this.topic, number, stored)
    }
  }

  /** The log, whose first reading fails when it has come to an offset. */
  failing(code: 'offset-out-of-range' | 'topic-missing', offset: number): TopicLog {
    const { log } = this
    let hasFailed = false
    async function* read(reader: TopicReader, options: ReadOptions): AsyncIterable<ReadBatch> {
      for await (const batch of reader.read(options)) {
        if (!hasFailed && batch.nextOffset > offset) {
          hasFailed = true
          throw new KubedeltaError(code, 'Cannot read')
        }
        yield batch
      }
    }
    return {
      admin: log.admin,
      openWriter: (options) => log.openWriter(options),
      openReader: async () => {
        const reader = await log.openReader()
        return { read: (options) => read(reader, options), [Symbol.asyncDispose]: async () => {} }
      },
      [Symbol.asyncDispose]: async () => {},
    }
  }

  start(options: Partial<TopicCacheOptions<Pod>> = {}): RunningCache {
    return new RunningCache(
      topicCache<Pod>({ from: this.log, cluster: 'test', resource: 'pods', clock: this.clock, ...options }),
    )
  }

  #entries(entries: readonly WireEntry[]): void {
    for (const each of toTopicRecords(entries, encode)) this.#append(each)
  }

  #append(each: TopicRecord): void {
    this.log.inject(this.topic, partitionOf(each.key, this.partitions), each)
  }
}

/** A cache that runs, with a handler that notes what it hears: `add a@1 initial`, `update a@1 a@2`, `delete a@2 unknown`. */
export class RunningCache {
  readonly cache: TopicCache<Pod>
  readonly heard: string[] = []
  readonly ended: Promise<void>
  readonly #stop = new AbortController()

  constructor(cache: TopicCache<Pod>) {
    this.cache = cache
    cache.addHandler(noting(this.heard))
    this.ended = cache.run(this.#stop.signal)
    // Who expects a failure awaits it as well.
    this.ended.catch(() => {})
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  whenLive(options: { readonly upstream?: boolean } = {}): Promise<void> {
    return this.cache.whenLive(this.signal, options)
  }

  /** What the cache holds, sorted: `a@1`. */
  held(): readonly string[] {
    return this.cache.list().map(short).toSorted()
  }

  /** Waits, turn by turn of the event loop, until the claim holds. */
  async until(claim: () => boolean, what: string): Promise<void> {
    for (let turns = 0; turns < 10_000;) {
      if (claim()) return
      await turn()
      // However long a disk takes.
      if (!awaitsFiles()) turns++
    }
    assert.fail(`never came true: ${what}; held ${this.held().join(' ')}; heard ${this.heard.join(', ')}`)
  }

  /** Waits until the cache has read everything that stands on the topic, and the handler has heard of it. */
  async settled(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await turn()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.ended
  }
}

export function short({ metadata: { name, resourceVersion } }: Pod): string {
  return `${name}@${resourceVersion}`
}

export function noting(heard: string[]): Handler<Pod> {
  return {
    onAdd: (pod, { initial }) => void heard.push(`add ${short(pod)}${initial ? ' initial' : ''}`),
    onUpdate: (before, after) => void heard.push(`update ${short(before)} ${short(after)}`),
    onDelete: (pod, { finalStateUnknown }) =>
      void heard.push(`delete ${short(pod)}${finalStateUnknown ? ' unknown' : ''}`),
  }
}
