// One content of a cache: which slot each key has, and the indexes over them.

import { KubedeltaError, messageOf } from '../base/errors.ts'
import type { Entry } from './entry.ts'
import { FunctionTable } from './function-table.ts'
import { namespaceIndex, type Indexers } from './index-function.ts'
import type { IndexTable } from './index-table.ts'
import { ABSENT, KeyTable } from './key-table.ts'
import { NamespaceTable } from './namespace-table.ts'
import type { ObjectStorage } from './storage.ts'

/** Told that an index function failed on an object that stays in the store, out of that index. */
export type OnIndexError = (index: string, key: string, error: KubedeltaError) => void

/** Keys with their slots and indexes; whose states they are, and who releases them, is the store's to say. */
export class Content<T> {
  readonly #storage: ObjectStorage<T>
  readonly #onIndexError: OnIndexError
  readonly #keys: KeyTable
  readonly #tables = new Map<string, IndexTable<T>>()
  readonly #keyOf: (slot: number) => string

  constructor(storage: ObjectStorage<T>, onIndexError: OnIndexError) {
    this.#storage = storage
    this.#onIndexError = onIndexError
    this.#keyOf = (slot) => storage.key(slot)
    this.#keys = new KeyTable(this.#keyOf)
  }

  get size(): number {
    return this.#keys.size
  }

  /** The slot of a key, or ABSENT. */
  slot(key: string): number {
    return this.#keys.get(key)
  }

  /** All slots in the order of their keys, as a copy. */
  slots(): Int32Array {
    return this.#keys.slots()
  }

  /** Inserts or replaces; returns the slot that the key had. @param entry what stands in the slot */
  set(entry: Entry<T>, slot: number): number {
    const before = this.#keys.set(entry.key, slot)
    this.#index(entry, slot, before)
    return before
  }

  /** As `set`, and the key stands behind all others from then on. */
  move(entry: Entry<T>, slot: number): void {
    const before = this.#keys.move(entry.key, slot)
    if (before !== slot) return this.#index(entry, slot, before)
    // In the lists of indexes it goes behind the others too.
    for (const table of this.#tables.values()) table.delete(entry.key, slot)
    this.#index(entry, slot, ABSENT)
  }

  /** Returns the slot that the key had. */
  delete(key: string): number {
    const before = this.#keys.delete(key)
    if (before !== ABSENT) for (const table of this.#tables.values()) table.delete(key, before)
    return before
  }

  /** Name -> index. */
  get tables(): ReadonlyMap<string, IndexTable<T>> {
    return this.#tables
  }

  /** Indexes of what is there. @throws what `onError` throws for an object on which a function fails */
  index(indexers: Indexers<T>, onError: OnIndexError): ReadonlyMap<string, IndexTable<T>> {
    const slots = this.#keys.slots()
    return new Map(
      Object.entries(indexers).map(([name, indexFunction]) => {
        // The namespace is known without parsing the object.
        const table =
          indexFunction === namespaceIndex
            ? new NamespaceTable<T>(this.#keyOf)
            : new FunctionTable<T>(indexFunction, this.#keyOf)
        for (const slot of slots) {
          const error = tryIndex(table, name, { entry: this.#storage.entry(slot), slot, before: ABSENT })
          if (error !== undefined) onError(name, this.#storage.key(slot), error)
        }
        return [name, table]
      }),
    )
  }

  addTables(tables: ReadonlyMap<string, IndexTable<T>>): void {
    for (const [name, table] of tables) this.#tables.set(name, table)
  }

  #index(entry: Entry<T>, slot: number, before: number): void {
    if (before === slot) return
    for (const [name, table] of this.#tables) {
      const error = tryIndex(table, name, { entry, slot, before })
      if (error !== undefined) this.#onIndexError(name, entry.key, error)
    }
  }
}

function tryIndex<T>(
  table: IndexTable<T>,
  name: string,
  { entry, slot, before }: { readonly entry: Entry<T>; readonly slot: number; readonly before: number },
): KubedeltaError | undefined {
  try {
    table.set(entry, slot, before)
    return undefined
  } catch (error) {
    const reason = messageOf(error)
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
