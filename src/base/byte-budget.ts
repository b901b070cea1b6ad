// Bounds the bytes that a process buffers; who asks for more waits, which holds back its socket.

/**
 * A shared bound in bytes.
 *
 * - `acquire` resolves in the order of the calls, once the bytes fit.
 * - Something larger than the whole bound is let through when it would be alone, so that nothing waits forever.
 */
export class ByteBudget {
  /** Bytes that may be held at once. */
  readonly limit: number
  // Invariant: a waiter is queued if and only if the first of the queue does not fit.
  readonly #waiting: Array<{ readonly bytes: number; readonly grant: () => void }> = []
  #used = 0

  constructor(limit: number) {
    if (!(limit > 0)) throw new RangeError(`Cannot create byte budget: 'limit' must be > 0: current value is ${limit}`)
    this.limit = limit
  }

  /** Bytes held now. */
  get used(): number {
    return this.#used
  }

  /** Takes the bytes if they fit now and nobody waits: the fast path without a promise. */
  tryAcquire(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return false
    this.#used += bytes
    return true
  }

  /**
   * Takes the bytes, waiting for room.
   * @throws the signal's reason when it aborts first; nothing is held then
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.tryAcquire(bytes)) return
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const waiter = { bytes, grant: () => (signal.removeEventListener('abort', onAbort), resolve()) }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        this.#grant()
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** Gives bytes back and lets waiters go on. */
  release(bytes: number): void {
    this.#used -= bytes
    if (this.#used < 0) throw new RangeError(`Cannot release bytes: more than was held: ${-this.#used} too many`)
    this.#grant()
  }

  #fits(bytes: number): boolean {
    return this.#used + bytes <= this.limit || this.#used === 0
  }

  #grant(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#fits(first.bytes); first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#used += first.bytes
      first.grant()
    }
  }
}
