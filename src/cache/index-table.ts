// One index: which keys stand under a value, and which values a key stands under.

import type { Entry } from './entry.ts'
import { namespaceIndex, type IndexFunction } from './index-function.ts'

/**
 * One index of a store.
 *
 * What a key stands under is remembered, so that taking it out never asks the index function again: neither a function that
 * changed its mind nor one that throws can leave a stale key behind.
 */
export class IndexTable<T> {
  readonly #indexFunction: IndexFunction<T>
  // Invariant: a value is here if and only if at least one key stands under it (kubernetes/kubernetes#84959).
  readonly #keys = new Map<string, Set<string>>()
  // Invariant: a key is here with a value if and only if it is in #keys under that value.
  readonly #values = new Map<string, readonly string[]>()

  constructor(indexFunction: IndexFunction<T>) {
    this.#indexFunction = indexFunction
  }

  /**
   * The values an object would stand under.
   * @throws what the index function throws; TypeError when it returns anything but texts
   */
  valuesOf(object: T): readonly string[] {
    return distinctTexts(this.#indexFunction(object))
  }

  /** Puts the entry under its values and nowhere else. @throws as `valuesOf`; the key is out of the index then */
  set(entry: Entry<T>): void {
    let values: readonly string[] = []
    try {
      // The namespace is known without parsing the object.
      values = this.#indexFunction === namespaceIndex ? [entry.namespace] : this.valuesOf(entry.object)
    } finally {
      this.#put(entry.key, values)
    }
  }

  delete(key: string): void {
    this.#put(key, [])
  }

  clear(): void {
    this.#keys.clear()
    this.#values.clear()
  }

  keys(value: string): ReadonlySet<string> {
    return this.#keys.get(value) ?? NO_KEYS
  }

  values(): string[] {
    return [...this.#keys.keys()]
  }

  #put(key: string, values: readonly string[]): void {
    const before = this.#values.get(key) ?? []
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
    if (values.length === 0) this.#values.delete(key)
    else this.#values.set(key, values)
  }
}

const NO_KEYS: ReadonlySet<string> = new Set()

/** An index function is the user's, possibly in JavaScript: what it returns is checked before it is kept. */
function distinctTexts(values: readonly unknown[]): readonly string[] {
  const texts = new Set<string>()
  for (const value of values) {
    if (typeof value !== 'string') {
      throw new TypeError(`Cannot index object: wanted texts from the index function: current value is ${typeof value}`)
    }
    texts.add(value)
  }
  return [...texts]
}
