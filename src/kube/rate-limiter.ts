// Holds requests to a steady rate with bursts, as client-go's token bucket does.

import type { Clock } from '../base/clock.ts'

/**
 * A token bucket: `burst` requests at once, `qps` a second in the long run.
 *
 * - Those who wait are served in the order they came.
 * - One who gives up gives the token back, so an abort costs nobody else time.
 */
export class RateLimiter {
  readonly #qps: number
  readonly #burst: number
  readonly #clock: Clock
  /** Below zero: so many requests are waiting for a token each. */
  #tokens: number
  #filledAt: number

  /** @throws RangeError when `qps` is not above 0 or `burst` is below 1 */
  constructor(options: { readonly qps: number; readonly burst: number; readonly clock: Clock }) {
    const { qps, burst, clock } = options
    if (!(qps > 0)) throw new RangeError(`Cannot limit requests: 'qps' must be above 0: current value is ${qps}`)
    if (!(burst >= 1)) throw new RangeError(`Cannot limit requests: 'burst' must be >= 1: current value is ${burst}`)
    this.#qps = qps
    this.#burst = burst
    this.#clock = clock
    this.#tokens = burst
    this.#filledAt = clock.now()
  }

  /**
   * Waits for a token.
   * @returns how long it took, in milliseconds
   * @throws the signal's reason when it aborts first
   */
  async take(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted()
    this.#fill()
    this.#tokens -= 1
    if (this.#tokens >= 0) return 0
    const waitMs = Math.ceil((-this.#tokens / this.#qps) * 1000)
    try {
      await this.#clock.sleep(waitMs, signal)
    } catch (error) {
      this.#tokens += 1
      throw error
    }
    return waitMs
  }

  #fill(): void {
    const now = this.#clock.now()
    // A clock set back fills nothing, and must not drain.
    const elapsedMs = Math.max(0, now - this.#filledAt)
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs / 1000) * this.#qps)
    this.#filledAt = now
  }
}
