// Reads what routing and indexing need from the metadata of an object of any type, and says the key of an object.

import { KubedeltaError, messageOf } from '../base/errors.ts'
import { isFields } from '../base/fields.ts'
import { keyOf } from '../object/key.ts'

/** The facts of `metadata` that a cache goes by; what is absent is '' or empty. */
export interface Metadata {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  /** uids of `ownerReferences`, in their order. */
  readonly ownerUids: readonly string[]
}

/** Says the key of an object; may throw for what has none. */
export type KeyFunction<T> = (object: T) => string

/** The metadata of an object; undefined where it has none, as text or numbers in a store of one's own. */
export function metadataOf(object: unknown): Metadata | undefined {
  const metadata = isFields(object) ? object['metadata'] : undefined
  if (!isFields(metadata)) return undefined
  const owners = metadata['ownerReferences']
  return {
    namespace: textOf(metadata['namespace']),
    name: textOf(metadata['name']),
    uid: textOf(metadata['uid']),
    resourceVersion: textOf(metadata['resourceVersion']),
    ownerUids: Array.isArray(owners) ? owners.filter(isFields).map((owner) => textOf(owner['uid'])) : [],
  }
}

/** The labels of an object; empty where it has none. */
export function labelsOf(object: unknown): Readonly<Record<string, string>> {
  const metadata = isFields(object) ? object['metadata'] : undefined
  return asLabels(isFields(metadata) ? metadata['labels'] : undefined)
}

/** What stands in an object as its labels; empty where that is nothing or no object. */
export function asLabels(labels: unknown): Readonly<Record<string, string>> {
  return isTextRecord(labels) ? labels : {}
}

/**
 * `namespace/name`, or `name` without a namespace; text passes through as a key (client-go MetaNamespaceKeyFunc).
 * @throws KubedeltaError `usage` when the object has no metadata
 */
export function metaNamespaceKey(object: unknown): string {
  if (typeof object === 'string') return object
  const metadata = metadataOf(object)
  if (metadata === undefined) throw new KubedeltaError('usage', `object has no meta: ${describe(object)}`)
  return keyOf(metadata.namespace, metadata.name)
}

/**
 * The key of an object by a key function.
 * @throws KubedeltaError `usage` with client-go's text of a KeyError; the reason is its cause
 */
export function keyBy<T>(key: KeyFunction<T>, object: T): string {
  try {
    return key(object)
  } catch (error) {
    const reason = messageOf(error)
    throw new KubedeltaError('usage', `couldn't create key for object ${describe(object)}: ${reason}`, { cause: error })
  }
}

/** Names an object in a message by its kind and fields alone: an object without metadata may still be a Secret. */
function describe(object: unknown): string {
  if (!isFields(object)) return typeof object
  const kind = textOf(object['kind'])
  return `${kind === '' ? 'object' : kind} with fields [${Object.keys(object).slice(0, 10).join(' ')}]`
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isTextRecord(value: unknown): value is Readonly<Record<string, string>> {
  return isFields(value)
}
