// A content on its way: built beside the one that is shown, sharing with it what did not change.

import type { Content, OnIndexError } from './content.ts'
import type { Entry } from './entry.ts'
import type { Indexers } from './index-function.ts'
import { ABSENT } from './key-table.ts'
import { ownText } from './own-text.ts'
import type { ObjectStorage } from './storage.ts'

/** Whether a state that is shown may stand for one that came. */
export type IsUnchanged<T> = (shown: Entry<T>, entry: Entry<T>) => boolean

export interface StageOptions<T> {
  readonly storage: ObjectStorage<T>
  /** Empty. */
  readonly content: Content<T>
  /** The slot that a key has in the content shown, or ABSENT. */
  readonly shownSlot: (key: string) => number
  readonly release: (slot: number) => void
  readonly isUnchanged: IsUnchanged<T>
}

/**
 * Writes go straight into the storage: showing the content copies nothing. A state that is shown already is not kept twice, and its slot
 * is released by whoever lets go of it last.
 */
export class Stage<T> {
  readonly #options: StageOptions<T>
  /** undefined once it was shown or dropped: what is put then goes nowhere. */
  #content: Content<T> | undefined

  constructor(options: StageOptions<T>) {
    this.#options = options
    this.#content = options.content
  }

  /** The slot that a key has here, or ABSENT. */
  slot(key: string): number {
    return this.#content?.slot(key) ?? ABSENT
  }

  entry(key: string): Entry<T> | undefined {
    const slot = this.slot(key)
    return slot === ABSENT ? undefined : this.#options.storage.entry(slot)
  }

  /** Inserts or replaces; a key stands where it was last put. */
  set(entry: Entry<T>): void {
    const { storage, shownSlot, isUnchanged } = this.#options
    if (this.#content === undefined) return
    const { key } = entry
    const shown = shownSlot(key)
    const before = this.#content.slot(key)
    const isShown = shown !== ABSENT && isUnchanged(storage.entry(shown), entry)
    const known = shown === ABSENT ? before : shown
    const slot = isShown ? shown : storage.put(entry, known === ABSENT ? ownText(key) : storage.key(known))
    this.#content.move(entry, slot)
    if (before !== ABSENT && before !== slot && before !== shown) this.#options.release(before)
  }

  delete(key: string): void {
    const before = this.#content?.delete(key) ?? ABSENT
    this.#letGo(before, key)
  }

  addIndexers(indexers: Indexers<T>, onError: OnIndexError): void {
    this.#content?.addTables(this.#content.index(indexers, onError))
  }

  /** Gives the content away. */
  take(): Content<T> | undefined {
    const content = this.#content
    this.#content = undefined
    return content
  }

  /** Releases what is not shown. */
  drop(): void {
    const { storage } = this.#options
    for (const slot of this.take()?.slots() ?? []) this.#letGo(slot, storage.key(slot))
  }

  #letGo(slot: number, key: string): void {
    if (slot !== ABSENT && this.#options.shownSlot(key) !== slot && this.slot(key) !== slot) this.#options.release(slot)
  }
}
