// What every storage of a cache must do, as tests that take the storage.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { bytesEntry, parsedEntry, type Entry } from '../../src/cache/entry.ts'
import type { ObjectStorage } from '../../src/cache/storage.ts'

export interface StorageConformanceOptions {
  /** Says which storage. */
  readonly name: string
  /** A new one, empty. */
  readonly create: () => ObjectStorage<Thing>
}

/** An object of the suite. */
export interface Thing {
  readonly metadata: {
    readonly namespace?: string
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
  }
  readonly text: string
}

/** An entry in bytes. */
export function thingEntry(name: string, resourceVersion: string, change: ThingChange = {}): Entry<Thing> {
  const { namespace = 'shop', text = '', uid = `uid-${name}` } = change
  const metadata = { ...(namespace === '' ? {} : { namespace }), name, uid, resourceVersion }
  const bytes = Buffer.from(JSON.stringify({ metadata, text }))
  return bytesEntry<Thing>({ bytes, namespace, name, uid, resourceVersion })
}

export interface ThingChange {
  readonly namespace?: string
  readonly text?: string
  readonly uid?: string
}

/** Registers the suite. */
export function objectStorageConformance({ name, create }: StorageConformanceOptions): void {
  describe(`object storage: ${name}`, () => {
    test('gives back what was put, under the key text that was put', () => {
      const storage = create()
      const entries = [
        thingEntry('a', '1', { text: 'plain' }),
        thingEntry('cluster-wide', '2', { namespace: '' }),
        thingEntry('ä', '3', { namespace: 'büro', uid: 'ü'.repeat(40), text: 'ßß €' }),
        thingEntry('empty', '', { uid: '' }),
        thingEntry('long', '4', { uid: 'u'.repeat(70_000) }),
        thingEntry('large', '5', { text: 'x'.repeat(3 << 20) }),
      ]
      const slots = entries.map((entry) => storage.put(entry, entry.key))
      for (const [index, entry] of entries.entries()) {
        const slot = slots[index] ?? -1
        assert.equal(storage.key(slot), entry.key)
        assert.deepEqual(factsOf(storage.entry(slot)), factsOf(entry))
      }
      assert.equal(storage.usage().states, entries.length)
    })

    test('keeps what was given parsed as it is, with metadata and without', () => {
      const storage = create()
      const pod = thingEntry('a', '1').object
      const odd: Thing = JSON.parse('{"text":"no metadata"}')
      const entries = [parsedEntry(pod), parsedEntry(odd, () => 'any/key/at/all'), parsedEntry(pod, () => 'b')]
      for (const entry of entries) {
        const kept = storage.entry(storage.put(entry, entry.key))
        assert.equal(kept.object, entry.object)
        assert.deepEqual(factsOf(kept), factsOf(entry))
      }
    })

    test('keeps bytes whose entry is named otherwise than its key', () => {
      const storage = create()
      for (const key of ['x', 'shop/b', 'shop/a/b', '/a', 'shopping/a']) {
        const entry: Entry<Thing> = { ...flat(thingEntry('a', '1')), key }
        assert.deepEqual(factsOf(storage.entry(storage.put(entry, key))), factsOf(entry))
      }
    })

    test('what it was given may be overwritten at once', () => {
      const storage = create()
      const entry = thingEntry('a', '1', { text: 'mine' })
      const slot = storage.put(entry, entry.key)
      entry.bytes?.fill(0)
      assert.equal(storage.entry(slot).object.text, 'mine')
    })

    test('objects are frozen all the way down', () => {
      const storage = create()
      const entry = thingEntry('a', '1')
      const { object } = storage.entry(storage.put(entry, entry.key))
      assert.ok(Object.isFrozen(object) && Object.isFrozen(object.metadata))
    })

    test('slots are as few as states were ever held at once', () => {
      const storage = create()
      const held: number[] = []
      for (let round = 0; round < 1_000; round += 1) {
        const entry = thingEntry(`p${round}`, '1')
        held.push(storage.put(entry, entry.key))
        if (held.length === 10) for (const slot of held.splice(0, 7)) storage.release(slot)
        for (const slot of held) assert.ok(slot >= 0 && slot < 10 && Number.isInteger(slot))
        assert.equal(new Set(held).size, held.length)
      }
      assert.equal(storage.usage().states, held.length)
    })

    test('what is held and what was ever given out stays true, whatever is put and released', () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
          const storage = create()
          const held: Array<{ readonly slot: number; readonly entry: Entry<Thing> }> = []
          const given: Array<{ readonly entry: Entry<Thing>; readonly wanted: Entry<Thing> }> = []
          const received = new Received()
          for (const [index, { kind, at, length }] of steps.entries()) {
            if (kind === 'put' || kind === 'put-given') {
              const entry = thingEntry(`p${at}`, String(index), { text: 'x'.repeat(length) })
              held.push({ slot: storage.put(kind === 'put' ? entry : received.given(entry), entry.key), entry })
              continue
            }
            const [chosen] = held.slice(at % (held.length || 1))
            if (chosen === undefined) continue
            if (kind === 'give') {
              given.push({ entry: storage.entry(chosen.slot), wanted: chosen.entry })
            } else {
              held.splice(held.indexOf(chosen), 1)
              storage.release(chosen.slot)
            }
          }
          for (const { slot, entry } of held) assert.deepEqual(factsOf(storage.entry(slot)), factsOf(entry))
          for (const { entry, wanted } of given) assert.deepEqual(factsOf(entry), factsOf(wanted))
        }),
        { numRuns: 100 },
      )
    })
  })
}

const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put-given', 'put-given', 'put-given', 'release', 'release', 'release', 'give'),
  at: fc.nat(20),
  // Of one byte, of many that share a slab, and of more than a slab holds.
  length: fc.oneof({ weight: 30, arbitrary: fc.nat(9_000) }, { weight: 1, arbitrary: fc.constant(1_100_000) }),
})

/** Large buffers as they are received, with entries in them that are given away. */
class Received {
  #buffer = Buffer.alloc(0)
  #at = 0

  given(entry: Entry<Thing>): Entry<Thing> {
    const { bytes = Buffer.alloc(0), namespace, name, uid, resourceVersion = '' } = entry
    const room = 40 + (bytes.length % 100)
    if (this.#at + room + bytes.length > this.#buffer.length) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(300_000, room + bytes.length))
      this.#at = 0
    }
    const start = this.#at + room
    this.#at = start + bytes.copy(this.#buffer, start)
    return bytesEntry({ bytes: this.#buffer.subarray(start, this.#at), room, namespace, name, uid, resourceVersion })
  }
}

function flat<T>({ key, namespace, name, uid, resourceVersion, bytes, object }: Entry<T>): Entry<T> {
  return { key, namespace, name, uid, resourceVersion, bytes, object }
}

function factsOf({ key, namespace, name, uid, resourceVersion, object }: Entry<Thing>): unknown {
  return { key, namespace, name, uid, resourceVersion, object }
}
