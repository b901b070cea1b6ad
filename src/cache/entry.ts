// What a cache keeps under a key: who the object is, and the object, parsed on first use where it came as bytes.

import { isDeepStrictEqual } from 'node:util'
import { KubedeltaError } from '../base/errors.ts'
import { copyOf } from '../object/json-text.ts'
import { keyOf } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
import { deepFreeze } from './deep-freeze.ts'
import { keyBy, metadataOf, metaNamespaceKey, type KeyFunction } from './metadata.ts'

/** One object as a cache holds it; immutable. */
export interface Entry<T> {
  readonly key: string
  /** '' for cluster scope. */
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** undefined for what has no metadata: such an entry does not move the store's resourceVersion. */
  readonly resourceVersion: string | undefined
  /** The JSON text that the object was read from; undefined for an object that was given parsed. */
  readonly bytes: Buffer | undefined
  /**
   * How many bytes before `bytes` may be written over: both are given away then, and stay as the storage leaves them.
   * @default undefined `bytes` are the owner's, who may write over them later
   */
  readonly room?: number | undefined
  /**
   * The object, frozen all the way down: whoever got it cannot change the cache.
   * @throws KubedeltaError `corrupt` where `bytes` do not parse
   */
  readonly object: T
}

/**
 * An entry of a parsed object, which is frozen here: the caller gives it away.
 * @throws KubedeltaError `usage` when it has no key
 */
export function parsedEntry<T>(object: T, key: KeyFunction<T> = metaNamespaceKey): Entry<T> {
  const metadata = metadataOf(object)
  return {
    key: keyBy(key, object),
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    resourceVersion: metadata?.resourceVersion,
    bytes: undefined,
    object: deepFreeze(object),
  }
}

/** What an entry of bytes is made of. */
export interface BytesOf extends Pick<RawObject, 'bytes' | 'namespace' | 'name' | 'uid' | 'resourceVersion'> {
  /** See Entry. */
  readonly room?: number | undefined
}

/**
 * An entry that holds bytes and parses them when someone first looks at the object.
 * @param key of namespace and name, where it is at hand
 */
export function bytesEntry<T>(raw: BytesOf, key: string = keyOf(raw.namespace, raw.name)): Entry<T> {
  return new BytesEntry<T>(raw, key)
}

/** The same entry over a copy of its bytes, where it has any: what it was made of may be a slice of a buffer with another life. */
export function ownedEntry<T>(entry: Entry<T>): Entry<T> {
  const { key, namespace, name, uid, resourceVersion, bytes } = entry
  if (bytes === undefined || resourceVersion === undefined || key !== keyOf(namespace, name)) return entry
  return bytesEntry<T>({ bytes: copyOf(bytes), namespace, name, uid, resourceVersion })
}

/**
 * Whether two entries hold the same state: who they are, and the bytes where both have them. Where one has, the objects; where none has,
 * who they are says it all.
 */
export function isSameContent<T>(a: Entry<T>, b: Entry<T>): boolean {
  if (a === b) return true
  if (a.resourceVersion !== b.resourceVersion || a.uid !== b.uid) return false
  const [ofA, ofB] = [a.bytes, b.bytes]
  if (ofA !== undefined && ofB !== undefined) return ofA.equals(ofB)
  return ofA === ofB || isDeepStrictEqual(a.object, b.object)
}

/** The entry that is left of another one when its bytes are dropped. */
export class KeptEntry<T> implements Entry<T> {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string | undefined
  readonly bytes = undefined
  readonly object: T

  /** @throws KubedeltaError `corrupt` where the bytes do not parse */
  constructor(entry: Entry<T>, key: string) {
    this.key = key
    this.namespace = entry.namespace
    this.name = entry.name
    this.uid = entry.uid
    this.resourceVersion = entry.resourceVersion
    this.object = entry.object
  }
}

class BytesEntry<T> implements Entry<T> {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly bytes: Buffer
  readonly room: number | undefined
  #parsed: { readonly object: T } | undefined

  constructor(raw: BytesOf, key: string) {
    this.key = key
    this.namespace = raw.namespace
    this.name = raw.name
    this.uid = raw.uid
    this.resourceVersion = raw.resourceVersion
    this.bytes = raw.bytes
    this.room = raw.room
  }

  get object(): T {
    this.#parsed ??= { object: deepFreeze(this.#parse()) }
    return this.#parsed.object
  }

  #parse(): T {
    try {
      // The decode edge: T says what the apiserver's schema promises for this collection.
      const object: T = JSON.parse(this.bytes.toString('utf8'))
      return object
    } catch (error) {
      throw new KubedeltaError('corrupt', `Cannot parse object ${JSON.stringify(this.key)}: wanted JSON`, {
        cause: error,
      })
    }
  }
}
