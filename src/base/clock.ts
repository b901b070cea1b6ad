// Time as an argument: what waits or stamps takes a Clock, so that a test can advance it.

import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /**
   * Resolves after `ms` milliseconds.
   * @throws the signal's reason when it aborts first; the timer and the listener are gone then
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    await delay(Math.min(ms, MAX_TIMER_MS), undefined, { signal })
  },
}

/** A clock that nobody sets: milliseconds since the process began, for durations alone. */
export const steadyClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => systemClock.sleep(ms, signal),
}

/** Node fires a timer at once when its delay does not fit 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1
