// Publishes as much OpenAPI as kubectl asks for before it writes: that the server validates fields.

import type { JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'

/** The answer to /openapi/v3: where the document of each group version is. */
export function openApiIndex(kinds: readonly ServedKind[]): JsonObject {
  const roots = new Set(kinds.map(rootOf))
  const paths = [...roots].map((root) => [root, { serverRelativeURL: `/openapi/v3/${root}` }] as const)
  return { paths: Object.fromEntries(paths) }
}

/** The answer to /openapi/v3/ROOT: a PATCH for each kind, which takes `fieldValidation`. */
export function openApiDocument(root: string, kinds: readonly ServedKind[]): JsonObject | undefined {
  const served = kinds.filter((kind) => rootOf(kind) === root)
  if (served.length === 0) return undefined
  const paths = served.map(({ resource, namespaced, group, version, kind }) => {
    const patch = {
      parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
      responses: { '200': { description: 'OK' } },
      'x-kubernetes-group-version-kind': { group, version, kind },
    }
    return [`/${root}/${namespaced ? 'namespaces/{namespace}/' : ''}${resource}/{name}`, { patch }] as const
  })
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: 'simulated' }, paths: Object.fromEntries(paths) }
}

function rootOf({ group, apiVersion }: ServedKind): string {
  return group === '' ? `api/${apiVersion}` : `apis/${apiVersion}`
}
