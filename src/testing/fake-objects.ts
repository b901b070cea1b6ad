// Kubernetes objects for tests, as the bytes an apiserver would write.

import type { RawObject } from '../object/raw-object.ts'
import { apiVersionOf, type Resource } from '../object/resource.ts'

/** The resource `pods`, as discovery describes it. */
export const PODS: Resource = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  namespaced: true,
  singular: 'pod',
  shortNames: ['po'],
  verbs: ['get', 'list', 'watch'],
}

export interface FakeObject {
  readonly name: string
  /** @default 'default', '' where the resource is cluster-scoped */
  readonly namespace?: string
  /** @default one made of name and the resourceVersion of its creation */
  readonly uid?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Further members of the object beside metadata. */
  readonly body?: Readonly<Record<string, unknown>>
}

/** An object with kind, apiVersion and metadata, as one JSON text. */
export function fakeObject(
  resource: Resource,
  object: FakeObject & { readonly uid: string; readonly resourceVersion: string },
): RawObject {
  const { name, uid, resourceVersion, labels, body } = object
  const namespace = object.namespace ?? (resource.namespaced ? 'default' : '')
  const { kind } = resource
  const apiVersion = apiVersionOf(resource)
  const metadata = { name, ...(namespace === '' ? {} : { namespace }), uid, resourceVersion, ...(labels && { labels }) }
  const bytes = Buffer.from(JSON.stringify({ kind, apiVersion, metadata, ...body }))
  return { bytes, apiVersion, kind, namespace, name, uid, resourceVersion }
}
