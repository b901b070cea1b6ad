// The keys that a consumer has taken from a delta queue and not said to have processed.

import type { Delta } from './delta.ts'

/**
 * What the consumer is about to know: until it releases a key, what it knows of that key is older than what it was given.
 */
export class InFlight<T> {
  readonly #keys = new Map<string, { count: number; newest: Delta<T> | undefined }>()

  has(key: string): boolean {
    return this.#keys.has(key)
  }

  /** The newest delta of a key in flight. */
  newest(key: string): Delta<T> | undefined {
    return this.#keys.get(key)?.newest
  }

  keys(): Iterable<string> {
    return this.#keys.keys()
  }

  depart(key: string, newest: Delta<T> | undefined): void {
    this.#keys.set(key, { count: (this.#keys.get(key)?.count ?? 0) + 1, newest })
  }

  arrive(key: string): void {
    const flight = this.#keys.get(key)
    if (flight !== undefined && --flight.count === 0) this.#keys.delete(key)
  }
}
