// Writes digest records: what each partition holds where they stand, in short.

import { abortable, aborted } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { DIGEST_ALGORITHM } from '../record/digest.ts'
import { appendControls, type ControlContent, type Leadership, type ReadTopic } from './topic-session.ts'

export interface DigestWriterOptions {
  readonly topic: ReadTopic
  /** Its writer keeps the order of the calls, control records included, and replaces nothing that stands before one of them. */
  readonly leadership: Leadership
  readonly clock: Clock
  /** 0: none are written. Milliseconds. */
  readonly intervalMs: number
}

/**
 * Says on every partition what it holds.
 *
 * - When the first list is complete, every `intervalMs` from then on, and before a stop if anything has changed since.
 * - It is true of the log where it stands: sum and place are taken in one step, and what was appended before is written before.
 * - A partition with a key that cannot be read has none until that is written over.
 * - While one is not acknowledged the next waits: an outage gathers none.
 */
export class DigestWriter {
  readonly #options: DigestWriterOptions
  readonly #begun = Promise.withResolvers<void>()
  #changed = true

  constructor(options: DigestWriterOptions) {
    this.#options = options
  }

  /** The first list is complete: the index holds what the topic does. */
  begin(): void {
    this.#begun.resolve()
  }

  /** Something was appended since the last digest. */
  noteChange(): void {
    this.#changed = true
  }

  /** @throws KubedeltaError as TopicWriter's `append` */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#options
    if (intervalMs === 0) return await aborted(signal)
    await abortable(this.#begun.promise, signal)
    for (;;) {
      await abortable(this.#write(), signal)
      await clock.sleep(intervalMs, signal)
    }
  }

  /** Writes once more before a stop; who flushes hears of a failure. */
  finish(): void {
    if (this.#options.intervalMs > 0 && this.#changed) this.#write().catch(() => {})
  }

  async #write(): Promise<void> {
    const { topic, leadership } = this.#options
    this.#changed = false
    await appendControls(topic, leadership, (partition): ControlContent | undefined => {
      const sum = topic.index.sumOf(partition)
      return sum && { kind: 'digest', algorithm: DIGEST_ALGORITHM, ...sum }
    })
  }
}
