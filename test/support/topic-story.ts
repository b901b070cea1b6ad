// A topic that a story writes as a bridge does, and caches of it that know what they must show.

import assert from 'node:assert/strict'
import { createMetrics, type Metrics } from '../../src/base/metrics.ts'
import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import type { Handler } from '../../src/cache/handler.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { topicCache, type TopicCache, type TopicCacheOptions } from '../../src/consumer/topic-cache.ts'
import { isReservedKey } from '../../src/record/control.ts'
import { entriesOf } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import type { TopicLog, TopicRecord, TopicWriter } from '../../src/topic/port.ts'
import { readAll } from '../conformance/log-content.ts'
import { noting, progress, record, short, type Pod } from '../unit/consumer/support.ts'
import { ready } from './ready.ts'

const HOUR_MS = 3_600_000

/** Compacts as soon as it can; a segment ends when a record is half an hour younger than its first. */
export const COMPACTED = {
  'cleanup.policy': 'compact',
  'segment.ms': String(HOUR_MS / 2),
  'min.cleanable.dirty.ratio': '0.001',
}

export interface StoryTopicOptions {
  readonly log: TopicLog
  readonly cluster: string
  /** @default 1 */
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
  /** @default -1, the brokers' default */
  readonly replicationFactor?: number
  /** @default 's' */
  readonly streamId?: string
}

const encode = encodeRecord({ kind: 'avro' })

/** The pods of a cluster and the topic of them, written hours apart so that segments end. */
export class StoryTopic implements AsyncDisposable {
  readonly topic: string
  readonly #options: StoryTopicOptions
  readonly #partitions: number
  /** Name -> resourceVersion: the truth. */
  readonly #pods = new Map<string, number>()
  #writer: TopicWriter
  #epoch = 1
  #resourceVersion = 1
  #atMs = Date.now() - 1_000 * HOUR_MS

  private constructor(topic: string, options: StoryTopicOptions, writer: TopicWriter) {
    this.topic = topic
    this.#options = options
    this.#partitions = options.partitions ?? 1
    this.#writer = writer
  }

  /** Creates the topic. */
  static async create(options: StoryTopicOptions, signal: AbortSignal): Promise<StoryTopic> {
    const { log, cluster, partitions = 1, replicationFactor = -1, config = {} } = options
    const topic = `kubedelta.${cluster}.pods`
    const spec = { ...topicSpec({ topic, partitions }), replicationFactor, config: new Map(Object.entries(config)) }
    // One of that name may still be on its way out.
    await ready(async () => assert.equal(await log.admin.create(spec, signal), 'created'), { what: topic })
    return new StoryTopic(topic, options, await openWriter(log, topic, signal))
  }

  /** What a cache has to show, sorted: `a@7`. */
  truth(): readonly string[] {
    return [...this.#pods].map(([name, resourceVersion]) => `${name}@${resourceVersion}`).toSorted()
  }

  /** Adds or changes pods, and says behind them that all is there. */
  async set(...names: readonly string[]): Promise<void> {
    const records = names.map((name) => {
      const op = this.#pods.has(name) ? 'UPDATED' : 'ADDED'
      this.#resourceVersion += 1
      this.#pods.set(name, this.#resourceVersion)
      return record(name, this.#resourceVersion, { op, epoch: this.#epoch })
    })
    await this.#write(records)
  }

  async delete(...names: readonly string[]): Promise<void> {
    const records = names.map((name) => {
      this.#resourceVersion += 1
      this.#pods.delete(name)
      return record(name, this.#resourceVersion, { op: 'DELETED', epoch: this.#epoch })
    })
    await this.#write(records)
  }

  /** Pods that go while no bridge runs: nothing is written. */
  vanish(...names: readonly string[]): void {
    for (const name of names) this.#pods.delete(name)
  }

  /** As a bridge that starts anew: reads what stands there, and publishes what differs from the truth. */
  async restart(signal: AbortSignal): Promise<void> {
    const { log } = this.#options
    await this.#writer[Symbol.asyncDispose]()
    this.#epoch += 1
    this.#writer = await openWriter(log, this.topic, signal)
    const held = new Map<string, string>()
    for (const { key, value, headers } of await readAll(log, this.topic)) {
      const name = key.toString().replace(/^shop\//, '')
      if (isReservedKey(name)) continue
      if (value === null) held.delete(name)
      else held.set(name, headers.find((header) => header.name === 'resourceVersion')?.value ?? '')
    }
    const gone = [...held.keys()].filter((name) => !this.#pods.has(name))
    const late = [...this.#pods].filter(([name, resourceVersion]) => held.get(name) !== String(resourceVersion))
    await this.#write([
      ...gone.map((name) => record(name, this.#resourceVersion, { op: 'DELETED', epoch: this.#epoch })),
      ...late.map(([name, resourceVersion]) => record(name, resourceVersion, { op: 'UPDATED', epoch: this.#epoch })),
    ])
  }

  /** Lets segments end until the claim holds: what is active is never compacted. */
  async rolled(claim: () => Promise<void>): Promise<void> {
    const probe = async (): Promise<void> => {
      await this.#write([])
      await claim()
    }
    await ready(probe, { what: `compaction of ${this.topic}` })
  }

  /** Resolves once nothing on the topic tells of these names any more. */
  async compacted(names: readonly string[]): Promise<void> {
    const keys = new Set(names.map((name) => `shop/${name}`))
    await this.rolled(async () => {
      const left = (await readAll(this.#options.log, this.topic)).map(({ key }) => key.toString())
      assert.deepEqual(
        left.filter((key) => keys.has(key)),
        [],
      )
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]()
  }

  async #write(records: readonly KubeRecord[]): Promise<void> {
    this.#atMs += HOUR_MS
    const partitions = this.#partitions
    const appended = records.map((each) => {
      const group = toTopicRecords(entriesOf(each), encode).map((one) => this.#dated(one))
      return this.#writer.append(partitionOf(group[0]?.key ?? Buffer.alloc(0), partitions), { records: group })
    })
    const { streamId = 's' } = this.#options
    const control = progress(this.#resourceVersion, { partitions, epoch: this.#epoch, streamId })
    const stored = this.#dated(toControlRecord(control))
    for (let partition = 0; partition < partitions; partition++) {
      appended.push(this.#writer.append(partition, { records: [stored] }))
    }
    await Promise.all(appended)
  }

  #dated(each: TopicRecord): TopicRecord {
    return { ...each, timestampMs: this.#atMs }
  }
}

function openWriter(log: TopicLog, topic: string, signal: AbortSignal): Promise<TopicWriter> {
  return log.openWriter({ topic, transactionalId: `kubedelta/${topic}`, compression: 'none', signal })
}

/** A cache that runs, with a handler that notes what it hears and whatever contradicts what it heard before. */
export class StoryCache implements AsyncDisposable {
  readonly cache: TopicCache<Pod>
  readonly metrics: Metrics
  /** What its handler hears: `add a@1 initial`, `delete a@2 unknown`. */
  readonly heard: string[] = []
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  /** What the handler was told, by name. */
  readonly #view = new Map<string, string>()
  readonly #contradictions: string[] = []

  private constructor(options: TopicCacheOptions<Pod>) {
    this.metrics = createMetrics()
    this.cache = topicCache<Pod>({ metrics: this.metrics, ...options })
    this.cache.addHandler(this.#handler())
    this.#ended = this.cache.run(this.#stop.signal)
    // Whoever disposes of it gets the failure.
    this.#ended.catch(() => {})
  }

  /** Starts one and waits until it is Live. */
  static async live(options: TopicCacheOptions<Pod>, signal: AbortSignal): Promise<StoryCache> {
    const cache = new StoryCache(options)
    await cache.cache.whenLive(signal)
    return cache
  }

  /** What it shows, sorted: `a@7`. */
  held(): readonly string[] {
    return this.cache.list().map(short).toSorted()
  }

  /** Waits until the cache shows this, and its handler was told all of it. */
  async shows(expected: () => readonly string[]): Promise<void> {
    await ready(
      async () => {
        assert.deepEqual(this.held(), expected(), 'the cache')
        assert.deepEqual([...this.#view.values()].toSorted(), expected(), 'the handler')
      },
      { what: 'the truth in the cache' },
    )
    assert.deepEqual(this.#contradictions, [])
  }

  /** The reasons for which the topic was read again. */
  async rebuilds(): Promise<readonly string[]> {
    const text = await this.metrics.text()
    return [...text.matchAll(/kubedelta_cache_rebuilds_total\{[^}]*reason="([^"]+)"\} [1-9]/g)].map(
      ([, reason]) => reason ?? '',
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  #handler(): Handler<Pod> {
    const noted = noting(this.heard)
    return {
      onAdd: (pod, info) => {
        this.#told('add', undefined, pod)
        return noted.onAdd?.(pod, info)
      },
      onUpdate: (before, after) => {
        this.#told('update', before, after)
        return noted.onUpdate?.(before, after)
      },
      onDelete: (pod, info) => {
        this.#told('delete', pod, undefined)
        return noted.onDelete?.(pod, info)
      },
    }
  }

  #told(what: string, before: Pod | undefined, after: Pod | undefined): void {
    const { name = '' } = (after ?? before)?.metadata ?? {}
    const known = this.#view.get(name)
    const isRight = what === 'delete' ? known !== undefined : known === (before && short(before))
    if (!isRight) this.#contradictions.push(`${what} of ${name}, known as ${String(known)}`)
    if (after === undefined) this.#view.delete(name)
    else this.#view.set(name, short(after))
  }
}
