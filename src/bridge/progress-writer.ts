// Writes progress records: everything up to a resourceVersion stands before them.

import type { Clock } from '../base/clock.ts'
import { compareResourceVersions } from '../object/resource-version.ts'
import type { WriterStatus } from '../topic/port.ts'
import { appendControl, type Leadership, type ReadTopic } from './topic-session.ts'

export interface ProgressIntervals {
  /** Between records while there are changes. @default 10_000 */
  readonly changedMs: number
  /** Between records while there are none. @default 60_000 */
  readonly quietMs: number
}

export interface ProgressWriterOptions {
  readonly topic: ReadTopic
  readonly leadership: Leadership
  readonly clock: Clock
  readonly intervals: ProgressIntervals
  /** The newest resourceVersion that the cluster has shown in its present history: no older than anything appended of it. */
  readonly newest: () => string
}

/**
 * Says on every partition how far the topic is.
 *
 * - At once when the first list or a relist is complete, and for each bookmark that moves the resourceVersion.
 * - Otherwise every `quietMs`, so that a reader can tell a quiet cluster from a dead bridge.
 * - While one is not acknowledged the next waits, and then says what has been reached by then: an outage gathers none.
 */
export class ProgressWriter {
  readonly #options: ProgressWriterOptions
  readonly #failure = Promise.withResolvers<never>()
  readonly #first = Promise.withResolvers<void>()
  #resourceVersion = ''
  #written: { readonly resourceVersion: string; readonly atMs: number } | undefined
  #changed = false
  #unacknowledged = 0
  #isDue = false
  #acknowledged: ReadonlyMap<number, number>

  constructor(options: ProgressWriterOptions) {
    this.#options = options
    this.#acknowledged = options.topic.recovery.positions
    // Who runs it awaits it as well; this keeps an early failure from counting as unhandled.
    this.#failure.promise.catch(() => {})
  }

  /** Never resolves. @throws KubedeltaError as TopicWriter's `append` */
  get failure(): Promise<never> {
    return this.#failure.promise
  }

  /** Resolves when the first progress record is acknowledged, and with it all that stands before it. */
  get firstAcknowledged(): Promise<void> {
    return this.#first.promise
  }

  /** Partition -> offset of the last progress record that was acknowledged; of the fence before the first. */
  get acknowledged(): ReadonlyMap<number, number> {
    return this.#acknowledged
  }

  writerStatus(): WriterStatus {
    return this.#options.leadership.writer.status()
  }

  /** Something was appended since the last progress record. */
  noteChange(): void {
    this.#changed = true
  }

  /** Everything up to these was appended, one a watch: the lowest counts. */
  reached(resourceVersions: readonly string[]): void {
    this.#resourceVersion = resourceVersions.reduce(older)
    if (this.#changed || this.#resourceVersion !== this.#written?.resourceVersion) this.#writeNext()
  }

  /** To be called regularly: repeats what it last wrote when that is long ago. */
  tick(): void {
    const { clock, intervals } = this.#options
    if (this.#written !== undefined && clock.now() - this.#written.atMs >= intervals.quietMs) this.#writeNext()
  }

  /** Writes once more before a stop, if anything has changed since. */
  finish(): void {
    if (this.#changed) this.#write()
  }

  /** Resolves when everything appended is acknowledged. @throws as TopicWriter's `flush` */
  flush(signal: AbortSignal): Promise<void> {
    return this.#options.leadership.writer.flush(signal)
  }

  #writeNext(): void {
    if (this.#unacknowledged === 0) this.#write()
    else this.#isDue = true
  }

  #write(): void {
    const { topic, leadership, clock } = this.#options
    const resourceVersion = this.#resourceVersion
    const newestResourceVersion = this.#options.newest()
    this.#written = { resourceVersion, atMs: clock.now() }
    this.#changed = false
    this.#isDue = false
    this.#unacknowledged++
    appendControl(topic, leadership, { kind: 'progress', synced: true, resourceVersion, newestResourceVersion }).then(
      (appended) => {
        this.#acknowledged = new Map(appended.map(({ partition, baseOffset }) => [partition, baseOffset]))
        this.#first.resolve()
        this.#unacknowledged--
        if (this.#isDue) this.#writeNext()
      },
      (error: unknown) => this.#failure.reject(error),
    )
  }
}

// What cannot be compared is taken as it came: resourceVersions of one apiserver can.
function older(a: string, b: string): string {
  return (compareResourceVersions(a, b) ?? 0) <= 0 ? a : b
}
