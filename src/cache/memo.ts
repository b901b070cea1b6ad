// Remembers the objects that were looked at lately, within a bound.

export interface MemoOptions {
  /** Bytes of the texts that the remembered objects were parsed from. */
  readonly maxBytes: number
  readonly maxObjects: number
}

/**
 * Objects by slot, the most recently used of them.
 *
 * Two generations stand in for an order of use: what is used moves to the young one; when that holds half of a bound, the old one is
 * forgotten and the young one is old. So what was used within the last half of the bound is never forgotten.
 */
export class Memo<T> {
  readonly #options: MemoOptions
  #young = new Map<number, Remembered<T>>()
  #old = new Map<number, Remembered<T>>()
  #youngBytes = 0

  constructor(options: MemoOptions) {
    this.#options = options
  }

  get(slot: number): Remembered<T> | undefined {
    const young = this.#young.get(slot)
    if (young !== undefined) return young
    const old = this.#old.get(slot)
    if (old !== undefined) {
      this.#old.delete(slot)
      this.#add(slot, old)
    }
    return old
  }

  set(slot: number, object: T, bytes: number): void {
    this.forget(slot)
    this.#add(slot, { object, bytes })
  }

  forget(slot: number): void {
    const young = this.#young.get(slot)
    if (young === undefined) {
      this.#old.delete(slot)
      return
    }
    this.#young.delete(slot)
    this.#youngBytes -= young.bytes
  }

  #add(slot: number, remembered: Remembered<T>): void {
    const { maxBytes, maxObjects } = this.#options
    // One that is over the bound alone would only drive the others out.
    if (remembered.bytes * 2 > maxBytes || maxObjects < 2) return
    if ((this.#youngBytes + remembered.bytes) * 2 > maxBytes || (this.#young.size + 1) * 2 > maxObjects) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(slot, remembered)
    this.#youngBytes += remembered.bytes
  }
}

export interface Remembered<T> {
  readonly object: T
  readonly bytes: number
}
