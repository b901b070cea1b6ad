// Remembers that something does not work at present: says it once, backs off, and says once that it is over.

import type { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { KubedeltaError } from '../base/errors.ts'
import type { LogFields, Logger } from '../base/log.ts'
import { connectionBackoff } from '../base/retry.ts'

export interface TroubleOptions {
  /** Logged when it begins and when it is over. */
  readonly messages: { readonly begins: string; readonly ends: string }
  readonly fields: LogFields
  readonly clock: Clock
  readonly log: Logger
  /** How long a topic may be unknown to the brokers before it is gone. */
  readonly missingTopicGraceMs: number
}

/** What may go wrong again and again with one thing: reading a topic, appending to a partition. */
export class Trouble {
  readonly #options: TroubleOptions
  readonly #backoff: Backoff
  #lasting = false
  #missingSinceMs: number | undefined

  constructor(options: TroubleOptions) {
    this.#options = options
    this.#backoff = connectionBackoff(options.clock)
  }

  /** Notes a failure. @returns true when it says that the topic is missing, and has been for longer than its grace */
  note(error: KubedeltaError): boolean {
    const { clock, log, fields, messages, missingTopicGraceMs } = this.#options
    if (!this.#lasting) log.warn(messages.begins, { ...fields, reason: error.message, code: error.code })
    this.#lasting = true
    if (error.code !== 'topic-missing') return false
    this.#missingSinceMs ??= clock.now()
    return clock.now() - this.#missingSinceMs >= missingTopicGraceMs
  }

  /** Waits before the next attempt, longer each time; not at all where nothing is wrong. @throws the signal's reason */
  async backOff(signal: AbortSignal): Promise<void> {
    if (this.#lasting) await this.#options.clock.sleep(this.#backoff.delay(), signal)
  }

  /** Notes a success: the next failure is news again. */
  over(): void {
    if (!this.#lasting) return
    const { log, fields, messages } = this.#options
    this.#lasting = false
    this.#missingSinceMs = undefined
    this.#backoff.reset()
    log.info(messages.ends, fields)
  }
}
