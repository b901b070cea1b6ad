// The port to a log of topics: what the bridge and consumers ask of Kafka or of the embedded log.

import type { KubedeltaError } from '../base/errors.ts'

/** A header of a record; names may repeat. */
export interface TopicHeader {
  readonly name: string
  /** UTF-8 text. */
  readonly value: string
}

/** A record to append; a null value is a tombstone. */
export interface TopicRecord {
  readonly key: Buffer
  readonly value: Buffer | null
  readonly headers: readonly TopicHeader[]
  /** Milliseconds since the Unix epoch. */
  readonly timestampMs: number
}

/**
 * A record as it was read. Key and value may be slices of a larger buffer: copy what you keep, or it pins the whole of it.
 * Within a partition offsets rise, with gaps.
 */
export interface StoredRecord extends TopicRecord {
  readonly partition: number
  readonly offset: number
}

/** Records that must stand side by side in one batch, in this order: a DELETED and its tombstone, say. */
export interface RecordGroup {
  readonly records: readonly TopicRecord[]
  /**
   * What takes the group's place when it does not fit the topic's largest batch; called before the group has been appended, so that
   * the order of the partition holds, and again as long as what it gives is smaller and does not fit either. Absent, or empty: the
   * append rejects with `too-large`.
   */
  readonly whenTooLarge?: () => readonly TopicRecord[]
}

/** Where a group stands: `baseOffset` is its first record's, the others follow without a gap. */
export interface Appended {
  readonly partition: number
  readonly baseOffset: number
}

export interface WriterOptions {
  readonly topic: string
  /** Broker-side identity: opening a writer with it fences the one opened before. */
  readonly transactionalId: string
  /** @default 'gzip' */
  readonly compression?: Compression
  readonly signal: AbortSignal
}

export type Compression = 'none' | 'gzip' | 'zstd'

/**
 * Appends to one topic.
 *
 * - Records of one partition stand in the order of the calls, whatever is retried.
 * - A resolved append is on the topic once; while the writer lives, retries leave no duplicates.
 * - What may be retried is retried inside, without end; a rejection means that it cannot succeed:
 *   `fenced`, `forbidden`, `topic-missing`, `rejected` fail the writer and everything still waiting,
 *   `too-large` only the group.
 * - The writer bounds nothing: the caller holds back by what is not acknowledged yet.
 */
export interface TopicWriter extends AsyncDisposable {
  readonly topic: string
  /** The partition count when it was opened. */
  readonly partitions: number
  /** The broker's producer id, decimal; '' where the log has none. */
  readonly producerId: string
  append(partition: number, group: RecordGroup): Promise<Appended>
  /** Resolves when everything appended so far is acknowledged. @throws as `append` */
  flush(signal: AbortSignal): Promise<void>
  status(): WriterStatus
}

export interface WriterStatus {
  /** Records not acknowledged yet. */
  readonly pendingRecords: number
  /** When the oldest pending lane last tried; undefined when nothing is pending. Milliseconds since the Unix epoch. */
  readonly lastAttemptAtMs: number | undefined
}

export interface ReadOptions {
  readonly topic: string
  /** Partition -> offset to begin at. Only these partitions are read. */
  readonly from: ReadonlyMap<number, number>
  /**
   * Partition -> offset to end before. The iteration ends when all are reached, by position and not by last record.
   * Absent: it follows the topic until the signal aborts.
   */
  readonly until?: ReadonlyMap<number, number>
  /**
   * Partition -> leader epoch of the last batch that was read before `from`: where the log no longer holds that history the
   * iteration ends with `log-truncated` (KIP-320). Absent, or of a log without leaders: nothing is checked.
   */
  readonly leaderEpochs?: ReadonlyMap<number, number>
  readonly signal: AbortSignal
}

/** What one fetch brought of one partition, in order; may hold no records where compaction left empty batches. */
export interface ReadBatch {
  readonly partition: number
  readonly records: readonly StoredRecord[]
  /** Where the next fetch begins: taken from batch headers, so it may be far beyond the last record. */
  readonly nextOffset: number
  /** The partition's end when this was read. */
  readonly endOffset: number
  /** Leader epoch of the last batch passed; undefined where the log has no leaders or nothing was passed. */
  readonly leaderEpoch?: number
  /** The producer that sent all of these records, decimal; absent where several did, where one did without an id, and where the log has none. */
  readonly producerId?: string
  /** The memory of keys and values is the caller's, to be kept and written to: nobody else reads it any more. @default false */
  readonly isGiven?: boolean
  /** What was passed over because it does not decode; absent where everything did. */
  readonly broken?: readonly BrokenBatch[]
}

/** A record batch with a wrong checksum, or with records that do not decode; in the embedded log a single record. */
export interface BrokenBatch {
  readonly baseOffset: number
  /** Behind its last record. */
  readonly nextOffset: number
  /** `corrupt`. */
  readonly error: KubedeltaError
}

/**
 * Reads without a group.
 *
 * - Connections lost, leaders moved and brokers restarted are retried inside, without end.
 * - Positions are never reset: `offset-out-of-range`, `log-truncated`, `topic-missing`, `topic-recreated` and `forbidden` end the
 *   iteration with that error.
 * - A record batch that does not decode is passed over and told in `broken`; `corrupt` ends the iteration only where not even the
 *   length of a batch can be.
 * - A signal that aborts ends the iteration without an error.
 */
export interface TopicReader extends AsyncDisposable {
  read(options: ReadOptions): AsyncIterable<ReadBatch>
}

export interface TopicDescription {
  readonly topic: string
  readonly partitions: number
  /** The smallest replica count of its partitions. */
  readonly replicationFactor: number
  /** Another one once the topic was deleted and created again; undefined where the log knows none. */
  readonly topicId?: string
  /** False where the log keeps one copy by its nature. @default true */
  readonly replicated?: boolean
  /** Every configuration in force: name -> value as the broker prints it. */
  readonly config: ReadonlyMap<string, string>
}

export interface TopicSpec {
  readonly topic: string
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  readonly config: ReadonlyMap<string, string>
}

/** Creates and looks; configurations of existing topics are never altered (kafkajs' alterConfigs resets what it does not name). */
export interface TopicAdmin extends AsyncDisposable {
  /** Names of all topics the caller may see. */
  list(signal: AbortSignal): Promise<readonly string[]>
  /** The topic, or undefined where it is missing. @throws KubedeltaError `forbidden` */
  describe(topic: string, signal: AbortSignal): Promise<TopicDescription | undefined>
  /** @throws KubedeltaError `forbidden`, `rejected` */
  create(spec: TopicSpec, signal: AbortSignal): Promise<'created' | 'exists'>
  /** Partition -> first offset, or offset after the last record. @throws KubedeltaError `topic-missing`, `forbidden` */
  offsets(topic: string, at: 'earliest' | 'latest', signal: AbortSignal): Promise<ReadonlyMap<number, number>>
}

/** One connection to a log: Kafka or a directory. */
export interface TopicLog extends AsyncDisposable {
  readonly admin: TopicAdmin
  /** @throws KubedeltaError `topic-missing`, `forbidden`, `unreachable` */
  openWriter(options: WriterOptions): Promise<TopicWriter>
  openReader(options: { readonly signal: AbortSignal }): Promise<TopicReader>
}
