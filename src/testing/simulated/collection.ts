// One collection of a simulated cluster: what is there, what was there, and the changes between.

import { membersAt, type JsonObject } from './json.ts'

/** One state of one object. */
export interface Entry {
  readonly key: string
  /** The number in its resourceVersion. */
  readonly version: number
  readonly object: JsonObject
}

/** One change; of the two states at least one is there. */
export interface Change {
  readonly version: number
  readonly before: Entry | undefined
  readonly after: Entry | undefined
  /** No watch ever hears of it. */
  readonly isForgotten: boolean
}

/** Objects by key, with a bounded history. */
export class Collection {
  readonly #limit: number
  #entries = new Map<string, Entry>()
  // Ascending versions, all over `#oldest`.
  #changes: Change[] = []
  #oldest: number
  /** The current state in the order of keys; undefined after a key came or went. */
  #ordered: readonly string[] | undefined

  constructor(version: number, limit: number) {
    this.#oldest = version
    this.#limit = limit
  }

  /** The oldest version whose state is known, and after which all changes are. */
  get oldest(): number {
    return this.#oldest
  }

  get size(): number {
    return this.#entries.size
  }

  /** The version of the last change here. */
  get lastVersion(): number {
    return this.#changes.at(-1)?.version ?? this.#oldest
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** In the order of keys. */
  entries(): readonly Entry[] {
    this.#ordered ??= [...this.#entries.keys()].toSorted()
    return this.#ordered.flatMap((key) => this.#entries.get(key) ?? [])
  }

  /** The state at a version from `oldest` on, in the order of keys. */
  entriesAt(version: number): readonly Entry[] {
    const later = this.#changes.slice(this.#after(version))
    if (later.length === 0) return this.entries()
    const past = new Map(this.#entries)
    for (const { before, after } of later.toReversed()) {
      if (before !== undefined) past.set(before.key, before)
      else if (after !== undefined) past.delete(after.key)
    }
    return [...past.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  /** At most `limit` changes after a version, oldest first. */
  changesAfter(version: number, limit: number): readonly Change[] {
    const first = this.#after(version)
    return this.#changes.slice(first, first + limit)
  }

  /** Forgets every state before this one: what asks for an older one is told that it has expired. */
  forgetHistory(version: number): void {
    this.#changes = this.#changes.slice(this.#after(version))
    this.#oldest = Math.max(this.#oldest, version)
  }

  write(
    key: string,
    version: number,
    make: ((resourceVersion: string) => JsonObject) | undefined,
    isForgotten: boolean,
  ): Change {
    const before = this.#entries.get(key)
    const after = make === undefined ? undefined : { key, version, object: make(String(version)) }
    if (after === undefined) this.#entries.delete(key)
    else this.#entries.set(key, after)
    if ((before === undefined) !== (after === undefined)) this.#ordered = undefined
    const change = { version, before, after, isForgotten }
    this.#changes.push(change)
    // Cut seldom, so that a change costs little.
    if (this.#changes.length > 2 * this.#limit) {
      this.forgetHistory(this.#changes[this.#changes.length - this.#limit - 1]?.version ?? version)
    }
    return change
  }

  /** Index of the first change after a version. */
  #after(version: number): number {
    let low = 0
    let high = this.#changes.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#changes[middle]?.version ?? 0) > version) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** The same object with another resourceVersion. */
export function withVersion(object: JsonObject, resourceVersion: string): JsonObject {
  return { ...object, metadata: { ...membersAt(object, 'metadata'), resourceVersion } }
}
