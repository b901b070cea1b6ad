// Lets callers wait until something holds, and tells them when it never will.

import { abortable } from '../base/abort.ts'

interface Waiter {
  readonly holds: () => boolean
  readonly done: PromiseWithResolvers<void>
}

/** Those who wait for something that changes step by step; whoever changes it calls `check`. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()
  #end: { readonly error: unknown } | undefined

  /**
   * Resolves once `holds`.
   * @throws the signal's reason when it aborts first; the error that `end` was called with
   */
  async until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (holds()) return
    if (this.#end !== undefined) throw this.#end.error
    const waiter: Waiter = { holds, done: Promise.withResolvers() }
    this.#waiting.add(waiter)
    try {
      await abortable(waiter.done.promise, signal)
    } finally {
      this.#waiting.delete(waiter)
    }
  }

  check(): void {
    for (const { holds, done } of this.#waiting) if (holds()) done.resolve()
  }

  /** Nothing changes any more: who still waits, or asks later for what does not hold, gets the error. */
  end(error: unknown): void {
    this.#end = { error }
    for (const { done } of this.#waiting) done.reject(error)
  }
}
