// Compares the indexes of a store with what their functions say of its objects.

import type { Entry } from './entry.ts'
import type { Store } from './store.ts'

/** A place where an index is not what its function says. */
export interface IndexDifference {
  readonly index: string
  readonly value: string
  readonly key: string
  /** `missing`: the key should stand under the value; `extra`: it should not, or there is no such object. */
  readonly problem: 'missing' | 'extra'
}

/** All differences, index by index; none where all is well. An object on which a function throws belongs into no value. */
export function checkIndexes<T>(store: Store<T>): readonly IndexDifference[] {
  const differences: IndexDifference[] = []
  for (const [index, table] of store.tables) {
    const found = new Set<string>()
    for (const value of table.values()) for (const key of table.keys(value)) found.add(placeOf(value, key))
    for (const entry of store.entries()) {
      for (const value of valuesOf(entry, (object) => table.valuesOf(object))) {
        const { key } = entry
        if (!found.delete(placeOf(value, key))) differences.push({ index, value, key, problem: 'missing' })
      }
    }
    for (const place of found) {
      const [key, value] = splitPlace(place)
      differences.push({ index, value, key, problem: 'extra' })
    }
  }
  return differences
}

function valuesOf<T>(entry: Entry<T>, valuesOfObject: (object: T) => readonly string[]): readonly string[] {
  try {
    return valuesOfObject(entry.object)
  } catch {
    // Nothing is lost: the failure was logged and counted when the object was written, and it is in no value since.
    return []
  }
}

function placeOf(value: string, key: string): string {
  return `${key.length} ${key}${value}`
}

function splitPlace(place: string): readonly [string, string] {
  const space = place.indexOf(' ')
  const end = space + 1 + Number(place.slice(0, space))
  return [place.slice(space + 1, end), place.slice(end)]
}
