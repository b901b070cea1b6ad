// A collection of the Kubernetes API, as discovery describes it.

export interface Resource {
  /** API group; '' is the core group. */
  readonly group: string
  readonly version: string
  /** The plural in URLs: `deployments`. */
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly verbs: readonly string[]
}

/** `pods`, `deployments.apps`: the name of a collection in topics, flags, labels and messages. */
export function resourceName(resource: Pick<Resource, 'group' | 'resource'>): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
}

/** `v1`, `apps/v1`: what an object's `apiVersion` holds. */
export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}
