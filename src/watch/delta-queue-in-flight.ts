// Remembers which keys a consumer has popped from a delta queue and not released yet.

import type { Delta } from './delta.ts'

/**
 * Keys in flight, each with its newest delta: what the consumer knows of such a key is older than that until it releases the key. A key
 * that is popped again before it is released is in flight twice.
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
