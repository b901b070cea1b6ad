// Lets a fixed number of things happen at once; the others wait in the order in which they came.

import { once } from './once.ts'

/** A counting semaphore. */
export class Permits {
  readonly #waiting: Array<() => void> = []
  #free: number

  /** @throws RangeError when `count` is not at least 1 */
  constructor(count: number) {
    if (!(count >= 1)) throw new RangeError(`Cannot create permits: 'count' must be >= 1: current value is ${count}`)
    this.#free = count
  }

  /**
   * Takes one, waiting for it.
   * @returns gives it back; a second call does nothing
   * @throws the signal's reason when it aborts first
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#wait(signal)
    return once(() => this.#giveBack())
  }

  async #wait(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const grant = (): void => (signal.removeEventListener('abort', onAbort), resolve())
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(grant), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(grant)
    })
  }

  // A permit given back goes to the first who waits, without becoming free in between.
  #giveBack(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
