// Lets any number of waits end together, when something has changed.

/** Waits that all end at the next `wake`; whoever was woken looks whether what it waited for is so, and waits again if not. */
export class WaitList {
  #wakes: Array<() => void> = []

  get waiting(): boolean {
    return this.#wakes.length > 0
  }

  /** @throws the signal's reason when it aborts first; no listener is left behind */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    let wake = (): void => {}
    let onAbort = (): void => {}
    try {
      await new Promise<void>((resolve, reject) => {
        wake = resolve
        onAbort = () => reject(signal.reason)
        this.#wakes.push(wake)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
      const index = this.#wakes.indexOf(wake)
      if (index >= 0) this.#wakes.splice(index, 1)
    }
  }

  /** Wakes all, in the order in which they came. */
  wake(): void {
    if (this.#wakes.length === 0) return
    const wakes = this.#wakes
    this.#wakes = []
    for (const wake of wakes) wake()
  }
}
