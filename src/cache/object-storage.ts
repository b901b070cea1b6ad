// Keeps states of objects parsed, and their text not.

import { KeptEntry, type Entry } from './entry.ts'
import { Slots } from './slots.ts'
import type { ObjectStorage } from './storage.ts'

/**
 * Creates a storage that keeps parsed objects: reads cost nothing and give the same object each time; writes cost the parsing, and
 * memory is the V8 heap's.
 */
export function objectStorage<T>(): ObjectStorage<T> {
  const slots = new Slots()
  const entries: Array<Entry<T> | undefined> = []
  return {
    put: (entry, key) => {
      const kept = entry.bytes === undefined ? entry : new KeptEntry(entry, key)
      const slot = slots.take()
      entries[slot] = kept
      return slot
    },
    key: (slot) => held(entries[slot]).key,
    entry: (slot) => held(entries[slot]),
    release: (slot) => {
      entries[slot] = undefined
      slots.giveBack(slot)
    },
    usage: () => ({ states: slots.used, bytes: 0, reservedBytes: 0 }),
  }
}

function held<T>(entry: Entry<T> | undefined): Entry<T> {
  if (entry === undefined) throw new RangeError('Cannot find entry: the slot holds nothing')
  return entry
}
