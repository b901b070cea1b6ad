import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bytesEntry, type Entry } from '../../../src/cache/entry.ts'
import { bytesStorage } from '../../../src/cache/bytes-storage.ts'
import { objectStorage } from '../../../src/cache/object-storage.ts'
import { openStorage } from '../../../src/cache/open-storage.ts'
import type { ObjectStorage } from '../../../src/cache/storage.ts'
import { objectStorageConformance, thingEntry, type Thing } from '../../conformance/object-storage.ts'

objectStorageConformance({ name: 'bytes', create: () => bytesStorage() })
objectStorageConformance({ name: 'bytes without a memo', create: () => bytesStorage({ memoBytes: 0, memoObjects: 0 }) })
objectStorageConformance({ name: 'object', create: () => objectStorage() })

function put(storage: ObjectStorage<Thing>, name: string, text = ''): number {
  const entry = thingEntry(name, '1', { text })
  return storage.put(entry, entry.key)
}

function identified({ namespace, name, uid, resourceVersion = '', bytes }: Entry<Thing>): {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly bytes: Buffer | undefined
} {
  return { namespace, name, uid, resourceVersion, bytes }
}

/** In a buffer of its own of 1 MiB. */
function givenEntry(name: string): Entry<Thing> {
  const { bytes = Buffer.alloc(0), ...named } = identified(thingEntry(name, '1', { text: 'x'.repeat(1_000) }))
  const received = Buffer.allocUnsafeSlow(1 << 20)
  bytes.copy(received, 200)
  return bytesEntry<Thing>({ ...named, bytes: received.subarray(200, 200 + bytes.length), room: 200 })
}

describe('the memory of bytes', () => {
  test('what was replaced is given back: no more than twice what is held, and two slabs', () => {
    const storage = bytesStorage<Thing>()
    const slots = Array.from({ length: 2_000 }, (_, index) => put(storage, `p${index}`, 'x'.repeat(2_000)))
    for (let round = 0; round < 20; round += 1) {
      for (const [index, slot] of slots.entries()) {
        // Every tenth stays, so that no slab empties by itself.
        if (index % 10 === 0) continue
        slots[index] = put(storage, `p${index}`, `${round}`.repeat(1_000))
        storage.release(slot)
      }
      const { bytes, reservedBytes } = storage.usage()
      assert.ok(reservedBytes <= 2 * bytes + (16 << 20), `${reservedBytes} reserved for ${bytes}`)
    }
    for (const [index, slot] of slots.entries()) assert.equal(storage.entry(slot).name, `p${index}`)
  })

  test('a slab that is half empty is copied forward and dropped', () => {
    const storage = bytesStorage<Thing>()
    const slots = Array.from({ length: 2_000 }, (_, index) => put(storage, `p${index}`, 'x'.repeat(20_000)))
    const full = storage.usage().reservedBytes
    // Every tenth stays, so that no slab empties by itself.
    for (const [index, slot] of slots.entries()) if (index % 10 !== 0) storage.release(slot)
    for (let index = 0; index < 20; index += 1) put(storage, `q${index}`)
    assert.ok(storage.usage().reservedBytes < full / 2, `${storage.usage().reservedBytes} of ${full}`)
    for (const [index, slot] of slots.entries()) {
      if (index % 10 !== 0) continue
      assert.equal(storage.entry(slot).name, `p${index}`)
      assert.equal(storage.entry(slot).object.text.length, 20_000)
    }
  })

  test('of a buffer that was given is not copied, and goes with what is in it', () => {
    const storage = bytesStorage<Thing>()
    const received = Buffer.allocUnsafeSlow(1 << 20)
    const text = 'x'.repeat(1_000)
    const slots = Array.from({ length: 500 }, (_, index) => {
      const { bytes = Buffer.alloc(0), ...named } = identified(thingEntry(`p${index}`, '1', { text }))
      const start = index * 1_500 + 200
      bytes.copy(received, start)
      const entry = bytesEntry<Thing>({ ...named, bytes: received.subarray(start, start + bytes.length), room: 200 })
      return storage.put(entry, entry.key)
    })
    assert.equal(storage.usage().reservedBytes, received.length)
    for (const [index, slot] of slots.entries()) assert.equal(storage.entry(slot).object.metadata.name, `p${index}`)
    const before = storage.entry(slots[499] ?? -1)
    for (const slot of slots) storage.release(slot)
    const one = storage.put(givenEntry('other'), 'shop/other')
    assert.equal(storage.usage().reservedBytes, 1 << 20)
    assert.equal(storage.entry(one).object.metadata.name, 'other')
    assert.equal(before.object.text, text)
  })

  test('a large object goes as it came', () => {
    const storage = bytesStorage<Thing>()
    put(storage, 'small')
    const { reservedBytes } = storage.usage()
    storage.release(put(storage, 'large', 'x'.repeat(2 << 20)))
    assert.equal(storage.usage().reservedBytes, reservedBytes)
  })

  test('empty it takes nothing, and nothing is left of what was released', () => {
    const storage = bytesStorage<Thing>()
    assert.deepEqual(storage.usage(), { states: 0, bytes: 0, reservedBytes: 0 })
    storage.release(put(storage, 'a'))
    assert.deepEqual([storage.usage().states, storage.usage().bytes], [0, 0])
  })
})

describe('the memo of bytes', () => {
  test('an object that was looked at lately is the same one', () => {
    const storage = bytesStorage<Thing>()
    const slot = put(storage, 'a')
    assert.equal(storage.entry(slot).object, storage.entry(slot).object)
  })

  test('of many objects those looked at last stay parsed, the others are parsed anew', () => {
    const storage = bytesStorage<Thing>({ memoObjects: 100 })
    const slots = Array.from({ length: 300 }, (_, index) => put(storage, `p${index}`))
    const seen = slots.map((slot) => storage.entry(slot).object)
    // From the last one on: each look is one more.
    const isSame = [...slots.entries()].toReversed().map(([index, slot]) => storage.entry(slot).object === seen[index])
    assert.ok(isSame.slice(0, 50).every(Boolean), 'the last half of the bound')
    assert.ok(!isSame.slice(100).some(Boolean), 'what is over the bound')
    assert.deepEqual(storage.entry(slots[0] ?? -1).object, seen[0])
  })

  test('it is bounded by the bytes of the texts too', () => {
    const storage = bytesStorage<Thing>({ memoBytes: 20_000 })
    const slots = Array.from({ length: 30 }, (_, index) => put(storage, `p${index}`, 'x'.repeat(2_000)))
    const seen = slots.map((slot) => storage.entry(slot).object)
    const same = slots.filter((slot, index) => storage.entry(slot).object === seen[index])
    assert.ok(same.length <= 10, String(same.length))
  })

  test('a slot that was given to another object shows that one', () => {
    const storage = bytesStorage<Thing>()
    const slot = put(storage, 'a', 'old')
    const old = storage.entry(slot)
    assert.equal(old.object.text, 'old')
    storage.release(slot)
    assert.equal(put(storage, 'a', 'new'), slot)
    assert.equal(storage.entry(slot).object.text, 'new')
    assert.equal(old.object.text, 'old')
  })

  test('an entry whose slot was given away is parsed and not remembered in its place', () => {
    const storage = bytesStorage<Thing>()
    const slot = put(storage, 'a', 'old')
    const old = storage.entry(slot)
    storage.release(slot)
    put(storage, 'a', 'new')
    assert.equal(old.object.text, 'old')
    assert.equal(storage.entry(slot).object.text, 'new')
  })
})

test('bounds below 0 and unknown modes are refused', () => {
  assert.throws(() => bytesStorage({ memoBytes: -1 }), RangeError)
  assert.throws(() => bytesStorage({ memoObjects: Number.NaN }), RangeError)
  const mode: 'bytes' = JSON.parse('"heap"')
  assert.throws(() => openStorage(mode), {
    name: 'TypeError',
    message: /must be 'bytes' or 'object': current value is heap$/,
  })
})
