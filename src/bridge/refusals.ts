// Decides when the apiserver's answers make a resource degraded, and when they end the run.

import { hasCode, type KubedeltaError } from '../base/errors.ts'

export interface RefusalsOptions {
  /** Whether the resource was asked for by name: then it may not be refused before it has been listed and watched. */
  readonly named: boolean
  readonly isComplete: () => boolean
}

/** So many answers 5xx in a row are more than a restart: an aggregated apiserver, say, that is down. */
const MAX_SERVER_FAILURES = 3

/** What the feeds of one resource are refused, by their place among them. */
export class Refusals {
  readonly #options: RefusalsOptions
  readonly #reasons = new Map<number, string>()
  readonly #serverFailures = new Map<number, number>()
  readonly #watched = new Set<number>()

  constructor(options: RefusalsOptions) {
    this.#options = options
  }

  /** Why one of the feeds cannot go on; undefined where all can. */
  get reason(): string | undefined {
    return this.#reasons.values().next().value
  }

  /**
   * A list or watch has failed.
   * @returns whether the feed is degraded since now
   * @throws the error itself where the run is to end
   */
  failed(feed: number, error: KubedeltaError): boolean {
    if (error.code === 'server') {
      const failures = (this.#serverFailures.get(feed) ?? 0) + 1
      this.#serverFailures.set(feed, failures)
      if (failures < MAX_SERVER_FAILURES) return false
    } else {
      if (!hasCode(error, 'forbidden', 'unauthorized', 'not-found')) return false
      if (this.#options.named && !(this.#options.isComplete() && this.#watched.has(feed))) throw error
    }
    const isNews = !this.#reasons.has(feed)
    this.#reasons.set(feed, error.message)
    return isNews
  }

  /**
   * A watch has brought something. A list alone mends no refusal: who may list and not watch would be refused again and again.
   * @returns whether the feed was degraded until now
   */
  heard(feed: number): boolean {
    this.#watched.add(feed)
    this.#serverFailures.delete(feed)
    return this.#reasons.delete(feed)
  }
}
