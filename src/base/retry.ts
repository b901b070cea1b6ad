// Repeats an attempt while what failed may pass, within a time.

import { abortable } from './abort.ts'
import { Backoff } from './backoff.ts'
import type { Clock } from './clock.ts'
import { fromUnknown, KubedeltaError } from './errors.ts'

export interface RetryOptions {
  /** Names what is attempted, for the error: "describe topic x". */
  readonly action: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** After this time the last failure is thrown, even while an attempt is under way. */
  readonly timeoutMs: number
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
  let last = new KubedeltaError('timeout', `Cannot ${action}: no answer within ${timeoutMs} ms`)
  try {
    for (;;) {
      both.throwIfAborted()
      try {
        return await abortable(attempt(), both)
      } catch (error) {
        signal.throwIfAborted()
        if (deadline.signal.aborted) throw last
        const failure = fromUnknown(error, `Cannot ${action}`)
        if (!failure.retriable) throw failure
        last = failure
      }
      await clock.sleep(Math.max(backoff.delay(), askedDelay(last)), both)
    }
  } catch (error) {
    signal.throwIfAborted()
    throw deadline.signal.aborted ? last : error
  } finally {
    finished.abort()
    await timer
  }
}

function askedDelay({ fields: { retryAfterMs } }: KubedeltaError): number {
  return typeof retryAfterMs === 'number' ? retryAfterMs : 0
}

/** The delays between attempts at a broker: 100 ms doubling to 2 s, jittered by half. */
export function connectionBackoff(clock: Clock): Backoff {
  return new Backoff(clock, Math.random, { baseMs: 100, maxMs: 2_000, jitter: 0.5 })
}

async function endAfter(clock: Clock, ms: number, deadline: AbortController, finished: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, finished)
    deadline.abort()
  } catch {
    // The attempt ended first, which is what aborted the sleep.
  }
}
