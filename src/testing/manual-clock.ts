// Time that passes when the test says so.

import type { Clock } from '../base/clock.ts'

interface Sleeper {
  readonly wakeAtMs: number
  readonly wake: () => void
}

/**
 * A clock that stands still until it is advanced.
 *
 * @example
 * const clock = new ManualClock()
 * const done = clock.sleep(1_000, signal)
 * await clock.advance(1_000)
 * await done
 */
export class ManualClock implements Clock {
  #nowMs: number
  // In the order of waking; those of the same time in the order of falling asleep.
  #sleepers: Sleeper[] = []
  #watchers: Array<{ readonly count: number; readonly resolve: () => void }> = []

  /** @param startMs what `now()` says at first, in milliseconds since the Unix epoch */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  /** How many sleep now. */
  get sleepers(): number {
    return this.#sleepers.length
  }

  /** How long until the next one wakes; undefined when nobody sleeps. */
  get nextWakeMs(): number | undefined {
    const first = this.#sleepers[0]
    return first === undefined ? undefined : first.wakeAtMs - this.#nowMs
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        reject(signal.reason)
      }
      const wake = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      const sleeper: Sleeper = { wakeAtMs: this.#nowMs + Math.max(0, ms), wake }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#insert(sleeper)
    })
  }

  /** Lets time pass; wakes sleepers one after the other, each at its time, and lets what they started run before the next. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await settled()
    for (let first = this.#sleepers[0]; first !== undefined && first.wakeAtMs <= endMs; first = this.#sleepers[0]) {
      this.#sleepers.shift()
      this.#nowMs = Math.max(this.#nowMs, first.wakeAtMs)
      first.wake()
      await settled()
    }
    // What ran meanwhile may have let time jump.
    this.#nowMs = Math.max(this.#nowMs, endMs)
  }

  /** Lets time pass as for a process that was stopped: who should have woken meanwhile wakes with the next `advance`. */
  jump(ms: number): void {
    this.#nowMs += ms
  }

  /** Resolves once at least so many sleep at the same time. */
  async waitForSleepers(count: number): Promise<void> {
    if (this.#sleepers.length >= count) return
    await new Promise<void>((resolve) => this.#watchers.push({ count, resolve }))
  }

  #insert(sleeper: Sleeper): void {
    const index = this.#sleepers.findIndex((other) => other.wakeAtMs > sleeper.wakeAtMs)
    this.#sleepers.splice(index < 0 ? this.#sleepers.length : index, 0, sleeper)
    for (const watcher of this.#watchers) if (this.#sleepers.length >= watcher.count) watcher.resolve()
    this.#watchers = this.#watchers.filter(({ count }) => this.#sleepers.length < count)
  }
}

/** Resolves when everything that was ready to run has run. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
