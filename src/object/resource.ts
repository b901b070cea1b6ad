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

/** What `resourceName` prints, taken apart; a name without a group is of the core group. */
export function parseResourceName(name: string): Pick<Resource, 'group' | 'resource'> {
  const dot = name.indexOf('.')
  return dot < 0 ? { group: '', resource: name } : { group: name.slice(dot + 1), resource: name.slice(0, dot) }
}

/** `v1`, `apps/v1`: what an object's `apiVersion` holds. */
export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** What `apiVersionOf` prints, taken apart. */
export function parseApiVersion(apiVersion: string): Pick<Resource, 'group' | 'version'> {
  const slash = apiVersion.indexOf('/')
  if (slash < 0) return { group: '', version: apiVersion }
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}
