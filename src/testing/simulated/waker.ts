// Lets one loop sleep until something happens that it was told of, without losing what happened before it slept.

/** One sleeper; any number may wake it. */
export class Waker {
  #isAwake = false
  #resolve: (() => void) | undefined

  wake(): void {
    this.#isAwake = true
    this.#resolve?.()
  }

  /** Resolves when it was woken since the last wait. */
  async wait(): Promise<void> {
    if (!this.#isAwake) await new Promise<void>((resolve) => (this.#resolve = resolve))
    this.#resolve = undefined
    this.#isAwake = false
  }
}
