// Runs things that live until a signal aborts, as one, while more of them come.

import { aborted } from '../base/abort.ts'

type Run = (signal: AbortSignal) => Promise<void>

/** What is added before `run` starts with it, what is added later at once. */
export class RunGroup {
  readonly #ownAbort = new AbortController()
  readonly #waiting: Run[] = []
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined
  #signal: AbortSignal | undefined

  /** Has no effect once the group has ended. */
  add(run: Run): void {
    if (this.#signal === undefined) this.#waiting.push(run)
    else this.#start(run, this.#signal)
  }

  /**
   * Runs all of them under one signal. When one fails the others are aborted and awaited; one that just ends leaves them be.
   * @throws the first failure, once everything has ended; an abort from outside is no failure
   */
  async run(signal: AbortSignal): Promise<void> {
    const both = AbortSignal.any([signal, this.#ownAbort.signal])
    this.#signal = both
    for (const run of this.#waiting.splice(0)) this.#start(run, both)
    await aborted(both)
    await Promise.all(this.#running)
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #start(run: Run, signal: AbortSignal): void {
    if (signal.aborted) return
    const running = this.#guarded(run, signal).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async #guarded(run: Run, signal: AbortSignal): Promise<void> {
    try {
      // In the next step: whoever added it goes on setting it up first.
      await Promise.resolve()
      await run(signal)
    } catch (error) {
      // What an aborted run throws is its way to end, not a second failure.
      if (signal.aborted) return
      this.#failure = { error }
      this.#ownAbort.abort(error)
    }
  }
}
