// Reads partitions of a topic without a consumer group.

import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ReadBatch, ReadOptions, TopicReader } from '../topic/port.ts'
import { splitBatches } from './batch-decode.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, ERROR, refused } from './error-codes.ts'
import { Lineage } from './lineage.ts'
import { passable } from './passable.ts'
import { fetchRequest, type FetchedPartition } from './protocol/fetch.ts'
import { connectionBackoff } from '../base/retry.ts'
import { readTaken, type Taken } from './taken.ts'
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
 * - The position comes from batch headers, so empty batches and compacted tails are passed over; so are damaged batches, which are told.
 * - After each election, and once every 30 s, it is made sure that the log is still the one that was read.
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
  readonly outcome: readonly Answer[] | KubedeltaError
}

interface Answer extends FetchedPartition {
  /** The leader's, when it was asked. */
  readonly leaderEpoch: number | undefined
}

/** A leader, the search for the leaders of partitions that have none, or a look whether the topic is the same. */
type Slot = number | 'search' | 'look'

class Reading {
  readonly #options: KafkaReaderOptions
  readonly #request: ReadOptions
  /** Where the next fetch begins, in the order in which partitions are asked for: the one served last is last. */
  readonly #positions: Map<number, number>
  readonly #fetches = new Map<Slot, { readonly partitions: readonly number[]; readonly fetched: Promise<Fetched> }>()
  readonly #trouble: Trouble
  readonly #lineage: Lineage
  #lookAtMs: number

  constructor(options: KafkaReaderOptions, request: ReadOptions) {
    this.#options = options
    this.#request = request
    this.#positions = new Map(request.from)
    this.#lineage = new Lineage(options.cluster, request.topic, request.leaderEpochs)
    this.#lookAtMs = options.clock.now() + LOOK_EVERY_MS
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
        for (const taken of ready) yield* readTaken(taken)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /**
   * Sends a fetch to every leader that has none in flight and has something to give.
   * @throws KubedeltaError `topic-recreated`
   */
  #fetchMore(): void {
    const { cluster, clock } = this.#options
    const { topic } = this.#request
    this.#lineage.checkTopic()
    const busy = new Set([...this.#fetches.values()].flatMap(({ partitions }) => partitions))
    const waiting = [...this.#positions].filter(
      ([partition, at]) => !busy.has(partition) && !this.#isDone(partition, at),
    )
    const bySlot = Map.groupBy(
      waiting,
      ([partition]): number | 'search' => cluster.knownLeader(topic, partition) ?? 'search',
    )
    for (const [slot, wants] of bySlot) {
      if (this.#fetches.has(slot)) continue
      const partitions = wants.map(([partition]) => partition)
      const fetched = slot === 'search' ? this.#search(partitions) : this.#fetch(slot, partitions)
      this.#fetches.set(slot, { partitions, fetched })
    }
    if (this.#request.until !== undefined || clock.now() < this.#lookAtMs || this.#fetches.has('search')) return
    this.#lookAtMs = clock.now() + LOOK_EVERY_MS
    this.#fetches.set('look', { partitions: [], fetched: this.#look() })
  }

  #isDone(partition: number, position: number): boolean {
    const { until } = this.#request
    return until !== undefined && position >= (until.get(partition) ?? 0)
  }

  async #fetch(leader: number, partitions: readonly number[]): Promise<Fetched> {
    const { topic } = this.#request
    const doubtful = partitions.filter((partition) => this.#lineage.isDoubtful(partition))
    try {
      const outcome = doubtful.length > 0 ? this.#verify(leader, doubtful) : this.#ask(leader, partitions)
      return { slot: leader, partitions, outcome: await outcome }
    } catch (error) {
      return { slot: leader, partitions, outcome: fromUnknown(error, `Cannot read topic ${topic}`) }
    }
  }

  async #ask(leader: number, partitions: readonly number[]): Promise<readonly Answer[]> {
    const { cluster, limits } = this.#options
    const { topic } = this.#request
    const epochs = new Map(partitions.map((partition) => [partition, this.#lineage.leaderEpoch(partition)]))
    const wants = [...epochs].map(([partition, currentLeaderEpoch]) => {
      const offset = this.#positions.get(partition) ?? 0
      return { partition, offset, ...(currentLeaderEpoch !== undefined && { currentLeaderEpoch }) }
    })
    const maxBytesPerPartition = Math.min(limits.maxBytesPerPartition, this.#bytesLeft(partitions))
    const answers = await cluster.send(leader, fetchRequest(topic, wants, { ...limits, maxBytesPerPartition }))
    // A topic created anew begins at 0 again: which of both it is decides what the reader is told.
    if (answers.some(({ errorCode }) => errorCode === ERROR.offsetOutOfRange)) await cluster.refresh(topic)
    return answers.map((answer) => ({ ...answer, leaderEpoch: epochs.get(answer.partition) }))
  }

  /** Only what could not be asked is answered: the next fetch follows when nothing is in doubt. */
  async #verify(leader: number, partitions: readonly number[]): Promise<readonly Answer[]> {
    const positions = new Map(partitions.map((partition) => [partition, this.#positions.get(partition) ?? 0]))
    const undecided = await this.#lineage.verify(leader, positions)
    return undecided.map((each) => ({ ...each, highWatermark: -1, batches: Buffer.alloc(0), leaderEpoch: undefined }))
  }

  async #look(): Promise<Fetched> {
    const { topic } = this.#request
    try {
      await this.#options.cluster.refresh(topic)
      return { slot: 'look', partitions: [], outcome: [] }
    } catch (error) {
      return { slot: 'look', partitions: [], outcome: fromUnknown(error, `Cannot read topic ${topic}`) }
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
    for (const { partition, errorCode, highWatermark, batches, leaderEpoch } of outcome) {
      const position = this.#positions.get(partition) ?? 0
      if (errorCode !== ERROR.none) {
        if (errorCode === ERROR.offsetOutOfRange) this.#lineage.checkTopic()
        this.#fault(
          refused(`read topic ${topic}`, errorCode, {
            fields: { topic, partition, offset: position },
            permission: `Read on topic ${topic}`,
          }),
          errorCode,
        )
        continue
      }
      this.#trouble.over()
      const until = this.#request.until?.get(partition) ?? Infinity
      const range = { position, until, endOffset: highWatermark }
      const passed = passable(splitBatches(batches, { topic, partition }), range)
      const last = passed.at(-1)
      if (last === undefined) continue
      // Deleted and set again: the partition goes to the end of the order.
      this.#positions.delete(partition)
      this.#positions.set(partition, last.nextOffset)
      this.#lineage.note(partition, last.header.leaderEpoch, leaderEpoch)
      taken.push({ topic, partition, from: position, until, batches: passed, endOffset: highWatermark })
    }
    return taken
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

/** Often enough that a topic created anew is noticed soon, and no load on brokers. */
const LOOK_EVERY_MS = 30_000
