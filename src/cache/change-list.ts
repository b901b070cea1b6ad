// The changes that a swap, a replay or a resync amounts to, kept as pairs of slots until a handler's turn comes.

import { changesOf, isNoChange, type Change, type ChangeRules } from './change.ts'
import { ABSENT } from './key-table.ts'
import type { ObjectStorage } from './storage.ts'
import type { SlotPairs } from './swap-pairs.ts'

export interface ChangeListOptions<T> {
  readonly storage: ObjectStorage<T>
  readonly pairs: SlotPairs
  /** `resync`: each pair is shown again, to the handlers that are due. */
  readonly rules: ChangeRules | 'resync'
  /** Whether adds are initial ones. */
  readonly initial: boolean
  /** Called once nobody needs the slots any more. */
  readonly onClosed: () => void
}

/**
 * Changes that several handlers take at their own pace.
 *
 * Whoever makes one keeps its slots from being released until `onClosed`: a million changes cost 8 bytes each rather than a view of two
 * states each.
 */
export class ChangeList<T> {
  readonly #options: ChangeListOptions<T>
  /** The maker and the cursors that are open. */
  #users = 1

  constructor(options: ChangeListOptions<T>) {
    this.#options = options
  }

  /** Upper bound: a pair may turn out to be no change, or two. */
  get size(): number {
    return this.#options.pairs.after.length
  }

  /** How many initial adds it holds. */
  get initialAdds(): number {
    const { pairs, initial } = this.#options
    let count = 0
    if (initial) for (const slot of pairs.before) if (slot === ABSENT) count += 1
    return count
  }

  /** Reads it once through, leaving out what is not wanted. */
  cursor(isWanted: (change: Change<T>) => boolean): ChangeCursor<T> {
    this.#users += 1
    return new ChangeCursor(this, isWanted, () => this.close())
  }

  /** The maker needs it no more. */
  close(): void {
    this.#users -= 1
    if (this.#users === 0) this.#options.onClosed()
  }

  /** The changes of one pair, in their order. */
  at(index: number): readonly Change<T>[] {
    const { storage, pairs, rules, initial } = this.#options
    const [before, after] = [pairs.before[index] ?? ABSENT, pairs.after[index] ?? ABSENT]
    if (after === ABSENT) return [{ kind: 'delete', before: storage.entry(before), finalStateUnknown: true }]
    const entry = storage.entry(after)
    if (rules === 'resync') return [{ kind: 'update', before: entry, after: entry, route: 'due' }]
    const held = before === after ? entry : before === ABSENT ? undefined : storage.entry(before)
    // Written twice, here and there.
    if (held?.bytes !== undefined && isNoChange(held, entry, rules)) return []
    return changesOf(held, entry, { rules, initial })
  }
}

/** One handler's way through a list. */
export class ChangeCursor<T> {
  readonly kind = 'cursor'
  readonly #list: ChangeList<T>
  readonly #isWanted: (change: Change<T>) => boolean
  #close: (() => void) | undefined
  #index = 0
  /** The second change of the pair before `#index`. */
  #waiting: Change<T> | undefined

  constructor(list: ChangeList<T>, isWanted: (change: Change<T>) => boolean, close: () => void) {
    this.#list = list
    this.#isWanted = isWanted
    this.#close = close
  }

  /** Pairs still to come. */
  get left(): number {
    return this.#close === undefined ? 0 : this.#list.size - this.#index
  }

  /** The next change; `none` for a pair that has none for this handler; undefined at the end, where it is closed. */
  next(): Change<T> | 'none' | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) return waiting
    if (this.left === 0) {
      this.close()
      return undefined
    }
    const [first, second] = this.#list.at(this.#index).filter(this.#isWanted)
    this.#index += 1
    this.#waiting = second
    return first ?? 'none'
  }

  close(): void {
    const close = this.#close
    this.#close = undefined
    this.#waiting = undefined
    close?.()
  }
}
