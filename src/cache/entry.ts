// What a cache keeps under a key: who the object is, and the object, parsed on first use where it came as bytes.

import { KubedeltaError } from '../base/errors.ts'
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

/** An entry that holds bytes and parses them when someone first looks at the object. */
export function bytesEntry<T>(
  raw: Pick<RawObject, 'bytes' | 'namespace' | 'name' | 'uid' | 'resourceVersion'>,
): Entry<T> {
  return new BytesEntry<T>(raw)
}

/** Whether two entries hold the same state: by their bytes where both have them, else by who they are. */
export function isSameContent<T>(a: Entry<T>, b: Entry<T>): boolean {
  if (a === b) return true
  if (a.uid !== b.uid || a.resourceVersion !== b.resourceVersion) return false
  return a.bytes === undefined || b.bytes === undefined || a.bytes.equals(b.bytes)
}

class BytesEntry<T> implements Entry<T> {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly bytes: Buffer
  #parsed: { readonly object: T } | undefined

  constructor(raw: Pick<RawObject, 'bytes' | 'namespace' | 'name' | 'uid' | 'resourceVersion'>) {
    this.key = keyOf(raw.namespace, raw.name)
    this.namespace = raw.namespace
    this.name = raw.name
    this.uid = raw.uid
    this.resourceVersion = raw.resourceVersion
    this.bytes = raw.bytes
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
