// The index by namespace: lists threaded through arrays beside the slots, so that it costs the V8 heap nothing an object.

import type { Entry } from './entry.ts'
import { namespaceIndex } from './index-function.ts'
import type { IndexTable } from './index-table.ts'
import { ABSENT } from './key-table.ts'

export class NamespaceTable<T> implements IndexTable<T> {
  readonly #keyOf: (slot: number) => string
  // Invariant: a namespace is here if and only if at least one slot is in its list.
  readonly #lists = new Map<string, List>()
  /** By id; ids of lists that ended are used again. */
  readonly #byId: Array<List | undefined> = []
  readonly #freeIds: number[] = []
  // By slot; meaningless for slots that are in no list.
  #listOf = new Int32Array(0)
  #next = new Int32Array(0)
  #previous = new Int32Array(0)

  constructor(keyOf: (slot: number) => string) {
    this.#keyOf = keyOf
  }

  valuesOf(object: T): readonly string[] {
    return namespaceIndex(object)
  }

  set({ namespace }: Entry<T>, slot: number, before: number): void {
    const list = this.#lists.get(namespace) ?? this.#begin(namespace)
    this.#grow(slot)
    const last = list.last
    this.#listOf[slot] = list.id
    this.#previous[slot] = last
    this.#next[slot] = ABSENT
    if (last === ABSENT) list.first = slot
    else this.#next[last] = slot
    list.last = slot
    // Taken out after the other came in, so that a list of one does not end in between.
    if (before !== ABSENT) this.#unlink(before)
  }

  delete(_key: string, slot: number): void {
    this.#unlink(slot)
  }

  *keys(value: string): Generator<string> {
    for (let slot = this.#lists.get(value)?.first ?? ABSENT; slot !== ABSENT; slot = this.#next[slot] ?? ABSENT) {
      yield this.#keyOf(slot)
    }
  }

  values(): string[] {
    return [...this.#lists.keys()]
  }

  #begin(namespace: string): List {
    const id = this.#freeIds.pop() ?? this.#byId.length
    const list = { id, namespace, first: ABSENT, last: ABSENT }
    this.#byId[id] = list
    this.#lists.set(namespace, list)
    return list
  }

  #unlink(slot: number): void {
    const list = this.#byId[this.#listOf[slot] ?? ABSENT]
    if (list === undefined) return
    const [previous, next] = [this.#previous[slot] ?? ABSENT, this.#next[slot] ?? ABSENT]
    if (previous === ABSENT) list.first = next
    else this.#next[previous] = next
    if (next === ABSENT) list.last = previous
    else this.#previous[next] = previous
    if (list.first !== ABSENT) return
    this.#lists.delete(list.namespace)
    this.#byId[list.id] = undefined
    this.#freeIds.push(list.id)
  }

  #grow(slot: number): void {
    if (slot < this.#next.length) return
    const length = Math.max(16, slot + 1, this.#next.length * 2)
    this.#listOf = grown(this.#listOf, length)
    this.#next = grown(this.#next, length)
    this.#previous = grown(this.#previous, length)
  }
}

interface List {
  readonly id: number
  readonly namespace: string
  first: number
  last: number
}

function grown(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length)
  larger.set(array)
  return larger
}
