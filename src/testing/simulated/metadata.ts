// Makes and keeps the metadata of objects: what the apiserver sets, and in which order it prints it.

import { itemsAt, membersAt, sorted, textAt, type Json, type JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'

/** What the apiserver sets on a new object. */
export interface Birth {
  readonly name: string
  /** '' for cluster scope. */
  readonly namespace: string
  readonly uid: string
  readonly atMs: number
}

/** The metadata of a new object, without resourceVersion. */
export function createdMetadata(kind: ServedKind, asked: JsonObject, birth: Birth): JsonObject {
  const { deletionTimestamp: _at, deletionGracePeriodSeconds: _grace, managedFields: _fields, ...rest } = asked
  const { name, namespace, uid } = birth
  return {
    ...rest,
    ...(kind.apiVersion === 'v1' && kind.kind === 'Namespace' && { labels: labelled(asked, name) }),
    name,
    ...(namespace !== '' && { namespace }),
    uid,
    ...(kind.hasGeneration && { generation: 1 }),
    creationTimestamp: timestamp(birth.atMs),
  }
}

/** The metadata of an updated object, without resourceVersion: what the apiserver set stays. */
export function updatedMetadata(before: JsonObject, asked: JsonObject): JsonObject {
  const { managedFields: _fields, ...rest } = asked
  const kept = SET_BY_SERVER.map((name) => [name, before[name]] as const)
  return { ...rest, ...Object.fromEntries(kept) }
}

const SET_BY_SERVER = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
]

/** Kind, apiVersion and metadata first and in the order of Go's structs, or all members sorted where the kind is custom. */
export function arranged(kind: ServedKind, metadata: JsonObject, body: JsonObject): (version: string) => JsonObject {
  const { kind: name, apiVersion } = kind
  return (resourceVersion) => {
    const numbered = { ...metadata, resourceVersion }
    if (kind.isCustom) {
      const all = sorted({ ...body, apiVersion, kind: name, metadata: tidy(numbered) })
      return membersAt(all)
    }
    const known = METADATA_ORDER.filter((field) => Object.hasOwn(numbered, field))
    const inOrder = tidy(Object.fromEntries(known.map((field) => [field, membersAt(numbered)[field]])))
    return { kind: name, apiVersion, metadata: inOrder, ...body }
  }
}

/** apimachinery meta/v1, ObjectMeta; what is not in it is no part of an object. */
const METADATA_ORDER = [
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
]

/** Empty members are not printed, and maps in the order of their keys. */
function tidy(metadata: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(metadata).flatMap(([name, value]): ReadonlyArray<readonly [string, Json]> => {
      if (value === undefined || value === null || value === '' || isEmpty(value)) return []
      return [[name, name === 'labels' || name === 'annotations' ? sorted(value) : value]]
    }),
  )
}

function isEmpty(value: Json): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

/** Whether something still has to happen before the object may go. */
export function hasFinalizers(object: JsonObject): boolean {
  return itemsAt(object, 'metadata', 'finalizers').length > 0
}

/** As metav1.Time prints: seconds, UTC. */
export function timestamp(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.[0-9]{3}Z$/, 'Z')
}

function labelled(asked: JsonObject, name: string): JsonObject {
  return { ...membersAt(asked, 'labels'), 'kubernetes.io/metadata.name': name }
}

/** The uid of an object. */
export function uidOf(object: JsonObject): string {
  return textAt(object, 'metadata', 'uid')
}

/** Whether an object names one with this uid as an owner. */
export function isOwnedBy(object: JsonObject, uid: string): boolean {
  return itemsAt(object, 'metadata', 'ownerReferences').some((reference) => textAt(reference, 'uid') === uid)
}
