// One reading of a topic and the content that comes of it: takes batches, and says when the topic must be read again.

import type { Clock } from '../base/clock.ts'
import { fromHeaders, isReservedKey, type Control, type DigestRecord } from '../record/control.ts'
import { DIGEST_ALGORITHM } from '../record/digest.ts'
import type { BrokenBatch, ReadBatch, StoredRecord } from '../topic/port.ts'
import { checkControl } from './check-control.ts'
import { Contact } from './contact.ts'
import { sumOfPartition, type DigestChecks } from './digest-checks.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { beginReading, resourceVersionOf, stepReading } from './reading.ts'
import type { Reading, ReadingInput, ReadingRange } from './reading.ts'
import { contactLimitMs, type RebuildReason } from './rebuild.ts'
import type { TopicLook } from './topic-look.ts'
import type { Vouched } from './vouched.ts'

export interface AttemptOptions<T> extends Omit<IntakeOptions<T>, 'partitionCount'> {
  readonly topic: string
  readonly range: ReadingRange
  /** How the topic looked when the reading began. */
  readonly look: TopicLook
  /** How many partitions the topic has; keys may be spread over fewer. */
  readonly topicPartitions: number
  /** What compaction removed before this moment the reading may miss, unless a snapshot holds it. Milliseconds since the Unix epoch. */
  readonly sinceMs: number
  /** Of what stands before the reading; empty where nothing does. */
  readonly leaderEpochs: ReadonlyMap<number, number>
  readonly brokenBatches: number
  /** Whether a reading that took longer than tombstones last is good enough. */
  readonly acceptsSlow: boolean
  readonly digests: DigestChecks
  readonly vouched: Vouched
  readonly clock: Clock
}

/**
 * One reading of a topic.
 *
 * - It takes batch by batch; what it says is to be read again, it takes nothing more of.
 * - A batch that is read after too long without contact is not taken: a tombstone may be missing before it.
 */
export class Attempt<T> {
  readonly intake: Intake<T>
  readonly topicPartitions: number
  readonly #options: AttemptOptions<T>
  readonly #contact: Contact
  readonly #leaderEpochs: Map<number, number>
  #reading: Reading
  #topicId: string | undefined
  #deleteRetentionMs: number
  #brokenBatches: number
  /** Partitions with broken batches. */
  readonly #broken = new Set<number>()
  /** Partition -> offset from which on what was read is the log's content for certain, wherever compaction had been before. */
  readonly #exactFrom: Map<number, number>
  #records = 0
  #isTaking = false
  /**
   * Whether half of delete.retention.ms is the limit: for a content that was there before, and once a new one has been visible in good
   * contact. A content that is being read may take all of it, and some time to catch up.
   */
  #isSettled: boolean
  #wasSlow = false

  constructor(options: AttemptOptions<T>) {
    const { range, look, sinceMs, leaderEpochs, brokenBatches, topicPartitions } = options
    this.#options = options
    this.topicPartitions = topicPartitions
    this.intake = new Intake({ ...options, partitionCount: range.partitionCount })
    this.#reading = beginReading(range)
    this.#exactFrom = new Map(range.until)
    this.#contact = new Contact(range.from, sinceMs)
    this.#contact.heard(look.atMs, range.until)
    this.#leaderEpochs = new Map(leaderEpochs)
    this.#topicId = look.topicId
    this.#deleteRetentionMs = look.deleteRetentionMs
    this.#brokenBatches = brokenBatches
    this.#isSettled = range.known !== undefined
  }

  get reading(): Reading {
    return this.#reading
  }

  get topicId(): string | undefined {
    return this.#topicId
  }

  get deleteRetentionMs(): number {
    return this.#deleteRetentionMs
  }

  /** Partition -> leader epoch of the last batch read. */
  get leaderEpochs(): ReadonlyMap<number, number> {
    return this.#leaderEpochs
  }

  /** All that stood on the topic then has been taken. Milliseconds since the Unix epoch, by this machine's clock. */
  get contactAtMs(): number {
    return this.#contact.atMs
  }

  /** Record batches that do not decode: which keys they held nobody knows. */
  get brokenBatches(): number {
    return this.#brokenBatches
  }

  /** Records taken so far, control records aside. */
  get records(): number {
    return this.#records
  }

  /** A batch is taken in part: positions and content do not belong together. */
  get isTaking(): boolean {
    return this.#isTaking
  }

  /** Partition -> where to read on. */
  positions(): ReadonlyMap<number, number> {
    return new Map([...this.#reading.partitions].map(([number, { position }]) => [number, position]))
  }

  /** Takes a batch. Resolves to why the topic must be read again, if it must. @throws KubedeltaError `topic-foreign`; the signal's reason */
  async take(batch: ReadBatch, signal: AbortSignal): Promise<RebuildReason | undefined> {
    if (this.#isOutOfContact()) return 'cut-off'
    this.#isTaking = true
    const { partition, records, nextOffset, endOffset, leaderEpoch, broken } = batch
    this.#noteGaps(batch)
    const how = { check: this.#options.vouched.begin(batch), isGiven: batch.isGiven === true }
    for (const stored of records) {
      const key = stored.key.toString()
      if (isReservedKey(key)) {
        const reason = await this.#takeControl(key, stored, signal)
        if (reason !== undefined) return reason
      } else {
        this.#records += 1
        const room = this.intake.take(key, stored, how)
        if (room !== undefined) await room
      }
    }
    signal.throwIfAborted()
    for (const each of broken ?? []) this.#passOver(partition, each)
    if (leaderEpoch !== undefined) this.#leaderEpochs.set(partition, leaderEpoch)
    this.#contact.moved(partition, nextOffset)
    this.#step({ kind: 'moved', partition, position: nextOffset, end: endOffset })
    this.#isTaking = false
    return this.#judge()
  }

  /** Takes note of how the topic looks now. Returns why it must be read again, if it must. */
  see({ atMs, topicId, deleteRetentionMs, ends }: TopicLook): RebuildReason | undefined {
    if (topicId !== undefined && this.#topicId !== undefined && topicId !== this.#topicId) return 'topic-recreated'
    this.#topicId ??= topicId
    this.#deleteRetentionMs = deleteRetentionMs
    this.#contact.heard(atMs, ends)
    for (const [partition, { position, end }] of this.#reading.partitions) {
      this.#step({ kind: 'moved', partition, position, end: Math.max(end, ends.get(partition) ?? 0) })
    }
    this.noteVisible()
    return undefined
  }

  /** To be called when the content has become visible, and with each look from then on. */
  noteVisible(): void {
    const ageMs = this.#options.clock.now() - this.#contact.atMs
    if (this.intake.isVisible && ageMs <= contactLimitMs(this.#deleteRetentionMs)) this.#isSettled = true
  }

  #isOutOfContact(): boolean {
    const ageMs = this.#options.clock.now() - this.#contact.atMs
    const limitMs = contactLimitMs(this.#deleteRetentionMs)
    if (this.#isSettled) return ageMs > limitMs
    if (ageMs <= limitMs * 2) return false
    // To its end all the same: a second reading is quicker where the first one was held up by chance, and this one would do as well.
    if (this.#reading.state !== 'Recovering') return true
    this.#wasSlow = true
    return false
  }

  /** What only the newest control record can tell, once all that stood there has been read. */
  #judge(): RebuildReason | undefined {
    const { state, control, partitionCount } = this.#reading
    if (state === 'Recovering') return undefined
    if (control !== undefined && control.partitions !== partitionCount) return 'partitions-changed'
    if (!this.#wasSlow) return undefined
    const { acceptsSlow, topic, clock, log } = this.#options
    if (!acceptsSlow) return 'slow-rebuild'
    this.#wasSlow = false
    this.#contact.renew(clock.now())
    log.error(
      'the topic cannot be read within its delete.retention.ms: deleted objects may be shown as if they were there',
      {
        topic,
        deleteRetentionMs: this.#deleteRetentionMs,
      },
    )
    return undefined
  }

  /** What is missing gave way to a later record of its key, and that stands somewhere before the end as it is now. */
  #noteGaps({ partition, records, nextOffset, endOffset }: ReadBatch): void {
    const { position = 0 } = this.#reading.partitions.get(partition) ?? {}
    if (records.length < nextOffset - position) this.#exactFrom.set(partition, Math.max(nextOffset, endOffset))
  }

  async #takeControl(key: string, stored: StoredRecord, signal: AbortSignal): Promise<RebuildReason | undefined> {
    const { topic, resource, writer, schemas } = this.#options
    const { partition, offset } = stored
    const control = this.#readControl(key, stored)
    if (control === undefined) return undefined
    const before = resourceVersionOf(this.#reading)
    if (this.#step({ kind: 'control', partition, offset, control }) === 'new-stream') return 'new-stream'
    // Any other stream is history, or an old leader's late word.
    if (this.#reading.control?.streamId === control.streamId) checkControl(control, { topic, resource })
    this.intake.noteEpoch(partition, control.epoch)
    this.#options.vouched.note(control)
    if (schemas.learn(control.schemas)) await this.intake.retry()
    const after = resourceVersionOf(this.#reading)
    if (after !== undefined && after !== before && this.intake.isVisible) writer.bookmark(after)
    return control.kind === 'digest' ? this.#checkDigest(control, stored, signal) : undefined
  }

  /** The feed waits meanwhile, so that the cache stays as it is where the digest stands. */
  async #checkDigest(
    control: DigestRecord,
    { partition, offset }: StoredRecord,
    signal: AbortSignal,
  ): Promise<RebuildReason | undefined> {
    const { digests, writer } = this.#options
    if (!this.#isComparable(control, partition, offset)) {
      digests.skip()
      return undefined
    }
    const { partitionCount } = this.#reading
    const current = await sumOfPartition(writer.entries(), { partition, partitionCount }, signal)
    return digests.judge({ partition, offset, wanted: control, current })
  }

  #isComparable({ algorithm, streamId, partitions, asOf }: DigestRecord, partition: number, offset: number): boolean {
    const { state, control, partitionCount } = this.#reading
    if (algorithm !== DIGEST_ALGORITHM || streamId !== control?.streamId || partitions !== partitionCount) return false
    if (!this.intake.isVisible || state !== 'Live' || !this.intake.isWhole(partition)) return false
    // A snapshot says how many there were, not where.
    if (this.#broken.has(partition) || this.#options.brokenBatches > 0) return false
    // An old one tells of a log that may have been compacted since: where a key has a later record, it is another state that is missing.
    const isFresh = this.#options.clock.now() - asOf <= MAX_DIGEST_AGE_MS
    return isFresh && offset >= (this.#exactFrom.get(partition) ?? 0)
  }

  /** undefined for what a later version writes, and for what cannot be read. */
  #readControl(key: string, stored: StoredRecord): Control | undefined {
    try {
      return fromHeaders(key, stored.headers)
    } catch (error) {
      this.intake.noteUnreadableControl(key, stored, error)
      return undefined
    }
  }

  #passOver(partition: number, { baseOffset, nextOffset, error }: BrokenBatch): void {
    const { metrics, resource, topic, log } = this.#options
    this.#brokenBatches += 1
    this.#broken.add(partition)
    metrics.unreadable.inc({ resource, reason: 'broken-batch' })
    if (this.#brokenBatches > LOGGED_BATCHES) return
    log.warn('record batch does not decode, its keys stay as they are', {
      topic,
      partition,
      baseOffset,
      nextOffset,
      error,
      ...(this.#brokenBatches === LOGGED_BATCHES ? { last: true } : {}),
    })
  }

  #step(input: ReadingInput): 'go-on' | 'new-stream' {
    const step = stepReading(this.#reading, input)
    if (step.kind === 'go-on') this.#reading = step.reading
    return step.kind
  }
}

const LOGGED_BATCHES = 20

/** By the clocks of two machines. */
const MAX_DIGEST_AGE_MS = 5 * 60 * 1_000
