// Index functions: which values an object is found under, and the ones that every cache wants.

import { metadataOf } from './metadata.ts'

/** The values an object is found under: none leaves it out of the index, many and repeated ones are fine. */
export type IndexFunction<T> = (object: T) => readonly string[]

/** Index name -> index function. */
export type Indexers<T> = Readonly<Record<string, IndexFunction<T>>>

/** The index name that listers look for: objects by namespace. */
export const NAMESPACE_INDEX = 'namespace'

/** The customary name of the index of objects by the uids of their owners. */
export const OWNER_INDEX = 'owner'

/** Indexes by namespace; '' holds what is cluster-scoped (client-go MetaNamespaceIndexFunc). */
export function namespaceIndex(object: unknown): readonly string[] {
  return [metadataOf(object)?.namespace ?? '']
}

/** Indexes by `metadata.ownerReferences[].uid`: `byIndex('owner', replicaSet.metadata.uid)` finds its pods. */
export function ownerIndex(object: unknown): readonly string[] {
  return metadataOf(object)?.ownerUids ?? []
}
