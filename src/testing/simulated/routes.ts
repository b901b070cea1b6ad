// Reads the path of a request.

/** What a path names. */
export type Target =
  | { readonly kind: 'resource'; readonly path: ResourcePath }
  /** `/api`, `/apis`, `/version`, `/readyz` and whatever else is one document. */
  | { readonly kind: 'document'; readonly path: string }

export interface ResourcePath {
  readonly group: string
  readonly version: string
  readonly resource: string
  /** '' for cluster scope and for all namespaces. */
  readonly namespace: string
  /** '' for the collection. */
  readonly name: string
  /** '' for the object itself. */
  readonly subresource: string
}

/** The target of a path, which may name nothing that is served. */
export function parsePath(path: string): Target {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent)
  const [root, ...rest] = parts
  const isCore = root === 'api'
  const [group, version, ...inner] = isCore ? ['', ...rest] : rest
  if ((!isCore && root !== 'apis') || group === undefined || version === undefined || inner.length === 0) {
    return { kind: 'document', path: `/${parts.join('/')}` }
  }
  const place = { group, version }
  // A namespace's own object and subresources stand under the same word as what is in it.
  if (
    inner[0] === 'namespaces' &&
    inner.length > 2 &&
    !(isCore && inner.length === 3 && OF_NAMESPACES.has(inner[2] ?? ''))
  ) {
    const [, namespace = '', resource = '', name = '', subresource = ''] = inner
    return { kind: 'resource', path: { ...place, namespace, resource, name, subresource } }
  }
  const [resource = '', name = '', subresource = ''] = inner
  return { kind: 'resource', path: { ...place, namespace: '', resource, name, subresource } }
}

const OF_NAMESPACES: ReadonlySet<string> = new Set(['status', 'finalize'])
