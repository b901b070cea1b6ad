// Applies merge patches: plain ones (RFC 7396), and strategic ones, which know how Kubernetes merges lists.

import { isJsonArray, isJsonObject, isSameJson, without, type Json, type JsonObject } from './json.ts'

/** RFC 7396: objects are merged, null removes, everything else replaces. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch
  const merged: Record<string, Json | undefined> = { ...(isJsonObject(target) ? target : {}) }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name]
    else if (value !== undefined) merged[name] = mergePatch(merged[name], value)
  }
  return merged
}

/**
 * Kubernetes' strategic merge patch: lists of the types in the table are merged by their keys, those of finalizers as sets, others replaced;
 * `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/...` are obeyed, `$setElementOrder/...` is ignored (apimachinery util/strategicpatch).
 */
export function strategicMergePatch(target: Json | undefined, patch: Json, name = ''): Json {
  if (isJsonArray(patch)) return mergeLists(isJsonArray(target) ? target : [], patch, name)
  if (!isJsonObject(patch)) return patch
  if (patch['$patch'] === 'replace') return without(patch, '$patch')
  const retained = patch['$retainKeys']
  const before = isJsonObject(target) ? target : {}
  const merged: Record<string, Json | undefined> = isJsonArray(retained)
    ? Object.fromEntries(Object.entries(before).filter(([key]) => retained.includes(key)))
    : { ...before }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) applyDirective(merged, key, value)
    else if (value === null) delete merged[key]
    else if (value !== undefined) merged[key] = strategicMergePatch(merged[key], value, key)
  }
  return merged
}

const DELETE_FROM_LIST = '$deleteFromPrimitiveList/'

function applyDirective(merged: Record<string, Json | undefined>, directive: string, value: Json | undefined): void {
  if (!directive.startsWith(DELETE_FROM_LIST)) return
  const name = directive.slice(DELETE_FROM_LIST.length)
  const list = merged[name]
  if (isJsonArray(list) && isJsonArray(value)) merged[name] = list.filter((item) => !value.includes(item))
}

/** Name of a list -> member by which its items are told apart; the first that the items have. */
const MERGE_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  imagePullSecrets: ['name'],
  secrets: ['name'],
  // Of a container, of a Service.
  ports: ['containerPort', 'port'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey'],
  conditions: ['type'],
  addresses: ['type'],
  taints: ['key'],
  ownerReferences: ['uid'],
}

const SETS: ReadonlySet<string> = new Set(['finalizers'])

function mergeLists(target: readonly Json[], patch: readonly Json[], name: string): Json {
  if (SETS.has(name)) return [...target, ...patch.filter((item) => !target.includes(item))]
  const key = MERGE_KEYS[name]?.find((member) => [...target, ...patch].some((item) => has(item, member)))
  if (key === undefined) return patch
  if (patch.some((item) => isJsonObject(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => !(isJsonObject(item) && item['$patch'] === 'replace'))
  }
  const isSame = (a: Json, b: Json): boolean =>
    has(a, key) && has(b, key) && isSameJson(memberOf(a, key), memberOf(b, key))
  const kept = target.flatMap((item) => {
    const found = patch.find((other) => isSame(item, other))
    if (found === undefined) return [item]
    return memberOf(found, '$patch') === 'delete' ? [] : [strategicMergePatch(item, found)]
  })
  const added = patch.filter(
    (item) => memberOf(item, '$patch') !== 'delete' && !target.some((other) => isSame(item, other)),
  )
  return [...added, ...kept]
}

function has(item: Json, member: string): item is JsonObject {
  return isJsonObject(item) && Object.hasOwn(item, member)
}

function memberOf(item: Json, member: string): Json | undefined {
  return isJsonObject(item) ? item[member] : undefined
}
