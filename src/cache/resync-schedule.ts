// Decides which handlers are due for a resync, each in its own period.

import type { Logger } from '../base/log.ts'

/** One handler's place in the schedule. */
export interface ResyncTurn {
  /** What the handler asked for; 0 is never. */
  readonly requestedMs: number
  /** What it gets; 0 is never. */
  readonly periodMs: number
  /** Whether resyncs that come now are for this handler: true from the start until the first check says otherwise. */
  readonly isDue: boolean
}

/**
 * The resync periods of the handlers of one cache (client-go shared_informer.go).
 *
 * - A period under 1 s is raised to it; 0 is never.
 * - Before the cache runs, a shorter period than the check period lowers that; once it runs, the period is raised instead.
 * - Without a check period (0) nobody is ever resynced, and nobody stops being due.
 */
export class ResyncSchedule {
  readonly #turns = new Set<Turn>()
  readonly #log: Logger
  #checkMs: number

  constructor(checkMs: number, log: Logger) {
    this.#checkMs = checkMs
    this.#log = log
  }

  /** How often to look who is due; 0 is never. */
  get checkMs(): number {
    return this.#checkMs
  }

  add(
    requested: number,
    options: { readonly handler: string; readonly running: boolean; readonly now: number },
  ): ResyncTurn {
    const { handler, running, now } = options
    let requestedMs = requested
    if (requestedMs > 0 && requestedMs < MINIMUM_MS) {
      this.#log.warn('resync period raised to the minimum', { handler, resyncMs: requestedMs, minimumMs: MINIMUM_MS })
      requestedMs = MINIMUM_MS
    }
    if (requestedMs > 0 && requestedMs < this.#checkMs) {
      if (running) {
        this.#log.warn('resync period raised to that of the running cache', {
          handler,
          resyncMs: requestedMs,
          checkMs: this.#checkMs,
        })
        requestedMs = this.#checkMs
      } else {
        this.#checkMs = requestedMs
        for (const turn of this.#turns) turn.periodMs = this.#effective(turn.requestedMs)
      }
    }
    const periodMs = this.#effective(requestedMs)
    if (periodMs === 0 && requestedMs > 0) {
      this.#log.warn('handler gets no resync because its cache has none', { handler, resyncMs: requestedMs })
    }
    const turn: Turn = { requestedMs, periodMs, nextAt: now + periodMs, isDue: true }
    this.#turns.add(turn)
    return turn
  }

  remove(turn: ResyncTurn): void {
    for (const known of this.#turns) if (known === turn) this.#turns.delete(known)
  }

  /** Looks who is due and remembers it until the next check; whether anybody is. */
  check(now: number): boolean {
    let anybody = false
    for (const turn of this.#turns) {
      turn.isDue = turn.periodMs > 0 && now >= turn.nextAt
      if (!turn.isDue) continue
      turn.nextAt = now + turn.periodMs
      anybody = true
    }
    return anybody
  }

  #effective(requestedMs: number): number {
    if (requestedMs === 0 || this.#checkMs === 0) return 0
    return Math.max(requestedMs, this.#checkMs)
  }
}

interface Turn extends ResyncTurn {
  periodMs: number
  nextAt: number
  isDue: boolean
}

/** client-go's minimumResyncPeriod. */
const MINIMUM_MS = 1_000
