// Says in which slot the state of a key is: a map from texts to numbers that costs the V8 heap nothing and grows without a long pause.

/**
 * Slots by key, in the order in which the keys came.
 *
 * The texts stay with the storage. A Map of a million keys takes about 30 MB of heap and stops the process for over 100 ms each time it
 * doubles, to look at each text again; here the hashes are kept.
 */
export class KeyTable {
  readonly #keyOf: (slot: number) => string
  /** Position -> slot, in order; ABSENT where the key was deleted. */
  #slots = new Int32Array(MIN_POSITIONS)
  /** Position -> hash of the key. */
  #hashes = new Int32Array(MIN_POSITIONS)
  /** Bucket -> position + 1, 0 where there is none; a full one sends to the next. Twice as many as positions. */
  #buckets = new Int32Array(MIN_POSITIONS * 2)
  /** Positions from here on were never used. */
  #end = 0
  #size = 0

  constructor(keyOf: (slot: number) => string) {
    this.#keyOf = keyOf
  }

  get size(): number {
    return this.#size
  }

  /** The slot of a key, or ABSENT. */
  get(key: string): number {
    if (this.#size === 0) return ABSENT
    const position = this.#find(key, hashOf(key))
    return position < 0 ? ABSENT : (this.#slots[position] ?? ABSENT)
  }

  /** Puts a key into the slot whose key it is; returns the slot it had. A key that is there keeps its place in the order. */
  set(key: string, slot: number): number {
    const hash = hashOf(key)
    const position = this.#find(key, hash)
    if (position >= 0) {
      const before = this.#slots[position] ?? ABSENT
      this.#slots[position] = slot
      return before
    }
    this.#append(hash, slot)
    this.#size += 1
    return ABSENT
  }

  /** As `set`, and the key is the last one in the order from then on. */
  move(key: string, slot: number): number {
    const hash = hashOf(key)
    const position = this.#find(key, hash)
    if (position < 0) {
      this.#append(hash, slot)
      this.#size += 1
      return ABSENT
    }
    const before = this.#slots[position] ?? ABSENT
    // As after a delete; where it was the last one already it stays.
    if (position === this.#end - 1) {
      this.#slots[position] = slot
    } else {
      this.#slots[position] = ABSENT
      this.#append(hash, slot)
    }
    return before
  }

  /** Returns the slot it had. */
  delete(key: string): number {
    const position = this.#find(key, hashOf(key))
    if (position < 0) return ABSENT
    const before = this.#slots[position] ?? ABSENT
    // The bucket goes on pointing here, so that those behind it are found.
    this.#slots[position] = ABSENT
    this.#size -= 1
    if (this.#slots.length > MIN_POSITIONS && this.#size * 8 < this.#slots.length) this.#resize()
    return before
  }

  /** All slots in the order of their keys, as a copy. */
  slots(): Int32Array {
    const slots = new Int32Array(this.#size)
    let count = 0
    for (let position = 0; position < this.#end; position += 1) {
      const slot = this.#slots[position] ?? ABSENT
      if (slot === ABSENT) continue
      slots[count] = slot
      count += 1
    }
    return slots
  }

  #find(key: string, hash: number): number {
    const mask = this.#buckets.length - 1
    for (let bucket = hash & mask; ; bucket = (bucket + 1) & mask) {
      const position = (this.#buckets[bucket] ?? 0) - 1
      if (position < 0) return ABSENT
      if (this.#hashes[position] !== hash) continue
      const slot = this.#slots[position] ?? ABSENT
      if (slot !== ABSENT && this.#keyOf(slot) === key) return position
    }
  }

  #append(hash: number, slot: number): void {
    if (this.#end === this.#slots.length) this.#resize()
    this.#slots[this.#end] = slot
    this.#hashes[this.#end] = hash
    this.#insert(hash, this.#end)
    this.#end += 1
  }

  #insert(hash: number, position: number): void {
    const mask = this.#buckets.length - 1
    let bucket = hash & mask
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask
    this.#buckets[bucket] = position + 1
  }

  /** Leaves out what was deleted and makes room for as much again. */
  #resize(): void {
    const [slots, hashes] = [this.#slots, this.#hashes]
    const positions = 2 ** Math.ceil(Math.log2(Math.max(MIN_POSITIONS, (this.#size + 1) * 1.5)))
    this.#slots = new Int32Array(positions)
    this.#hashes = new Int32Array(positions)
    this.#buckets = new Int32Array(positions * 2)
    let end = 0
    for (let position = 0; position < this.#end; position += 1) {
      const slot = slots[position] ?? ABSENT
      if (slot === ABSENT) continue
      const hash = hashes[position] ?? 0
      this.#slots[end] = slot
      this.#hashes[end] = hash
      this.#insert(hash, end)
      end += 1
    }
    this.#end = end
  }
}

/** No slot. */
export const ABSENT = -1

const MIN_POSITIONS = 8

// A write looks its key up several times, in this table and that of the content beside it.
let lastKey = ''
let lastHash = 0

/** FNV-1a over UTF-16 units, with murmur3's last step: its low bits alone choose the bucket. */
function hashOf(key: string): number {
  if (key === lastKey && key !== '') return lastHash
  lastHash = freshHashOf(key)
  lastKey = key
  return lastHash
}

function freshHashOf(key: string): number {
  let hash = 0x81_1c_9d_c5
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01_00_01_93)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35)
  return (hash ^ (hash >>> 16)) | 0
}
