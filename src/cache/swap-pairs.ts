// Lays a content beside the one that takes its place: what vanished, what stands where.

import type { Content } from './content.ts'
import { ABSENT } from './key-table.ts'
import type { ObjectStorage } from './storage.ts'

/** Slots side by side: what stood under a key and what stands there now, ABSENT for nothing. */
export interface SlotPairs {
  readonly before: Int32Array
  readonly after: Int32Array
}

export interface SwapPairs {
  /** What vanished first, then what is there, in the order of the new content (client-go processReplacedAllInfo). */
  readonly pairs: SlotPairs
  /** Slots that the new content does not have. */
  readonly gone: readonly number[]
}

/**
 * The pairs of a swap: of all keys, or of those whose slot is another one, or none.
 *
 * Marks beside the slots say what both contents share, so that only what changed is looked up.
 */
export function pairsOfSwap<T>(
  before: Content<T>,
  after: Content<T>,
  { storage, wanted }: { readonly storage: ObjectStorage<T>; readonly wanted: 'none' | 'changed' | 'all' },
): SwapPairs {
  const [slotsBefore, slotsAfter] = [before.slots(), after.slots()]
  const marks = new Uint8Array(Math.max(highest(slotsBefore), highest(slotsAfter)) + 1)
  for (const slot of slotsBefore) marks[slot] = BEFORE
  for (const slot of slotsAfter) marks[slot] = (marks[slot] ?? 0) | AFTER
  const gone: number[] = []
  for (const slot of slotsBefore) if (marks[slot] === BEFORE) gone.push(slot)
  if (wanted === 'none') return { pairs: NO_PAIRS, gone }

  const pairs = new PairList(gone.length + slotsAfter.length)
  for (const slot of gone) if (after.slot(storage.key(slot)) === ABSENT) pairs.push(slot, ABSENT)
  for (const slot of slotsAfter) {
    if (marks[slot] === AFTER) pairs.push(before.size === 0 ? ABSENT : before.slot(storage.key(slot)), slot)
    else if (wanted === 'all') pairs.push(slot, slot)
  }
  return { pairs: pairs.done(), gone }
}

const BEFORE = 1
const AFTER = 2
const NO_PAIRS: SlotPairs = { before: new Int32Array(0), after: new Int32Array(0) }

function highest(slots: Int32Array): number {
  let result = ABSENT
  for (const slot of slots) if (slot > result) result = slot
  return result
}

class PairList {
  readonly #before: Int32Array
  readonly #after: Int32Array
  #count = 0

  constructor(atMost: number) {
    this.#before = new Int32Array(atMost)
    this.#after = new Int32Array(atMost)
  }

  push(before: number, after: number): void {
    this.#before[this.#count] = before
    this.#after[this.#count] = after
    this.#count += 1
  }

  done(): SlotPairs {
    return { before: this.#before.subarray(0, this.#count), after: this.#after.subarray(0, this.#count) }
  }
}
