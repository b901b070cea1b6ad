// Bounds the bytes that a process buffers: whoever asks for more than is free waits, and so holds back its socket.

/** Bytes that one holder takes and gives back. */
export interface Bytes {
  /** Takes the bytes if they fit now and nobody waits for them: the fast path without a promise. */
  tryAcquire(bytes: number): boolean
  /**
   * Takes the bytes, waiting for room.
   * @throws the signal's reason when it aborts first; nothing is held then
   */
  acquire(bytes: number, signal: AbortSignal): Promise<void>
  /** Gives bytes back and lets waiters go on. */
  release(bytes: number): void
}

/** A part of a budget that others cannot use up. Disposing leaves its guarantee to the others, once nothing is held. */
export interface ByteShare extends Bytes, Disposable {
  /** Bytes held now. */
  readonly used: number
}

/**
 * A shared bound in bytes.
 *
 * - `acquire` resolves in the order of the calls, once the bytes fit.
 * - Of the bound, half is divided evenly among the shares, as each one's guarantee: however much the others hold, it is granted.
 *   The other half, and all of it where there are no shares, is common and goes to whoever asks first.
 * - Something larger than what a holder may ever have is let through when it holds nothing and nobody holds common bytes, so
 *   that nothing waits forever.
 */
export class ByteBudget implements Bytes {
  /** Bytes that may be held at once. */
  readonly limit: number
  // In the order of the calls. A waiter is overtaken only by those who need nothing of what it waits for: their own guarantee is enough.
  #waiting: Waiter[] = []
  readonly #shares = new Set<Holder>()
  // What is taken without a share: nothing of it is guaranteed.
  readonly #own: Holder = { used: 0, isLeaving: false }

  constructor(limit: number) {
    if (!(limit > 0)) throw new RangeError(`Cannot create byte budget: 'limit' must be > 0: current value is ${limit}`)
    this.limit = limit
  }

  /** Bytes held now, in all. */
  get used(): number {
    return this.#sum((holder) => holder.used)
  }

  tryAcquire(bytes: number): boolean {
    return this.#tryAcquire(this.#own, bytes)
  }

  async acquire(bytes: number, signal: AbortSignal): Promise<void> {
    await this.#acquire(this.#own, bytes, signal)
  }

  release(bytes: number): void {
    this.#release(this.#own, bytes)
  }

  /** Adds a share; the guarantee of all the others becomes smaller. */
  share(): ByteShare {
    const holder: Holder = { used: 0, isLeaving: false }
    this.#shares.add(holder)
    return {
      get used() {
        return holder.used
      },
      tryAcquire: (bytes) => this.#tryAcquire(holder, bytes),
      acquire: (bytes, signal) => this.#acquire(holder, bytes, signal),
      release: (bytes) => this.#release(holder, bytes),
      [Symbol.dispose]: () => {
        holder.isLeaving = true
        this.#release(holder, 0)
      },
    }
  }

  #tryAcquire(holder: Holder, bytes: number): boolean {
    const needsCommon = this.#needsCommon(holder, bytes)
    // Behind its own waiters always, and behind everybody's where it would take common bytes.
    const isBehind = this.#waiting.some((waiter) => waiter.holder === holder || needsCommon)
    if (isBehind || !this.#fits(holder, bytes)) return false
    holder.used += bytes
    return true
  }

  async #acquire(holder: Holder, bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#tryAcquire(holder, bytes)) return
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const grant = (): void => (signal.removeEventListener('abort', onAbort), resolve())
      const waiter = { holder, bytes, grant }
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        this.#grant()
        reject(signal.reason)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  #release(holder: Holder, bytes: number): void {
    if (bytes > holder.used) {
      throw new RangeError(`Cannot release bytes: more than was held: ${bytes - holder.used} too many`)
    }
    holder.used -= bytes
    if (holder.isLeaving && holder.used === 0) this.#shares.delete(holder)
    this.#grant()
  }

  #grant(): void {
    if (this.#waiting.length === 0) return
    const passed = new Set<Holder>()
    let isCommonWanted = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const waiter of waiting) {
      const { holder, bytes } = waiter
      const needsCommon = this.#needsCommon(holder, bytes)
      if (passed.has(holder) || (needsCommon && isCommonWanted) || !this.#fits(holder, bytes)) {
        this.#waiting.push(waiter)
        passed.add(holder)
        isCommonWanted ||= needsCommon
      } else {
        holder.used += bytes
        waiter.grant()
      }
    }
  }

  #fits(holder: Holder, bytes: number): boolean {
    const othersCommon = this.#sum((other) => (other === holder ? 0 : this.#beyond(other, 0)))
    if (holder.used === 0 && othersCommon === 0) return true
    // A new share makes the guarantees of the others smaller: what they were granted before may then be more than what is common.
    if (this.used + bytes > this.limit) return false
    const common = this.limit - this.#shares.size * this.#guarantee
    return !this.#needsCommon(holder, bytes) || othersCommon + this.#beyond(holder, bytes) <= common
  }

  #needsCommon(holder: Holder, bytes: number): boolean {
    return this.#beyond(holder, bytes) > 0
  }

  /** How many common bytes the holder would have with `more` bytes: those that its guarantee does not cover. */
  #beyond(holder: Holder, more: number): number {
    return Math.max(0, holder.used + more - (holder === this.#own ? 0 : this.#guarantee))
  }

  get #guarantee(): number {
    return this.#shares.size === 0 ? 0 : Math.floor(this.limit / 2 / this.#shares.size)
  }

  #sum(of: (holder: Holder) => number): number {
    let sum = of(this.#own)
    for (const holder of this.#shares) sum += of(holder)
    return sum
  }
}

interface Holder {
  used: number
  /** Its share was disposed of: it is removed as soon as it holds nothing. */
  isLeaving: boolean
}

interface Waiter {
  readonly holder: Holder
  readonly bytes: number
  readonly grant: () => void
}
