// Reads partitions of a topic without a consumer group.

import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ReadBatch, ReadOptions, TopicReader } from '../topic/port.ts'
import { decodeBatch, splitBatches, type RawBatch } from './batch-decode.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, ERROR, refused } from './error-codes.ts'
import { fetchRequest, type FetchedPartition } from './protocol/fetch.ts'
import { connectionBackoff } from '../base/retry.ts'
import { Trouble } from './trouble.ts'

export interface KafkaReaderOptions {
  /** Of its own: a fetch that waits for new records holds back everything behind it on its connection. */
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
  readonly limits: ReadLimits
  /** How long the topic may be unknown to the brokers before the iteration gives up. */
  readonly missingTopicGraceMs: number
}

export interface ReadLimits {
  readonly maxBytes: number
  readonly maxBytesPerPartition: number
  readonly maxWaitMs: number
}

/**
 * A groupless reader.
 *
 * - One fetch is in flight at each leader; the next is sent before the former is decoded.
 * - The position comes from batch headers, so empty batches and compacted tails are passed over.
 * - Reads of one reader share its connections: one that follows a topic holds the others back.
 */
export class KafkaReader implements TopicReader {
  readonly #options: KafkaReaderOptions

  constructor(options: KafkaReaderOptions) {
    this.#options = options
  }

  async *read(options: ReadOptions): AsyncIterable<ReadBatch> {
    yield* new Reading(this.#options, options).batches()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.cluster[Symbol.asyncDispose]()
  }
}

/** A fetch that has ended: with answers, or with what was in its way. */
interface Fetched {
  readonly slot: Slot
  readonly partitions: readonly number[]
  readonly outcome: readonly FetchedPartition[] | KubedeltaError
}

/** A leader, or the search for the leaders of partitions that have none. */
type Slot = number | 'search'

class Reading {
  readonly #options: KafkaReaderOptions
  readonly #request: ReadOptions
  /** Where the next fetch begins, in the order in which partitions are asked for: the one served last is last. */
  readonly #positions: Map<number, number>
  readonly #fetches = new Map<Slot, { readonly partitions: readonly number[]; readonly fetched: Promise<Fetched> }>()
  readonly #trouble: Trouble

  constructor(options: KafkaReaderOptions, request: ReadOptions) {
    this.#options = options
    this.#request = request
    this.#positions = new Map(request.from)
    this.#trouble = new Trouble({
      ...options,
      messages: { begins: 'read failed, retrying', ends: 'read goes on' },
      fields: { topic: request.topic },
    })
  }

  async *batches(): AsyncGenerator<ReadBatch, void, undefined> {
    const { signal } = this.#request
    try {
      for (;;) {
        signal.throwIfAborted()
        this.#fetchMore()
        if (this.#fetches.size === 0) return
        const fetched = await abortable(Promise.race([...this.#fetches.values()].map((each) => each.fetched)), signal)
        this.#fetches.delete(fetched.slot)
        const ready = this.#take(fetched)
        this.#fetchMore()
        for (const partition of ready) yield* this.#decoded(partition)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Sends a fetch to every leader that has none in flight and has something to give. */
  #fetchMore(): void {
    const { cluster } = this.#options
    const { topic } = this.#request
    const busy = new Set([...this.#fetches.values()].flatMap(({ partitions }) => partitions))
    const waiting = [...this.#positions].filter(
      ([partition, at]) => !busy.has(partition) && !this.#isDone(partition, at),
    )
    const bySlot = Map.groupBy(waiting, ([partition]): Slot => cluster.knownLeader(topic, partition) ?? 'search')
    for (const [slot, wants] of bySlot) {
      if (this.#fetches.has(slot)) continue
      const partitions = wants.map(([partition]) => partition)
      const fetched = slot === 'search' ? this.#search(partitions) : this.#fetch(slot, partitions)
      this.#fetches.set(slot, { partitions, fetched })
    }
  }

  #isDone(partition: number, position: number): boolean {
    const { until } = this.#request
    return until !== undefined && position >= (until.get(partition) ?? 0)
  }

  async #fetch(leader: number, partitions: readonly number[]): Promise<Fetched> {
    const { cluster, limits } = this.#options
    const { topic } = this.#request
    const wants = partitions.map((partition) => ({ partition, offset: this.#positions.get(partition) ?? 0 }))
    try {
      const maxBytesPerPartition = Math.min(limits.maxBytesPerPartition, this.#bytesLeft(partitions))
      const request = fetchRequest(topic, wants, { ...limits, maxBytesPerPartition })
      return { slot: leader, partitions, outcome: await cluster.send(leader, request) }
    } catch (error) {
      return { slot: leader, partitions, outcome: fromUnknown(error, `Cannot read topic ${topic}`) }
    }
  }

  /** A guess for short reads, of one record say: enough for it without a whole window of what follows. */
  #bytesLeft(partitions: readonly number[]): number {
    const { until } = this.#request
    if (until === undefined) return Infinity
    const records = partitions.map((partition) => (until.get(partition) ?? 0) - (this.#positions.get(partition) ?? 0))
    return Math.max(...records) * 64 * 1024
  }

  /** Asks for leaders until one of these partitions has one. */
  async #search(partitions: readonly number[]): Promise<Fetched> {
    const { cluster, clock } = this.#options
    const { topic, signal } = this.#request
    const backoff = connectionBackoff(clock)
    try {
      await this.#trouble.backOff(signal)
      await cluster.refresh(topic)
      while (partitions.every((partition) => cluster.knownLeader(topic, partition) === undefined)) {
        await clock.sleep(backoff.delay(), signal)
        await cluster.refresh(topic)
      }
      return { slot: 'search', partitions, outcome: [] }
    } catch (error) {
      return { slot: 'search', partitions, outcome: fromUnknown(error, `Cannot read topic ${topic}`) }
    }
  }

  /** Moves positions behind what came and returns it, still encoded. @throws KubedeltaError what ends the iteration */
  #take({ outcome }: Fetched): Taken[] {
    const { topic } = this.#request
    if (outcome instanceof KubedeltaError) {
      this.#fault(outcome)
      return []
    }
    const taken: Taken[] = []
    for (const { partition, errorCode, highWatermark, batches } of outcome) {
      const position = this.#positions.get(partition) ?? 0
      if (errorCode !== ERROR.none) {
        this.#fault(
          refused(`read topic ${topic}`, errorCode, { fields: { topic, partition, offset: position } }),
          errorCode,
        )
        continue
      }
      this.#trouble.over()
      const raw = this.#wanted(splitBatches(batches, { topic, partition }), partition, position)
      const last = raw.at(-1)
      if (last === undefined) continue
      // Deleted and set again: the partition goes to the end of the order.
      this.#positions.delete(partition)
      this.#positions.set(partition, last.header.nextOffset)
      taken.push({ partition, from: position, batches: raw, endOffset: highWatermark })
    }
    return taken
  }

  #wanted(batches: readonly RawBatch[], partition: number, position: number): readonly RawBatch[] {
    const until = this.#request.until?.get(partition) ?? Infinity
    return batches.filter(({ header }) => header.nextOffset > position && header.baseOffset < until)
  }

  async *#decoded(taken: Taken): AsyncGenerator<ReadBatch, void, undefined> {
    let next = this.#decode(taken, 0)
    for (let at = 0; at < taken.batches.length; at += DECODE_AT_ONCE) {
      const batch = await next
      next = this.#decode(taken, at + DECODE_AT_ONCE)
      // If the caller leaves here nobody waits for it; the next read would meet the same failure again.
      next.catch(() => {})
      yield batch
    }
  }

  /** Decodes a few batches together: inflating runs on several threads, and what is held at once stays small. */
  async #decode({ partition, from, batches, endOffset }: Taken, at: number): Promise<ReadBatch> {
    const { topic, until } = this.#request
    const end = until?.get(partition) ?? Infinity
    const some = batches.slice(at, at + DECODE_AT_ONCE)
    const decoded = await Promise.all(some.map(async (batch) => decodeBatch(batch, { topic, partition })))
    const records = decoded.flat().filter(({ offset }) => offset >= from && offset < end)
    const nextOffset = Math.min(some.at(-1)?.header.nextOffset ?? from, end)
    return { partition, records, nextOffset, endOffset }
  }

  /** @throws KubedeltaError when the failure is for good */
  #fault(error: KubedeltaError, errorCode?: number): void {
    const { cluster } = this.#options
    const gone = this.#trouble.note(error)
    // Credentials that brokers refuse now they may know in a moment: a restarted one learns of them late.
    const passing =
      errorCode === undefined
        ? error.retriable || error.code === 'unauthorized' || error.code === 'topic-missing'
        : brokerError(errorCode).again
    if (gone || !passing) throw error
    cluster.forget(this.#request.topic)
  }
}

interface Taken {
  readonly partition: number
  readonly from: number
  readonly batches: readonly RawBatch[]
  readonly endOffset: number
}

const DECODE_AT_ONCE = 4
