// Keeps states of objects by key with their indexes and the last resourceVersion seen: what indexers and caches stand on.

import { KubedeltaError } from '../base/errors.ts'
import { once } from '../base/once.ts'
import { Content, type OnIndexError } from './content.ts'
import type { Entry } from './entry.ts'
import type { Indexers } from './index-function.ts'
import type { IndexTable } from './index-table.ts'
import { ABSENT } from './key-table.ts'
import { objectStorage } from './object-storage.ts'
import { ownText } from './own-text.ts'
import { Stage, type IsUnchanged } from './stage.ts'
import type { ObjectStorage, StorageUsage } from './storage.ts'
import { pairsOfSwap, type SlotPairs, type SwapPairs } from './swap-pairs.ts'

/** What a write did. */
export interface Written<T> {
  /** What stood there. */
  readonly before: Entry<T> | undefined
  readonly after: Entry<T>
}

/**
 * States by key (client-go ThreadSafeStore).
 *
 * - Every method is one synchronous step: no reader sees a half of it.
 * - A failing index function never fails a write.
 * - `resourceVersion` is the last one seen, not the highest.
 */
export class Store<T> {
  readonly #storage: ObjectStorage<T>
  readonly #onIndexError: OnIndexError
  #indexers: Indexers<T>
  #content: Content<T>
  /** The content that is being built; its slots may also be those of the content shown, under the same keys. */
  #stage: Stage<T> | undefined
  #resourceVersion = ''
  /** How many readers need the slots to stay as they are. */
  #pins = 0
  /** Slots to be released when nobody needs them any more. */
  #held: number[] = []
  /** Slots that nobody needs any more, to be released some at a time. */
  #released: number[] = []

  constructor(indexers: Indexers<T>, onIndexError: OnIndexError, storage: ObjectStorage<T> = objectStorage()) {
    this.#indexers = indexers
    this.#onIndexError = onIndexError
    this.#storage = storage
    this.#content = this.#newContent()
  }

  get size(): number {
    return this.#content.size
  }

  get resourceVersion(): string {
    return this.#resourceVersion
  }

  get storage(): ObjectStorage<T> {
    return this.#storage
  }

  usage(): StorageUsage {
    return this.#storage.usage()
  }

  get(key: string): Entry<T> | undefined {
    const slot = this.#content.slot(key)
    return slot === ABSENT ? undefined : this.#storage.entry(slot)
  }

  /** All entries; to be read in one step. */
  *entries(): Generator<Entry<T>> {
    for (const slot of this.#content.slots()) yield this.#storage.entry(slot)
  }

  /** All entries as they are when the first is read, whatever is written before the last; to be read to the end, or left by `return`. */
  *entriesAsOfNow(): Generator<Entry<T>> {
    const slots = this.#content.slots()
    const unpin = this.pin()
    try {
      for (const slot of slots) yield this.#storage.entry(slot)
    } finally {
      unpin()
    }
  }

  *keys(): Generator<string> {
    for (const slot of this.#content.slots()) yield this.#storage.key(slot)
  }

  /** Inserts or replaces. */
  set(entry: Entry<T>): Written<T> {
    const held = this.#content.slot(entry.key)
    const before = held === ABSENT ? undefined : this.#storage.entry(held)
    const slot = this.#storage.put(entry, held === ABSENT ? ownText(entry.key) : this.#storage.key(held))
    const after = this.#storage.entry(slot)
    this.#content.set(after, slot)
    if (held !== ABSENT) this.#drop(held, entry.key)
    this.bookmark(entry.resourceVersion)
    return { before, after }
  }

  /** Removes a key; returns what stood there. The resourceVersion of the deletion, where known, counts as seen. */
  delete(key: string, resourceVersion?: string): Entry<T> | undefined {
    const held = this.#content.delete(key)
    this.bookmark(resourceVersion)
    if (held === ABSENT) return undefined
    const before = this.#storage.entry(held)
    this.#drop(held, key)
    return before
  }

  /** Begins a content that nobody sees; one that was begun before is dropped. */
  beginStage(isUnchanged: IsUnchanged<T>): Stage<T> {
    this.#stage?.drop()
    const stage = new Stage<T>({
      storage: this.#storage,
      content: this.#newContent(),
      shownSlot: (key) => this.#content.slot(key),
      release: (slot) => this.#release(slot),
      isUnchanged,
    })
    this.#stage = stage
    return stage
  }

  /** Shows the content of the stage that was begun last, all at once; `wanted` says which pairs of slots it is told for. */
  show(resourceVersion: string, wanted: 'none' | 'changed' | 'all'): SlotPairs {
    const stage = this.#stage
    this.#stage = undefined
    const before = this.#content
    this.#content = stage?.take() ?? this.#newContent()
    this.#resourceVersion = resourceVersion
    const { pairs, gone }: SwapPairs = pairsOfSwap(before, this.#content, { storage: this.#storage, wanted })
    for (const slot of gone) this.#release(slot)
    return pairs
  }

  /** All slots as they are now, for whoever pinned them. */
  slots(): Int32Array {
    return this.#content.slots()
  }

  /** Keeps all slots from being released until the function it returns is called. */
  pin(): () => void {
    this.#pins += 1
    return once(() => {
      this.#pins -= 1
      if (this.#pins > 0) return
      const isReleasing = this.#released.length > 0
      this.#released = isReleasing ? [...this.#released, ...this.#held] : this.#held
      this.#held = []
      if (!isReleasing) this.#releaseSome()
    })
  }

  /** Takes a resourceVersion as seen; undefined leaves the last one. */
  bookmark(resourceVersion: string | undefined): void {
    if (resourceVersion !== undefined) this.#resourceVersion = resourceVersion
  }

  /** @throws KubedeltaError `usage` when there is no such index */
  table(name: string): IndexTable<T> {
    const table = this.#content.tables.get(name)
    if (table === undefined) throw new KubedeltaError('usage', `Index with name ${name} does not exist`)
    return table
  }

  /** Name -> index. */
  get tables(): ReadonlyMap<string, IndexTable<T>> {
    return this.#content.tables
  }

  /** The entries under a value of an index. @throws as `table` */
  entriesBy(index: string, value: string): Entry<T>[] {
    return this.entriesOf(this.table(index).keys(value))
  }

  entriesOf(keys: Iterable<string>): Entry<T>[] {
    const entries: Entry<T>[] = []
    for (const key of keys) {
      const entry = this.get(key)
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }

  /** Values with at least one key; none where there is no such index, as in client-go. */
  indexValues(name: string): string[] {
    return this.#content.tables.get(name)?.values() ?? []
  }

  /**
   * Adds indexes over what is there and what comes.
   * @throws KubedeltaError `usage` when a name is taken, or an index function fails on an object; nothing is added then
   */
  addIndexers(indexers: Indexers<T>): void {
    const taken = Object.keys(indexers).filter((name) => this.#content.tables.has(name))
    if (taken.length > 0) throw new KubedeltaError('usage', `indexer conflict: ${printSet(taken)}`)
    const fail: OnIndexError = (_index, _key, error) => {
      throw error
    }
    this.#content.addTables(this.#content.index(indexers, fail))
    this.#stage?.addIndexers(indexers, this.#onIndexError)
    this.#indexers = { ...this.#indexers, ...indexers }
  }

  #newContent(): Content<T> {
    const content = new Content<T>(this.#storage, this.#onIndexError)
    content.addTables(content.index(this.#indexers, this.#onIndexError))
    return content
  }

  /** The content shown no longer has the slot under the key. */
  #drop(slot: number, key: string): void {
    if (this.#stage?.slot(key) !== slot) this.#release(slot)
  }

  /** A whole content at once would stop the process for as long as its objects are many. */
  #releaseSome(): void {
    for (const slot of this.#released.splice(-RELEASED_A_TURN)) this.#storage.release(slot)
    if (this.#released.length > 0) setImmediate(() => this.#releaseSome())
  }

  #release(slot: number): void {
    if (this.#pins > 0) this.#held.push(slot)
    else this.#storage.release(slot)
  }
}

const RELEASED_A_TURN = 10_000

/** As Go prints a set of names. */
function printSet(names: readonly string[]): string {
  return `map[${names
    .toSorted()
    .map((name) => `${name}:{}`)
    .join(' ')}]`
}
