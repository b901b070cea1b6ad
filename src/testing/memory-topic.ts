// A log of topics in memory, for tests: the port's contract, with compaction and failures on request.

import { abortable, aborted } from '../base/abort.ts'
import { KubedeltaError } from '../base/errors.ts'
import type {
  Appended,
  ReadBatch,
  ReadOptions,
  RecordGroup,
  StoredRecord,
  TopicAdmin,
  TopicDescription,
  TopicLog,
  TopicReader,
  TopicRecord,
  TopicSpec,
  TopicWriter,
  WriterOptions,
} from '../topic/port.ts'

interface Partition {
  records: StoredRecord[]
  end: number
}

interface Topic {
  readonly spec: TopicSpec
  readonly partitions: readonly Partition[]
  /** Of the writer opened last; an append by another is refused. */
  producer: number
}

/**
 * A TopicLog that holds its records in arrays.
 *
 * - Appends are acknowledged in a later microtask, in order; `holdAcks` keeps them back.
 * - A second writer of a topic fences the first.
 * - Groups over `maxGroupBytes` of keys and values take the `whenTooLarge` path.
 */
export class MemoryTopicLog implements TopicLog {
  /** Largest group, in bytes of keys and values. @default Infinity */
  maxGroupBytes = Infinity
  readonly admin: TopicAdmin
  readonly #topics = new Map<string, Topic>()
  #held: Promise<void> | undefined
  #changed = Promise.withResolvers<void>()

  constructor() {
    this.admin = {
      list: async () => [...this.#topics.keys()],
      describe: async (topic) => this.#describe(topic),
      create: async (spec) => this.#create(spec),
      offsets: async (topic, at) =>
        new Map(this.#topic(topic).partitions.map(({ end }, n) => [n, at === 'latest' ? end : 0])),
      [Symbol.asyncDispose]: async () => {},
    }
  }

  /** Everything that stands in a topic now, partition by partition; empty for one that is missing. */
  records(topic: string): readonly StoredRecord[] {
    return this.#topics.get(topic)?.partitions.flatMap(({ records }) => records) ?? []
  }

  /** Keeps what a broker's compaction at its least would: the last record of each key, and tombstones only if asked for. */
  compact(topic: string, { tombstones = 'keep' }: { readonly tombstones?: 'keep' | 'drop' } = {}): void {
    for (const partition of this.#topics.get(topic)?.partitions ?? []) {
      const last = new Map(partition.records.map((record) => [record.key.toString(), record.offset]))
      partition.records = partition.records.filter(
        ({ key, offset, value }) => last.get(key.toString()) === offset && (tombstones === 'keep' || value !== null),
      )
    }
  }

  /** Appends beside any writer, as a foreign producer would. */
  inject(topic: string, partition: number, record: TopicRecord): void {
    this.#append(this.#topic(topic), partition, [record])
  }

  /** Keeps acknowledgements back until the returned function is called. */
  holdAcks(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    return () => {
      this.#held = undefined
      resolve()
    }
  }

  async openWriter({ topic }: WriterOptions): Promise<TopicWriter> {
    const found = this.#topic(topic)
    const producer = ++found.producer
    const pending = new Set<Promise<unknown>>()
    return {
      topic,
      partitions: found.partitions.length,
      producerId: String(producer),
      append: (partition, group) => {
        const appended = this.#appendAs(producer, found, { partition, group })
        pending.add(appended)
        const settled = appended.finally(() => pending.delete(appended))
        // Who appended gets the failure; this only counts.
        settled.catch(() => {})
        return appended
      },
      flush: async (signal) => {
        await abortable(Promise.all(pending), signal)
      },
      status: () => ({ pendingRecords: pending.size, lastAttemptAtMs: undefined }),
      [Symbol.asyncDispose]: async () => {},
    }
  }

  async openReader(): Promise<TopicReader> {
    return { read: (options) => this.#read(options), [Symbol.asyncDispose]: async () => {} }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #describe(name: string): TopicDescription | undefined {
    const topic = this.#topics.get(name)
    if (topic === undefined) return undefined
    const { partitions, config } = topic.spec
    return { topic: name, partitions, replicationFactor: 3, config }
  }

  #create(spec: TopicSpec): 'created' | 'exists' {
    if (this.#topics.has(spec.topic)) return 'exists'
    const partitions = Array.from({ length: spec.partitions }, () => ({ records: [], end: 0 }))
    this.#topics.set(spec.topic, { spec, partitions, producer: 0 })
    return 'created'
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new KubedeltaError('topic-missing', `Cannot use topic ${name}: it does not exist`)
    return topic
  }

  async #appendAs(
    producer: number,
    topic: Topic,
    { partition, group }: { readonly partition: number; readonly group: RecordGroup },
  ): Promise<Appended> {
    if (producer !== topic.producer) {
      throw new KubedeltaError('fenced', `Cannot append to ${topic.spec.topic}: another writer has taken over`)
    }
    const bytes = group.records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
    const fits = bytes <= this.maxGroupBytes
    const records = fits ? group.records : group.whenTooLarge?.()
    if (records === undefined) {
      throw new KubedeltaError('too-large', `Cannot append ${bytes} bytes: at most ${this.maxGroupBytes} fit`)
    }
    const baseOffset = this.#append(topic, partition, records)
    await this.#held
    return { partition, baseOffset }
  }

  #append(topic: Topic, number: number, records: readonly TopicRecord[]): number {
    const partition = topic.partitions[number]
    if (partition === undefined) {
      throw new RangeError(
        `Cannot append: 'partition' must be < ${topic.partitions.length}: current value is ${number}`,
      )
    }
    const baseOffset = partition.end
    for (const record of records) partition.records.push({ ...record, partition: number, offset: partition.end++ })
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
    return baseOffset
  }

  async *#read({ topic, from, until, signal }: ReadOptions): AsyncIterable<ReadBatch> {
    const positions = new Map(from)
    const { partitions } = this.#topic(topic)
    const stopped = aborted(signal)
    for (;;) {
      const changed = this.#changed.promise
      for (const [number, position] of positions) {
        const partition = partitions[number]
        if (partition === undefined) continue
        const nextOffset = Math.min(until?.get(number) ?? Infinity, partition.end)
        if (nextOffset <= position) continue
        const records = partition.records.filter(({ offset }) => offset >= position && offset < nextOffset)
        positions.set(number, nextOffset)
        yield { partition: number, records, nextOffset, endOffset: partition.end }
      }
      if (signal.aborted) return
      if (until !== undefined && [...positions].every(([number, at]) => at >= (until.get(number) ?? 0))) return
      await Promise.race([changed, stopped])
    }
  }
}
