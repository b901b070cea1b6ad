// Keeps runs going side by side while some end and others are added.

import { aborted } from './abort.ts'

/**
 * Runs by name. When one fails, the others are aborted and awaited.
 */
export class RunGroup {
  readonly #own = new AbortController()
  readonly #signal: AbortSignal
  /** A name is in it until its run has ended. */
  readonly #members = new Map<string, Member>()
  #failure: { readonly error: unknown } | undefined

  constructor(signal: AbortSignal) {
    this.#signal = AbortSignal.any([signal, this.#own.signal])
  }

  /** Starts a run under a name that is free; it begins before this returns. */
  start(name: string, run: (signal: AbortSignal) => Promise<void>): void {
    const stop = new AbortController()
    const both = AbortSignal.any([this.#signal, stop.signal])
    this.#members.set(name, { stop, ended: this.#follow(name, run, both) })
  }

  /** Aborts one run and waits for its end; does nothing where there is none. */
  async end(name: string): Promise<void> {
    const member = this.#members.get(name)
    member?.stop.abort()
    await member?.ended
  }

  /**
   * Resolves when the signal has aborted and all have ended.
   * @throws the first failure, once all have ended
   */
  async join(): Promise<void> {
    await aborted(this.#signal)
    while (this.#members.size > 0) await Promise.all([...this.#members.values()].map(({ ended }) => ended))
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #follow(name: string, run: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      await run(signal)
    } catch (error) {
      // What an aborted run throws is its way to end, not a failure.
      if (!signal.aborted) {
        this.#failure ??= { error }
        this.#own.abort(error)
      }
    } finally {
      this.#members.delete(name)
    }
  }
}

interface Member {
  readonly stop: AbortController
  /** Never rejects. */
  readonly ended: Promise<void>
}
