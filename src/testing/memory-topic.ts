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
import {
  breakLast,
  checkHistory,
  compact,
  emptyPartition,
  loseFrom,
  nextBatch,
  truncateBefore,
  type Partition,
} from './memory-partition.ts'

interface Topic {
  readonly id: string
  spec: TopicSpec
  readonly partitions: Partition[]
  /** Of the writer opened last; an append by another is refused. */
  producer: number
  /** What the writers of one transactional id share. */
  producerId: number
  /** The last writer of the producer id before, which nobody fences. */
  unfenced: number | undefined
}

/**
 * A TopicLog that holds its records in arrays.
 *
 * - Appends are acknowledged in a later microtask, in order; `holdAcks` keeps them back.
 * - A second writer of a topic fences the first.
 * - What befalls a log is done on request: compaction, retention, a lost leader, a broken batch, more partitions, another topic under
 *   the name, brokers that do not answer.
 * - Groups over `maxGroupBytes` of keys and values take the `whenTooLarge` path.
 */
export class MemoryTopicLog implements TopicLog {
  /** Largest group, in bytes of keys and values. @default Infinity */
  maxGroupBytes = Infinity
  readonly admin: TopicAdmin
  readonly #topics = new Map<string, Topic>()
  #held: Promise<void> | undefined
  #created = 0
  #isCut = false
  #changed = Promise.withResolvers<void>()

  constructor() {
    this.admin = {
      list: async () => [...this.#reachable().keys()],
      describe: async (topic) => this.#describe(topic),
      create: async (spec) => this.#create(spec),
      offsets: async (topic, at) =>
        new Map(this.#topic(topic).partitions.map(({ start, end }, n) => [n, at === 'latest' ? end : start])),
      [Symbol.asyncDispose]: async () => {},
    }
  }

  /** Everything that stands in a topic now, partition by partition; empty for one that is missing. */
  records(topic: string): readonly StoredRecord[] {
    return this.#topics.get(topic)?.partitions.flatMap(({ records }) => records) ?? []
  }

  /** Keeps what a broker's compaction at its least would: the last record of each key, and tombstones only if asked for. */
  compact(topic: string, { tombstones = 'keep' }: { readonly tombstones?: 'keep' | 'drop' } = {}): void {
    for (const partition of this.#topics.get(topic)?.partitions ?? []) compact(partition, tombstones)
  }

  /** Removes a topic; who reads it fails with `topic-missing`, or with `topic-recreated` if it is created again before that. */
  delete(topic: string): void {
    this.#topics.delete(topic)
    this.#wake()
  }

  /** Removes what stands before an offset, as retention does. */
  truncateBefore(topic: string, partition: number, offset: number): void {
    truncateBefore(this.#partition(this.#standing(topic), partition), offset)
  }

  /** Lets a leader that had not all of it take over: what stands from an offset on is lost, and its offsets are given out again. */
  loseFrom(topic: string, partition: number, offset: number): void {
    loseFrom(this.#partition(this.#standing(topic), partition), offset)
    this.#wake()
  }

  /** Makes the last record of a partition one that does not decode, as a batch of its own. */
  breakLast(topic: string, partition: number): void {
    breakLast(this.#partition(this.#standing(topic), partition))
  }

  /** Adds partitions, as an operator may; who has opened a writer goes on with those that were there. */
  addPartitions(topic: string, count: number): void {
    const found = this.#standing(topic)
    while (found.partitions.length < count) found.partitions.push(emptyPartition())
    found.spec = { ...found.spec, partitions: count }
  }

  /** No broker answers any more, and who reads gets nothing, until the returned function is called. */
  cut(): () => void {
    this.#isCut = true
    return () => {
      this.#isCut = false
      this.#wake()
    }
  }

  /** Appends beside any writer, as a foreign producer would. */
  inject(topic: string, partition: number, record: TopicRecord): void {
    this.#append(this.#standing(topic), partition, [record])
  }

  /** Forgets who writes, as a broker does with a transactional id that expired: the next writer does not fence the last one. */
  expireProducer(name: string): void {
    const topic = this.#topic(name)
    topic.producerId++
    topic.unfenced = topic.producer
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
      producerId: String(found.producerId),
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
    let isOpen = true
    return {
      read: (options) => {
        if (!isOpen) throw new KubedeltaError('aborted', `Cannot read topic ${options.topic}: the reader is closed`)
        return this.#read(options)
      },
      [Symbol.asyncDispose]: async () => void (isOpen = false),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #describe(name: string): TopicDescription | undefined {
    const topic = this.#reachable().get(name)
    if (topic === undefined) return undefined
    const { partitions, config } = topic.spec
    return { topic: name, partitions, replicationFactor: 3, topicId: topic.id, config }
  }

  #create(spec: TopicSpec): 'created' | 'exists' {
    if (this.#reachable().has(spec.topic)) return 'exists'
    this.#created += 1
    const partitions = Array.from({ length: spec.partitions }, emptyPartition)
    this.#topics.set(spec.topic, {
      id: `topic-${this.#created}`,
      spec,
      partitions,
      producer: 0,
      producerId: 1,
      unfenced: undefined,
    })
    this.#wake()
    return 'created'
  }

  #reachable(): ReadonlyMap<string, Topic> {
    if (this.#isCut) throw new KubedeltaError('unreachable', 'Cannot reach a broker: all of them are cut off')
    return this.#topics
  }

  #topic(name: string): Topic {
    const topic = this.#reachable().get(name)
    if (topic === undefined) throw new KubedeltaError('topic-missing', `Cannot use topic ${name}: it does not exist`)
    return topic
  }

  /** For what befalls a topic, whether its readers reach it or not. */
  #standing(name: string): Topic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new RangeError(`Cannot find topic ${name}: it does not exist`)
    return topic
  }

  #partition({ partitions }: Topic, number: number): Partition {
    const partition = partitions[number]
    if (partition !== undefined) return partition
    throw new RangeError(`Cannot use topic: 'partition' must be < ${partitions.length}: current value is ${number}`)
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }

  async #appendAs(
    producer: number,
    topic: Topic,
    { partition, group }: { readonly partition: number; readonly group: RecordGroup },
  ): Promise<Appended> {
    if (producer !== topic.producer && producer !== topic.unfenced) {
      throw new KubedeltaError('fenced', `Cannot append to ${topic.spec.topic}: another writer has taken over`)
    }
    let { records } = group
    for (let bytes = bytesOf(records); bytes > this.maxGroupBytes; bytes = bytesOf(records)) {
      const smaller = group.whenTooLarge?.() ?? []
      if (smaller.length === 0 || bytesOf(smaller) >= bytes) {
        throw new KubedeltaError('too-large', `Cannot append ${bytes} bytes: at most ${this.maxGroupBytes} fit`)
      }
      records = smaller
    }
    const baseOffset = this.#append(topic, partition, records)
    await this.#held
    return { partition, baseOffset }
  }

  #append(topic: Topic, number: number, records: readonly TopicRecord[]): number {
    const partition = this.#partition(topic, number)
    const baseOffset = partition.end
    for (const record of records) partition.records.push({ ...record, partition: number, offset: partition.end++ })
    this.#wake()
    return baseOffset
  }

  async *#read({ topic, from, until, leaderEpochs, signal }: ReadOptions): AsyncIterable<ReadBatch> {
    const positions = new Map(from)
    const found = this.#topic(topic)
    const epochs = new Map(leaderEpochs)
    const stopped = aborted(signal)
    for (;;) {
      const changed = this.#changed.promise
      for (const [number, position] of this.#isCut ? [] : positions) {
        this.#checkIdentity(topic, found)
        const partition = found.partitions[number]
        if (partition === undefined) continue
        checkHistory(topic, partition, { position, epoch: epochs.get(number) })
        const batch = nextBatch(number, partition, { from: position, until: until?.get(number) ?? Infinity })
        if (batch === undefined) continue
        positions.set(number, batch.nextOffset)
        if (batch.leaderEpoch !== undefined) epochs.set(number, batch.leaderEpoch)
        yield batch
        if (signal.aborted) return
      }
      if (signal.aborted) return
      if (until !== undefined && [...positions].every(([number, at]) => at >= (until.get(number) ?? 0))) return
      await Promise.race([changed, stopped])
    }
  }

  #checkIdentity(name: string, topic: Topic): void {
    const current = this.#topics.get(name)
    if (current === topic) return
    const [code, what] =
      current === undefined
        ? (['topic-missing', 'it does not exist'] as const)
        : (['topic-recreated', 'another one stands under its name'] as const)
    throw new KubedeltaError(code, `Cannot read topic ${name}: ${what}`, { fields: { topic: name } })
  }
}

function bytesOf(records: readonly TopicRecord[]): number {
  return records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
}
