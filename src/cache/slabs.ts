// Keeps texts outside the V8 heap, written behind each other into large buffers that are never written to twice.

import { textBytes, writeInt32, writeText } from './slab-text.ts'

/** Where a text stands: its frame begins at `at`. */
export interface Place {
  readonly slab: Buffer
  readonly at: number
}

/**
 * A frame is a head (slot, length of the text, lengths of uid and resourceVersion), uid, resourceVersion, text.
 *
 * - A text that was given away with room before it stays where it is, and its buffer becomes a slab: a cache that is filled from large
 *   buffers copies nothing. Its frame's head is written into that room.
 * - No frame is overwritten, so that whoever holds a `Place` reads the same for ever.
 * - Where more than half as much is dead as is alive, the slab with the least alive is copied forward, one slab a write at most, and
 *   dropped; its memory lives as long as somebody holds a place in it. A slab that dies as a whole, as those of a log do that is read from
 *   its start, is not copied before.
 */
export class Slabs {
  readonly #maxSlabBytes: number
  readonly #slabs = new Map<number, Slab>()
  /** Slot -> id of its slab, and where in it; meaningless for slots that hold nothing. */
  #slabOf = new Uint32Array(64)
  #offsetOf = new Uint32Array(64)
  #current: Slab
  /** The slab that was given last: more frames are about to come in it. */
  #given: Slab | undefined
  readonly #givenSlabs = new WeakMap<ArrayBufferLike, Slab>()
  #nextId = 1
  #aliveBytes = 0
  /** Of sealed slabs, what holds nothing alive. */
  #deadBytes = 0
  #reservedBytes = 0

  constructor({ maxSlabBytes = 8 << 20 }: { readonly maxSlabBytes?: number } = {}) {
    this.#maxSlabBytes = maxSlabBytes
    // Of no size: caches that stay empty cost nothing.
    this.#current = { id: 0, buffer: Buffer.alloc(0), used: 0, alive: 0, frames: undefined }
    this.#slabs.set(0, this.#current)
  }

  get aliveBytes(): number {
    return this.#aliveBytes
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  /** Writes a frame for a slot that holds none. */
  write(slot: number, frame: Frame): void {
    const { uid, resourceVersion, bytes } = frame
    if (this.#deadBytes * 2 > this.#aliveBytes) this.#copyForward()
    const uidLength = textBytes(uid)
    const versionLength = textBytes(resourceVersion)
    const headLength = HEAD_BYTES + uidLength + versionLength
    const given = this.#slabOfGiven(frame, headLength)
    const slab = given ?? this.#roomFor(headLength + bytes.length)
    const { buffer } = slab
    const at = given === undefined ? slab.used : bytes.byteOffset - headLength
    writeInt32(buffer, at, slot)
    writeInt32(buffer, at + LENGTH_AT, bytes.length)
    writeInt32(buffer, at + UID_AT, uidLength | (versionLength << 16))
    const uidFrom = at + HEAD_BYTES
    const versionFrom = uidFrom + uidLength
    const bytesFrom = versionFrom + versionLength
    writeText(buffer, uidFrom, uid, uidLength)
    writeText(buffer, versionFrom, resourceVersion, versionLength)
    if (given === undefined) buffer.set(bytes, bytesFrom)
    this.#stand(slot, slab, { at, end: bytesFrom + bytes.length })
  }

  place(slot: number): Place {
    return { slab: this.#slab(this.#slabOf[slot]).buffer, at: this.#offsetOf[slot] ?? 0 }
  }

  /** Whether the frame of the slot is the one at this place. */
  isAt(slot: number, { slab, at }: Place): boolean {
    return this.#offsetOf[slot] === at && this.#slabs.get(this.#slabOf[slot] ?? 0)?.buffer === slab
  }

  free(slot: number): void {
    const slab = this.#slab(this.#slabOf[slot])
    const bytes = frameBytes(slab.buffer, this.#offsetOf[slot] ?? 0)
    slab.alive -= bytes
    this.#aliveBytes -= bytes
    this.#slabOf[slot] = NOWHERE
    if (this.#isOpen(slab)) return
    this.#deadBytes += bytes
    if (slab.alive === 0) this.#drop(slab)
  }

  /** The slab of a text that can stay where it is. */
  #slabOfGiven({ bytes, room }: Frame, headLength: number): Slab | undefined {
    const { buffer: given } = bytes
    // What stands around the text stays in memory with it: too much of that, or too many small buffers, and a copy is better.
    if (room < headLength || room > bytes.length * MAX_AROUND || given.byteLength < MIN_GIVEN_BYTES) return undefined
    const known = this.#givenSlabs.get(given)
    if (known !== undefined && this.#slabs.has(known.id)) return known
    const slab = { id: this.#nextId, buffer: Buffer.from(given), used: given.byteLength, alive: 0, frames: [] }
    this.#nextId += 1
    this.#slabs.set(slab.id, slab)
    this.#givenSlabs.set(given, slab)
    this.#reservedBytes += given.byteLength
    const former = this.#given
    this.#given = slab
    if (former !== undefined) this.#seal(former)
    return slab
  }

  #isOpen(slab: Slab): boolean {
    return slab === this.#current || slab === this.#given
  }

  /** Nothing more is written to the slab, or little. */
  #seal(slab: Slab): void {
    this.#deadBytes += slab.buffer.length - slab.alive
    if (slab.alive === 0) this.#drop(slab)
  }

  /** Forgets a sealed slab. */
  #drop({ id, buffer, alive }: Slab): void {
    this.#slabs.delete(id)
    this.#deadBytes -= buffer.length - alive
    this.#reservedBytes -= buffer.length
  }

  #copyForward(): void {
    const slab = this.#sparsest()
    if (slab === undefined) return
    const { id } = slab
    for (const at of slab.frames ?? framesFromStart(slab)) {
      const end = at + frameBytes(slab.buffer, at)
      const slot = slab.buffer.readUInt32LE(at)
      if (this.#slabOf[slot] === id && this.#offsetOf[slot] === at) {
        const to = this.#roomFor(end - at)
        slab.buffer.copy(to.buffer, to.used, at, end)
        slab.alive -= end - at
        this.#deadBytes += end - at
        this.#aliveBytes -= end - at
        this.#stand(slot, to, { at: to.used, end: to.used + end - at })
      }
    }
    this.#drop(slab)
  }

  /** Of the sealed slabs, the one with the smallest part alive. */
  #sparsest(): Slab | undefined {
    let found: Slab | undefined
    for (const slab of this.#slabs.values()) {
      if (this.#isOpen(slab)) continue
      if (found === undefined || slab.alive * found.buffer.length < found.alive * slab.buffer.length) found = slab
    }
    return found
  }

  /** The slot's frame was written there. */
  #stand(slot: number, slab: Slab, { at, end }: { readonly at: number; readonly end: number }): void {
    if (slot >= this.#slabOf.length) {
      this.#slabOf = grown(this.#slabOf, slot)
      this.#offsetOf = grown(this.#offsetOf, slot)
    }
    this.#slabOf[slot] = slab.id
    this.#offsetOf[slot] = at
    slab.alive += end - at
    this.#aliveBytes += end - at
    if (slab.frames === undefined) {
      slab.used = end
    } else {
      slab.frames.push(at)
      if (!this.#isOpen(slab)) this.#deadBytes -= end - at
    }
  }

  #roomFor(bytes: number): Slab {
    const current = this.#current
    if (current.buffer.length - current.used >= bytes) return current
    // A large frame stands alone, so that it goes as it came.
    if (bytes * LARGE >= this.#maxSlabBytes) return this.#open(bytes)
    // In step with what is held: a small cache takes small slabs.
    const next = this.#open(
      Math.min(
        this.#maxSlabBytes,
        Math.max(MIN_SLAB_BYTES, bytes, 2 ** Math.ceil(Math.log2(this.#aliveBytes / 2 + 1))),
      ),
    )
    this.#current = next
    this.#seal(current)
    return next
  }

  #open(size: number): Slab {
    const slab: Slab = { id: this.#nextId, buffer: Buffer.allocUnsafeSlow(size), used: 0, alive: 0, frames: undefined }
    this.#nextId += 1
    this.#slabs.set(slab.id, slab)
    this.#reservedBytes += size
    return slab
  }

  #slab(id = NOWHERE): Slab {
    const slab = this.#slabs.get(id)
    if (slab === undefined) throw new RangeError('Cannot find slab: the slot holds nothing')
    return slab
  }
}

/** What a frame holds. */
export interface Frame {
  readonly uid: string
  readonly resourceVersion: string
  readonly bytes: Buffer
  /** Bytes before those that may be written over, where all of them were given away. */
  readonly room: number
}

/** The longest uid and resourceVersion that a frame takes, in UTF-16 units. */
export const MAX_TEXT_LENGTH = Math.floor(0xff_ff / 3)

/** The uid in the frame at a place. */
export function uidAt({ slab, at }: Place): string {
  const start = at + HEAD_BYTES
  return slab.toString('utf8', start, start + slab.readUInt16LE(at + UID_AT))
}

export function resourceVersionAt({ slab, at }: Place): string {
  const start = at + HEAD_BYTES + slab.readUInt16LE(at + UID_AT)
  return slab.toString('utf8', start, start + slab.readUInt16LE(at + VERSION_AT))
}

/** The text in the frame at a place, as a view. */
export function bytesAt({ slab, at }: Place): Buffer {
  const end = at + frameBytes(slab, at)
  return slab.subarray(end - slab.readUInt32LE(at + LENGTH_AT), end)
}

export function bytesLengthAt({ slab, at }: Place): number {
  return slab.readUInt32LE(at + LENGTH_AT)
}

interface Slab {
  readonly id: number
  readonly buffer: Buffer
  used: number
  /** Bytes of frames that slots still point to. */
  alive: number
  /** Where frames begin in a slab that was given; undefined where they stand one behind the other. */
  readonly frames: number[] | undefined
}

const LENGTH_AT = 4
const UID_AT = 8
const VERSION_AT = 10
const HEAD_BYTES = 12
const MIN_SLAB_BYTES = 64 << 10
/** A frame over this part of a slab gets one of its own. */
const LARGE = 8
/** A smaller buffer is not worth a slab. */
const MIN_GIVEN_BYTES = 256 << 10
/** How much may stand before a text that stays where it is, as a part of its length. */
const MAX_AROUND = 0.4
const NOWHERE = 0xff_ff_ff_ff

function* framesFromStart({ buffer, used }: Slab): Generator<number> {
  for (let at = 0; at < used;) {
    // Read before it goes on: what is behind does not move.
    const next = at + frameBytes(buffer, at)
    yield at
    at = next
  }
}

function frameBytes(slab: Buffer, at: number): number {
  return (
    HEAD_BYTES + slab.readUInt16LE(at + UID_AT) + slab.readUInt16LE(at + VERSION_AT) + slab.readUInt32LE(at + LENGTH_AT)
  )
}

function grown(array: Uint32Array<ArrayBuffer>, index: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(index + 1, array.length * 2))
  larger.set(array)
  return larger
}
