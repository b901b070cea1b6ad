// Growing, jittered delays between attempts, forgotten after a quiet time.

import type { Clock } from './clock.ts'

export interface BackoffOptions {
  /** First delay, before jitter; each is twice the one before. @default 800 */
  readonly baseMs?: number
  /** Largest delay, before jitter. @default 30_000 */
  readonly maxMs?: number
  /** A delay d becomes a uniform value of [d, d * (1 + jitter)). @default 1 */
  readonly jitter?: number
}

/** The growth starts anew when no delay was asked for during this time. */
const RESET_MS = 120_000

/**
 * The delays of client-go's reflector: 0.8 s doubling to 30 s, jittered to twice that.
 *
 * The reset rule is the one before client-go 0.36: "if no delay was asked for in 2 minutes". The later rule resets
 * 2 minutes after the last reset whatever happened, so that a long outage is hammered again and again.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>
  readonly #clock: Clock
  readonly #random: () => number
  #next: number
  #askedAt = -Infinity

  constructor(clock: Clock, random: () => number = Math.random, options: BackoffOptions = {}) {
    this.#options = { baseMs: 800, maxMs: 30_000, jitter: 1, ...options }
    this.#clock = clock
    this.#random = random
    this.#next = this.#options.baseMs
  }

  /** The milliseconds to wait before the next attempt. */
  delay(): number {
    const { baseMs, maxMs, jitter } = this.#options
    const now = this.#clock.now()
    if (now - this.#askedAt >= RESET_MS) this.#next = baseMs
    this.#askedAt = now
    const base = Math.min(this.#next, maxMs)
    this.#next = Math.min(base * 2, maxMs)
    return base * (1 + jitter * this.#random())
  }

  /** Starts the growth anew, after a success. */
  reset(): void {
    this.#next = this.#options.baseMs
  }
}
