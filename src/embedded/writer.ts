// Appends to one topic of a directory: gathers what is appended together into one commit of the writing thread.

import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { checkGroup, noSuchPartition } from '../topic/check-append.ts'
import type { Appended, RecordGroup, TopicRecord, TopicWriter, WriterStatus } from '../topic/port.ts'
import type { CommitLine, CommitThread } from './commit-thread.ts'
import type { WriterNews } from './messages.ts'
import { RecordPacker, sizeOf } from './record-bytes.ts'
import type { TopicFiles } from './topic-files.ts'

export interface EmbeddedWriterOptions {
  readonly thread: CommitThread
  readonly files: TopicFiles
  readonly clock: Clock
  readonly log: Logger
}

/** A commit's bytes: more only makes the first of them wait longer. */
const MAX_COMMIT_BYTES = 8 * 1024 * 1024

/** Commits under way: with the second the thread goes on while the first is acknowledged. */
const MAX_COMMITS = 2

/**
 * Opens a topic for writing, which takes its lock.
 * @throws KubedeltaError `topic-missing`, `fenced` while another process writes the topic, `forbidden`, `corrupt`, `unsupported`
 */
export async function openEmbeddedWriter(options: EmbeddedWriterOptions): Promise<EmbeddedWriter> {
  const opening = Promise.withResolvers<EmbeddedWriter>()
  const closed = Promise.withResolvers<void>()
  let failure: KubedeltaError | undefined
  let writer: EmbeddedWriter | undefined
  const line = options.thread.open(options.files, (news) => {
    if (news.kind === 'opened') {
      writer = new EmbeddedWriter({ line, closed: closed.promise, opened: news }, options)
      opening.resolve(writer)
    } else if (news.kind === 'closed') {
      closed.resolve()
      // Only now: who is told may try again, and finds the lock free.
      if (failure !== undefined) opening.reject(failure)
    } else if (writer !== undefined) {
      writer.hear(news)
    } else if (news.kind === 'failed') {
      failure = new KubedeltaError(news.code, news.message, { fields: news.fields })
    }
  })
  return opening.promise
}

type Opened = Extract<WriterNews, { readonly kind: 'opened' }>

/** What a writer hears once it is open. */
type LaterNews = Exclude<WriterNews, { readonly kind: 'opened' | 'closed' }>

/**
 * A writer over the thread that commits.
 *
 * - Offsets are given at the call of `append`, so the order of the calls is the order of the log.
 * - Groups appended while a commit is under way share the next one.
 * - `compression` has no effect: one by one, objects deflate at 2,000 to 6,000 a second, a fifth of what the disk takes, and
 *   compaction, which removes single records, would have to inflate and deflate what stays.
 */
export class EmbeddedWriter implements TopicWriter {
  readonly topic: string
  readonly partitions: number
  readonly producerId = ''
  readonly #line: CommitLine
  readonly #closed: Promise<void>
  readonly #options: EmbeddedWriterOptions
  readonly #maxGroupBytes: number
  readonly #ends: number[]
  readonly #waiting: Waiting[] = []
  readonly #underWay: Array<readonly Waiting[]> = []
  // Invariant: the records of `#waiting` and `#underWay`.
  #pendingRecords = 0
  #lastAttemptAtMs: number | undefined
  /** Of the group appended last: commits are acknowledged in order, so all before it have been as well. */
  #newest: Promise<unknown> = Promise.resolve()
  #failure: KubedeltaError | undefined
  #isScheduled = false
  #isTroubled = false

  constructor(
    { line, closed, opened }: { readonly line: CommitLine; readonly closed: Promise<void>; readonly opened: Opened },
    options: EmbeddedWriterOptions,
  ) {
    this.topic = options.files.topic
    this.partitions = opened.ends.length
    this.#line = line
    this.#closed = closed
    this.#options = options
    this.#maxGroupBytes = opened.maxMessageBytes
    this.#ends = [...opened.ends]
  }

  append(partition: number, group: RecordGroup): Promise<Appended> {
    const baseOffset = this.#ends[partition]
    if (baseOffset === undefined) throw noSuchPartition(this, partition)
    checkGroup(this, group)
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    try {
      const { records, bytes } = this.#fitting(group)
      this.#ends[partition] = baseOffset + records.length
      const { promise, resolve, reject } = Promise.withResolvers<Appended>()
      this.#waiting.push({ partition, baseOffset, records, bytes, resolve, reject })
      this.#pendingRecords += records.length
      this.#lastAttemptAtMs ??= this.#options.clock.now()
      this.#newest = promise
      this.#schedule()
      return promise
    } catch (error) {
      return Promise.reject(fromUnknown(error, `Cannot append to topic ${this.topic}`))
    }
  }

  async flush(signal: AbortSignal): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    // Whoever appended it hears of its failure; here it is the writer's that counts.
    await abortable(
      this.#newest.catch(() => {}),
      signal,
    )
    if (this.#failure !== undefined) throw this.#failure
  }

  status(): WriterStatus {
    return { pendingRecords: this.#pendingRecords, lastAttemptAtMs: this.#lastAttemptAtMs }
  }

  /** Takes what the thread says. */
  hear(news: LaterNews): void {
    const { topic } = this
    const { log, clock } = this.#options
    switch (news.kind) {
      case 'committed':
        if (this.#isTroubled) log.info('log can be written again', { topic })
        this.#isTroubled = false
        return this.#acknowledge(this.#underWay.shift() ?? [])
      case 'retrying':
        this.#lastAttemptAtMs = clock.now()
        if (!this.#isTroubled) log.warn('log cannot be written, retrying', { topic, reason: news.reason })
        this.#isTroubled = true
        return
      case 'compaction-failed':
        return log.warn('log cannot be compacted, trying again later', { topic, reason: news.reason })
      case 'failed':
        return this.#fail(new KubedeltaError(news.code, news.message, { fields: news.fields }))
      default:
        return news satisfies never
    }
  }

  /** Ends it in favour of a later writer: what is on its way to the disk is still acknowledged, all else is refused. */
  async fence(): Promise<void> {
    await this.#end(
      new KubedeltaError(
        'fenced',
        `Cannot append to topic ${this.topic}: a later writer of this process has taken over`,
        {
          fields: { topic: this.topic },
        },
      ),
    )
  }

  /** Rejects what is not on its way to the disk with `aborted`: flush first. The lock is free when it resolves. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end(new KubedeltaError('aborted', `Cannot append to topic ${this.topic}: the writer is closed`))
  }

  async #end(reason: KubedeltaError): Promise<void> {
    this.#failure ??= reason
    this.#reject(this.#waiting.splice(0), this.#failure)
    this.#line.close()
    await this.#closed
    // Its disk was full, or it had failed: nobody will answer these.
    this.#reject(this.#underWay.splice(0).flat(), this.#failure)
  }

  #fitting(group: RecordGroup): { readonly records: readonly TopicRecord[]; readonly bytes: number } {
    let { records } = group
    let bytes = sizeOf(records)
    while (bytes > this.#maxGroupBytes) {
      const smaller = group.whenTooLarge?.() ?? []
      const size = sizeOf(smaller)
      if (smaller.length === 0 || size >= bytes) throw this.#tooLarge(bytes)
      records = smaller
      bytes = size
    }
    return { records, bytes }
  }

  #tooLarge(size: number): KubedeltaError {
    return new KubedeltaError(
      'too-large',
      `Cannot append to topic ${this.topic}: wanted a group of at most ${this.#maxGroupBytes} bytes: current one has ${size}: make the topic anew with a larger max.message.bytes`,
      { fields: { topic: this.topic, size, limit: this.#maxGroupBytes } },
    )
  }

  /** Later in this turn, so that all that is appended in it is committed together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#commitMore()
    })
  }

  #commitMore(): void {
    while (this.#waiting.length > 0 && this.#underWay.length < MAX_COMMITS) {
      let bytes = 0
      let count = 0
      for (const group of this.#waiting) {
        if (count > 0 && bytes + group.bytes > MAX_COMMIT_BYTES) break
        bytes += group.bytes
        count++
      }
      const groups = this.#waiting.splice(0, count)
      this.#underWay.push(groups)
      this.#commit(groups, bytes)
    }
  }

  #commit(groups: readonly Waiting[], size: number): void {
    const packer = new RecordPacker(size)
    for (const { partition, baseOffset, records } of groups) {
      for (const [index, record] of records.entries()) packer.add(partition, baseOffset + index, record)
    }
    this.#line.append(packer.bytes.buffer)
  }

  #acknowledge(groups: readonly Waiting[]): void {
    this.#settle(groups)
    for (const { partition, baseOffset, resolve } of groups) resolve({ partition, baseOffset })
    if (this.#pendingRecords > 0) this.#lastAttemptAtMs = this.#options.clock.now()
    this.#commitMore()
  }

  #fail(error: KubedeltaError): void {
    this.#failure ??= error
    this.#reject([...this.#underWay.splice(0).flat(), ...this.#waiting.splice(0)], this.#failure)
  }

  #reject(groups: readonly Waiting[], error: KubedeltaError): void {
    this.#settle(groups)
    for (const { reject } of groups) reject(error)
  }

  #settle(groups: readonly Waiting[]): void {
    for (const { records } of groups) this.#pendingRecords -= records.length
    if (this.#pendingRecords === 0) this.#lastAttemptAtMs = undefined
  }
}

interface Waiting {
  readonly partition: number
  readonly baseOffset: number
  readonly records: readonly TopicRecord[]
  readonly bytes: number
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: KubedeltaError) => void
}
