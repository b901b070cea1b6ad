// An index by a function of the user's: which keys stand under a value, and which values a key stands under.

import type { Entry } from './entry.ts'
import type { IndexFunction } from './index-function.ts'
import type { IndexTable } from './index-table.ts'

/**
 * What a key stands under is remembered, so that taking it out never asks the index function again: neither a function that
 * changed its mind nor one that throws can leave a stale key behind.
 */
export class FunctionTable<T> implements IndexTable<T> {
  readonly #indexFunction: IndexFunction<T>
  readonly #keyOf: (slot: number) => string
  // Invariant: a value is here if and only if at least one key stands under it (kubernetes/kubernetes#84959).
  readonly #keys = new Map<string, Set<string>>()
  // Invariant: a key is here with a value if and only if it is in #keys under that value. One value stands for itself: most keys have one.
  readonly #values = new Map<string, string | readonly string[]>()

  constructor(indexFunction: IndexFunction<T>, keyOf: (slot: number) => string) {
    this.#indexFunction = indexFunction
    this.#keyOf = keyOf
  }

  valuesOf(object: T): readonly string[] {
    return distinctTexts(this.#indexFunction(object))
  }

  set(entry: Entry<T>, slot: number): void {
    let values: readonly string[] = []
    try {
      values = this.valuesOf(entry.object)
    } finally {
      // The text that the storage keeps anyhow, and not another one.
      this.#put(this.#keyOf(slot), values)
    }
  }

  delete(key: string): void {
    this.#put(key, [])
  }

  keys(value: string): Iterable<string> {
    return this.#keys.get(value) ?? []
  }

  values(): string[] {
    return [...this.#keys.keys()]
  }

  #put(key: string, values: readonly string[]): void {
    const before = listOf(this.#values.get(key))
    if (before.length === values.length && before.every((value, index) => value === values[index])) return
    for (const value of before) {
      const keys = this.#keys.get(value)
      keys?.delete(key)
      if (keys?.size === 0) this.#keys.delete(value)
    }
    for (const value of values) {
      const keys = this.#keys.get(value)
      if (keys === undefined) this.#keys.set(value, new Set([key]))
      else keys.add(key)
    }
    const [value] = values
    if (value === undefined) this.#values.delete(key)
    else this.#values.set(key, values.length === 1 ? value : values)
  }
}

function listOf(values: string | readonly string[] | undefined): readonly string[] {
  if (values === undefined) return []
  return typeof values === 'string' ? [values] : values
}

/** An index function is the user's, possibly in JavaScript: what it returns is checked before it is kept. */
function distinctTexts(values: unknown): readonly string[] {
  // One text is a list of its letters to whoever iterates over it.
  if (!Array.isArray(values)) {
    throw new TypeError(
      `Cannot index object: wanted a list of texts from the index function: current value is ${typeof values}`,
    )
  }
  const texts = new Set<string>()
  for (const value of values) {
    if (typeof value !== 'string') {
      throw new TypeError(`Cannot index object: wanted texts from the index function: current value is ${typeof value}`)
    }
    texts.add(value)
  }
  return [...texts]
}
