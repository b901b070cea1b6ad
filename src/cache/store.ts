// Keeps entries by key with their indexes and the last resourceVersion seen: what indexers and caches stand on.

import { KubedeltaError } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import type { Indexers } from './index-function.ts'
import { IndexTable } from './index-table.ts'

/** Told that an index function failed on an object that stays in the store, out of that index. */
export type OnIndexError = (index: string, key: string, error: KubedeltaError) => void

/**
 * Entries by key (client-go ThreadSafeStore).
 *
 * - Every method is one synchronous step: no reader sees a half of it.
 * - A failing index function never fails a write.
 * - `resourceVersion` is the last one seen, not the highest.
 */
export class Store<T> {
  readonly #onIndexError: OnIndexError
  readonly #tables = new Map<string, IndexTable<T>>()
  #entries = new Map<string, Entry<T>>()
  #resourceVersion = ''

  constructor(indexers: Indexers<T>, onIndexError: OnIndexError) {
    this.#onIndexError = onIndexError
    for (const [name, indexFunction] of Object.entries(indexers)) this.#tables.set(name, new IndexTable(indexFunction))
  }

  get size(): number {
    return this.#entries.size
  }

  get resourceVersion(): string {
    return this.#resourceVersion
  }

  get(key: string): Entry<T> | undefined {
    return this.#entries.get(key)
  }

  entries(): MapIterator<Entry<T>> {
    return this.#entries.values()
  }

  keys(): MapIterator<string> {
    return this.#entries.keys()
  }

  /** Inserts or replaces; returns what stood there. */
  set(entry: Entry<T>): Entry<T> | undefined {
    const before = this.#entries.get(entry.key)
    this.#entries.set(entry.key, entry)
    this.#index(entry)
    this.bookmark(entry.resourceVersion)
    return before
  }

  /** Removes a key; returns what stood there. The resourceVersion of the deletion, where known, counts as seen. */
  delete(key: string, resourceVersion?: string): Entry<T> | undefined {
    const before = this.#entries.get(key)
    this.#entries.delete(key)
    for (const table of this.#tables.values()) table.delete(key)
    this.bookmark(resourceVersion)
    return before
  }

  /** Swaps the whole content and takes over the map; returns what stood there. */
  replace(entries: Map<string, Entry<T>>, resourceVersion: string): ReadonlyMap<string, Entry<T>> {
    const before = this.#entries
    this.#entries = entries
    this.#resourceVersion = resourceVersion
    for (const table of this.#tables.values()) table.clear()
    for (const entry of entries.values()) this.#index(entry)
    return before
  }

  /** Takes a resourceVersion as seen; undefined leaves the last one. */
  bookmark(resourceVersion: string | undefined): void {
    if (resourceVersion !== undefined) this.#resourceVersion = resourceVersion
  }

  /** @throws KubedeltaError `usage` when there is no such index */
  table(name: string): IndexTable<T> {
    const table = this.#tables.get(name)
    if (table === undefined) throw new KubedeltaError('usage', `Index with name ${name} does not exist`)
    return table
  }

  /** The entries under a value of an index. @throws as `table` */
  entriesBy(index: string, value: string): Entry<T>[] {
    return this.entriesOf(this.table(index).keys(value))
  }

  entriesOf(keys: Iterable<string>): Entry<T>[] {
    const entries: Entry<T>[] = []
    for (const key of keys) {
      const entry = this.#entries.get(key)
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }

  /** Values with at least one key; none where there is no such index, as in client-go. */
  indexValues(name: string): string[] {
    return this.#tables.get(name)?.values() ?? []
  }

  /**
   * Adds indexes over what is there and what comes.
   * @throws KubedeltaError `usage` when a name is taken, or an index function fails on an object; nothing is added then
   */
  addIndexers(indexers: Indexers<T>): void {
    const taken = Object.keys(indexers).filter((name) => this.#tables.has(name))
    if (taken.length > 0) throw new KubedeltaError('usage', `indexer conflict: ${printSet(taken)}`)
    const tables = Object.entries(indexers).map(([name, indexFunction]) => {
      const table = new IndexTable(indexFunction)
      for (const entry of this.#entries.values()) {
        const error = tryIndex(table, name, entry)
        if (error !== undefined) throw error
      }
      return [name, table] as const
    })
    for (const [name, table] of tables) this.#tables.set(name, table)
  }

  #index(entry: Entry<T>): void {
    for (const [name, table] of this.#tables) {
      const error = tryIndex(table, name, entry)
      if (error !== undefined) this.#onIndexError(name, entry.key, error)
    }
  }
}

function tryIndex<T>(table: IndexTable<T>, name: string, entry: Entry<T>): KubedeltaError | undefined {
  try {
    table.set(entry)
    return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const key = JSON.stringify(entry.key)
    const index = JSON.stringify(name)
    return new KubedeltaError(
      'usage',
      `unable to calculate an index entry for key ${key} on index ${index}: ${reason}`,
      {
        cause: error,
        fields: { key: entry.key, index: name },
      },
    )
  }
}

/** As Go prints a set of names. */
function printSet(names: readonly string[]): string {
  return `map[${names
    .toSorted()
    .map((name) => `${name}:{}`)
    .join(' ')}]`
}
