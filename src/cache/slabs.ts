// Keeps texts outside the V8 heap, written behind each other into large buffers that are never written to twice.

/** Where a text stands: its frame begins at `at`. */
export interface Place {
  readonly slab: Buffer
  readonly at: number
}

/**
 * A frame is a head (slot, length of the text, lengths of uid and resourceVersion), uid, resourceVersion, text.
 *
 * - Nothing that was written is overwritten, so that whoever holds a `Place` reads the same for ever.
 * - A slab of which less than half is alive is copied forward, one slab a write at most, and dropped; its memory lives as long as
 *   somebody holds a place in it.
 */
export class Slabs {
  readonly #maxSlabBytes: number
  readonly #slabs = new Map<number, Slab>()
  /** Ids of slabs to copy forward: sealed, and less than half alive. */
  readonly #sparse = new Set<number>()
  /** Slot -> id of its slab, and where in it; meaningless for slots that hold nothing. */
  #slabOf = new Uint32Array(64)
  #offsetOf = new Uint32Array(64)
  #current: Slab
  #nextId = 1
  #aliveBytes = 0
  #reservedBytes = 0

  constructor({ maxSlabBytes = 8 << 20 }: { readonly maxSlabBytes?: number } = {}) {
    this.#maxSlabBytes = maxSlabBytes
    // Of no size: caches that stay empty cost nothing.
    this.#current = { id: 0, buffer: Buffer.alloc(0), used: 0, alive: 0 }
    this.#slabs.set(0, this.#current)
  }

  get aliveBytes(): number {
    return this.#aliveBytes
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  /** Writes a frame for a slot that holds none. */
  write(slot: number, { uid, resourceVersion, bytes }: Frame): void {
    const sparse = this.#sparse.values().next().value
    if (sparse !== undefined) this.#copyForward(sparse)
    const uidLength = Buffer.byteLength(uid)
    const versionLength = Buffer.byteLength(resourceVersion)
    const slab = this.#roomFor(HEAD_BYTES + uidLength + versionLength + bytes.length)
    const { buffer, used: at } = slab
    buffer.writeUInt32LE(slot, at)
    buffer.writeUInt32LE(bytes.length, at + LENGTH_AT)
    buffer.writeUInt16LE(uidLength, at + UID_AT)
    buffer.writeUInt16LE(versionLength, at + VERSION_AT)
    let end = at + HEAD_BYTES
    end += buffer.write(uid, end)
    end += buffer.write(resourceVersion, end)
    buffer.set(bytes, end)
    this.#stand(slot, slab, end + bytes.length)
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
    if (slab !== this.#current) this.#settle(slab)
  }

  /** Drops a sealed slab with nothing in it, notes one with little. */
  #settle(slab: Slab): void {
    if (slab.alive === 0) this.#drop(slab)
    else if (slab.alive * 2 < slab.used) this.#sparse.add(slab.id)
  }

  #drop({ id, buffer }: Slab): void {
    this.#slabs.delete(id)
    this.#sparse.delete(id)
    this.#reservedBytes -= buffer.length
  }

  #copyForward(id: number): void {
    const slab = this.#slab(id)
    for (let at = 0; at < slab.used;) {
      const end = at + frameBytes(slab.buffer, at)
      const slot = slab.buffer.readUInt32LE(at)
      if (this.#slabOf[slot] === id && this.#offsetOf[slot] === at) {
        const to = this.#roomFor(end - at)
        slab.buffer.copy(to.buffer, to.used, at, end)
        this.#aliveBytes -= end - at
        this.#stand(slot, to, to.used + end - at)
      }
      at = end
    }
    this.#drop(slab)
  }

  /** The slot's frame was written from the slab's end up to here. */
  #stand(slot: number, slab: Slab, end: number): void {
    if (slot >= this.#slabOf.length) {
      this.#slabOf = grown(this.#slabOf, slot)
      this.#offsetOf = grown(this.#offsetOf, slot)
    }
    this.#slabOf[slot] = slab.id
    this.#offsetOf[slot] = slab.used
    slab.alive += end - slab.used
    this.#aliveBytes += end - slab.used
    slab.used = end
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
    this.#settle(current)
    return next
  }

  #open(size: number): Slab {
    const slab = { id: this.#nextId, buffer: Buffer.allocUnsafeSlow(size), used: 0, alive: 0 }
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
}

const LENGTH_AT = 4
const UID_AT = 8
const VERSION_AT = 10
const HEAD_BYTES = 12
const MIN_SLAB_BYTES = 64 << 10
/** A frame over this part of a slab gets one of its own. */
const LARGE = 8
const NOWHERE = 0xff_ff_ff_ff

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
