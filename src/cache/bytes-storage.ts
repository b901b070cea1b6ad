// Keeps states of objects as JSON text outside the V8 heap.

import { isKeyOf } from '../object/key.ts'
import { bytesEntry, type Entry } from './entry.ts'
import { Memo } from './memo.ts'
import {
  bytesAt,
  bytesLengthAt,
  MAX_TEXT_LENGTH,
  resourceVersionAt,
  Slabs,
  uidAt,
  type Frame,
  type Place,
} from './slabs.ts'
import { Slots } from './slots.ts'
import type { ObjectStorage, StorageUsage } from './storage.ts'

export interface BytesStorageOptions {
  /** Objects stay parsed up to this much of their texts, the lately used ones. Bytes. @default 16 MiB */
  readonly memoBytes?: number
  /** The same by their number. @default 10_000 */
  readonly memoObjects?: number
}

/**
 * Creates a storage that keeps texts.
 *
 * - An object is parsed when someone looks and stays parsed while it is among those looked at lately: two reads far apart may give two
 *   equal objects.
 * - What was given parsed stays parsed: printing it could change it.
 *
 * @throws RangeError for bounds below 0
 */
export function bytesStorage<T>(options: BytesStorageOptions = {}): ObjectStorage<T> {
  const { memoBytes = 16 << 20, memoObjects = 10_000 } = options
  if (!(memoBytes >= 0)) {
    throw new RangeError(`Cannot create storage: 'memoBytes' must be >= 0: current value is ${memoBytes}`)
  }
  if (!(memoObjects >= 0)) {
    throw new RangeError(`Cannot create storage: 'memoObjects' must be >= 0: current value is ${memoObjects}`)
  }
  return new BytesStorage<T>(new Memo<T>({ maxBytes: memoBytes, maxObjects: memoObjects }))
}

class BytesStorage<T> implements ObjectStorage<T> {
  readonly #slots = new Slots()
  readonly #slabs = new Slabs()
  readonly #memo: Memo<T>
  /** Slot -> key. */
  readonly #keys: string[] = []
  /** Invariant: a slot that is in use is either here or in a slab. */
  readonly #whole = new Map<number, Entry<T>>()

  constructor(memo: Memo<T>) {
    this.#memo = memo
  }

  put(entry: Entry<T>, key: string): number {
    const slot = this.#slots.take()
    this.#keys[slot] = key
    const frame = frameOf(entry)
    if (frame === undefined) this.#whole.set(slot, entry)
    else this.#slabs.write(slot, frame)
    return slot
  }

  key(slot: number): string {
    return this.#keys[slot] ?? ''
  }

  entry(slot: number): Entry<T> {
    return this.#whole.get(slot) ?? new SlabEntry<T>(this.key(slot), this.#slabs.place(slot), this)
  }

  release(slot: number): void {
    if (!this.#whole.delete(slot)) {
      this.#slabs.free(slot)
      this.#memo.forget(slot)
    }
    this.#keys[slot] = ''
    this.#slots.giveBack(slot)
  }

  usage(): StorageUsage {
    const { aliveBytes, reservedBytes } = this.#slabs
    return { states: this.#slots.used, bytes: aliveBytes, reservedBytes }
  }

  /** The object at a place: a remembered one, or parsed now. */
  objectAt(key: string, place: Place): T {
    const slot = place.slab.readUInt32LE(place.at)
    // An entry may outlive its state, and the slot may hold another one.
    const isHeld = this.#slabs.isAt(slot, place)
    const known = isHeld ? this.#memo.get(slot) : undefined
    if (known !== undefined) return known.object
    const { object } = bytesEntry<T>({ bytes: bytesAt(place), namespace: '', name: key, uid: '', resourceVersion: '' })
    if (isHeld) this.#memo.set(slot, object, bytesLengthAt(place))
    return object
  }
}

/** What goes into a slab; undefined for an entry that must be kept as it is. */
function frameOf<T>({ key, namespace, name, uid, resourceVersion, bytes, room = 0 }: Entry<T>): Frame | undefined {
  if (bytes === undefined || resourceVersion === undefined) return undefined
  // Namespace and name are taken from the key later: the part before its first slash, and the rest.
  const isSplit = Math.max(key.indexOf('/'), 0) === namespace.length && isKeyOf(key, namespace, name)
  if (!isSplit || uid.length > MAX_TEXT_LENGTH || resourceVersion.length > MAX_TEXT_LENGTH) return undefined
  return { uid, resourceVersion, bytes, room }
}

/** Reads what it is asked for from its place, and nothing before. */
class SlabEntry<T> implements Entry<T> {
  readonly key: string
  readonly #place: Place
  readonly #storage: BytesStorage<T>
  #resourceVersion: string | undefined
  #parsed: { readonly object: T } | undefined

  constructor(key: string, place: Place, storage: BytesStorage<T>) {
    this.key = key
    this.#place = place
    this.#storage = storage
  }

  get namespace(): string {
    const slash = this.key.indexOf('/')
    return slash <= 0 ? '' : this.key.slice(0, slash)
  }

  get name(): string {
    const slash = this.key.indexOf('/')
    return slash <= 0 ? this.key : this.key.slice(slash + 1)
  }

  get uid(): string {
    return uidAt(this.#place)
  }

  get resourceVersion(): string {
    // Asked for twice by whoever compares it.
    return (this.#resourceVersion ??= resourceVersionAt(this.#place))
  }

  get bytes(): Buffer {
    return bytesAt(this.#place)
  }

  get object(): T {
    this.#parsed ??= { object: this.#storage.objectAt(this.key, this.#place) }
    return this.#parsed.object
  }
}
