// Repeats an attempt while what failed may pass, within a time, and says so.

import { abortable } from './abort.ts'
import { Backoff } from './backoff.ts'
import type { Clock } from './clock.ts'
import { fromUnknown, KubedeltaError } from './errors.ts'
import { silentLogger, type Logger } from './log.ts'

export interface RetryOptions {
  /** Names what is attempted, for errors and log lines: "describe topic x". */
  readonly action: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** After this time the last failure is thrown, even while an attempt is under way. */
  readonly timeoutMs: number
  /**
   * Told what is waited for and why, once something has failed and a second has passed, then every 10 s; also every 10 s of an attempt
   * that gets no answer. Told when that is over, too.
   * @default tells nobody
   */
  readonly log?: Logger
}

/**
 * Runs `attempt` until it succeeds, waiting between attempts as long as the failure asks for (`fields.retryAfterMs`) at least.
 * @throws its first failure that is not retriable; the last retriable one when the time is up; the signal's reason
 */
export async function retrying<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { action, clock, signal, timeoutMs } = options
  const deadline = new AbortController()
  const finished = new AbortController()
  const timer = endAfter(clock, timeoutMs, deadline, finished.signal)
  const both = AbortSignal.any([signal, deadline.signal])
  const backoff = connectionBackoff(clock)
  const wait = new Wait(options)
  const told = wait.tellRegularly(finished.signal)
  let last = new KubedeltaError('timeout', `Cannot ${action}: no answer within ${timeoutMs} ms`)
  try {
    for (;;) {
      both.throwIfAborted()
      try {
        const result = await abortable(attempt(), both)
        wait.isOver()
        return result
      } catch (error) {
        signal.throwIfAborted()
        if (deadline.signal.aborted) throw last
        const failure = fromUnknown(error, `Cannot ${action}`)
        if (!failure.retriable) throw failure
        last = failure
      }
      wait.failed(last)
      await clock.sleep(Math.max(backoff.delay(), askedDelay(last)), both)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw deadline.signal.aborted ? last : error
  } finally {
    finished.abort()
    await Promise.all([timer, told])
  }
}

function askedDelay({ fields: { retryAfterMs } }: KubedeltaError): number {
  return typeof retryAfterMs === 'number' ? retryAfterMs : 0
}

/** The delays between attempts at a broker: 100 ms doubling to 2 s, jittered by half. */
export function connectionBackoff(clock: Clock): Backoff {
  return new Backoff(clock, Math.random, { baseMs: 100, maxMs: 2_000, jitter: 0.5 })
}

/** What passes sooner is not worth a line. */
const TELL_AFTER_MS = 1_000
const TELL_EVERY_MS = 10_000

/** Tells of one action that is waited for. */
class Wait {
  readonly #options: RetryOptions
  readonly #log: Logger
  readonly #startMs: number
  #error: KubedeltaError | undefined
  #isTold = false

  constructor(options: RetryOptions) {
    this.#options = options
    this.#log = options.log ?? silentLogger
    this.#startMs = options.clock.now()
  }

  failed(error: KubedeltaError): void {
    this.#error = error
    if (!this.#isTold && this.#waitedMs >= TELL_AFTER_MS) this.#tell()
  }

  isOver(): void {
    if (this.#isTold) this.#log.info('it has answered', { action: this.#options.action, waitedMs: this.#waitedMs })
  }

  /** Resolves when the signal aborts. */
  async tellRegularly(finished: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    if (log === undefined) return
    try {
      await clock.sleep(TELL_AFTER_MS, finished)
      if (this.#error !== undefined) this.#tell()
      await clock.sleep(TELL_EVERY_MS - TELL_AFTER_MS, finished)
      for (;;) {
        this.#tell()
        await clock.sleep(TELL_EVERY_MS, finished)
      }
    } catch (error) {
      // There is nothing to wait for any more.
      if (!finished.aborted) throw error
    }
  }

  get #waitedMs(): number {
    return this.#options.clock.now() - this.#startMs
  }

  #tell(): void {
    this.#isTold = true
    this.#log.warn('waiting for an answer', {
      action: this.#options.action,
      ...(this.#error !== undefined && { error: this.#error }),
      waitedMs: this.#waitedMs,
      startupTimeoutMs: this.#options.timeoutMs,
    })
  }
}

async function endAfter(clock: Clock, ms: number, deadline: AbortController, finished: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, finished)
    deadline.abort()
  } catch {
    // The attempt ended first, which is what aborted the sleep.
  }
}
