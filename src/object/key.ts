// `namespace/name`, or `name` for cluster-scoped objects: the key of an object in caches and on topics.

import { KubedeltaError } from '../base/errors.ts'

/** The key of an object; an empty or null namespace means cluster scope (client-go MetaNamespaceKeyFunc). */
export function keyOf(namespace: string | null | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name
}

/** Whether the key is that of namespace and name, told without making it: caches ask this of every record. */
export function isKeyOf(key: string, namespace: string | null | undefined, name: string): boolean {
  if (!namespace) return key === name
  const behind = namespace.length + 1
  if (key.length !== behind + name.length || key.charCodeAt(behind - 1) !== SLASH) return false
  // Quicker than `startsWith` and `endsWith`, which are calls into V8.
  for (let at = 0; at < namespace.length; at += 1) if (key.charCodeAt(at) !== namespace.charCodeAt(at)) return false
  for (let at = 0; at < name.length; at += 1) if (key.charCodeAt(behind + at) !== name.charCodeAt(at)) return false
  return true
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

const SLASH = 0x2f
