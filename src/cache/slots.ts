// Gives out small numbers, those given back first.

/** Numbers from 0 on: as few different ones as were ever out at once. */
export class Slots {
  readonly #free: number[] = []
  #next = 0

  get used(): number {
    return this.#next - this.#free.length
  }

  take(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    this.#next += 1
    return this.#next - 1
  }

  giveBack(slot: number): void {
    this.#free.push(slot)
  }
}
