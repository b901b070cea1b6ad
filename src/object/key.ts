// `namespace/name`, or `name` for cluster-scoped objects: the key of an object in caches and on topics.

import { KubedeltaError } from '../base/errors.ts'

/** The key of an object; an empty or null namespace means cluster scope (client-go MetaNamespaceKeyFunc). */
export function keyOf(namespace: string | null | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name
}

/**
 * Splits a key into namespace ('' for cluster scope) and name.
 * @throws KubedeltaError `usage` when it has more than one slash (client-go SplitMetaNamespaceKey)
 */
export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const parts = key.split('/')
  if (parts.length === 1) return { namespace: '', name: key }
  const [namespace = '', name = ''] = parts
  if (parts.length === 2) return { namespace, name }
  throw new KubedeltaError(
    'usage',
    `Cannot split key: wanted namespace/name or name: current value is ${JSON.stringify(key)}`,
  )
}
