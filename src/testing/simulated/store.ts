// Keeps every object of a simulated cluster under one counter of changes, as etcd does.

import type { JsonObject } from './json.ts'
import { Collection, type Change } from './collection.ts'

/** What a store is asked to put or to take away; the resourceVersion is given by the store. */
export interface Write {
  /** `pods`, `deployments.apps`: all versions of a kind share one collection. */
  readonly collection: string
  /** `namespace/name`, or `name`. */
  readonly key: string
  /** The object without its resourceVersion; undefined deletes. */
  readonly make: ((resourceVersion: string) => JsonObject) | undefined
  /** Whether no watch ever hears of it, as when a cache has lost an event. @default false */
  readonly isForgotten?: boolean
}

export interface StoreOptions {
  /** The counter before the first change. */
  readonly resourceVersion: number
  /** Changes that each collection remembers at most; a watch from before them has expired. */
  readonly historyLimit: number
}

/**
 * Objects and what happened to them.
 *
 * - One counter for all collections: each change takes the next number, a delete too.
 * - Objects are plain JSON and never changed in place.
 */
export class Store {
  readonly #options: StoreOptions
  readonly #collections = new Map<string, Collection>()
  readonly #listeners = new Set<() => void>()
  #version: number
  /** What a collection without changes remembers back to. */
  #floor: number

  constructor(options: StoreOptions) {
    this.#options = options
    this.#version = options.resourceVersion
    this.#floor = options.resourceVersion
  }

  /** The number of the last change. */
  get version(): number {
    return this.#version
  }

  /** A collection that has never been written to is empty. */
  collection(id: string): Collection {
    let found = this.#collections.get(id)
    if (found === undefined) {
      found = new Collection(this.#floor, this.#options.historyLimit)
      this.#collections.set(id, found)
    }
    return found
  }

  /** Makes the change and tells the listeners. */
  write({ collection, key, make, isForgotten = false }: Write): Change {
    this.#version += 1
    const change = this.collection(collection).write(key, this.#version, make, isForgotten)
    for (const listener of this.#listeners) listener()
    return change
  }

  /** Forgets what happened before now: who asks for an older state or watches from there is told that it has expired. */
  forgetHistory(): void {
    this.#floor = this.#version
    for (const collection of this.#collections.values()) collection.forgetHistory(this.#version)
  }

  /** Calls back after each change. @returns the function that ends it */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
