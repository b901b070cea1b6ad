// Says what differs between two JSON values, as the JSON merge patch that leads from one to the other (RFC 7386).

/**
 * The patch; undefined where the two are the same. Lists are replaced as a whole, and a field that is null afterwards is removed: that is
 * all a merge patch can say.
 */
export function mergePatch(before: unknown, after: unknown): unknown {
  if (!isObject(after)) return isSame(before, after) ? undefined : after
  const known = isObject(before) ? before : {}
  const removed = Object.keys(known).filter((name) => !Object.hasOwn(after, name))
  const changed = Object.entries(after).flatMap(([name, value]) => {
    const patch = mergePatch(Object.hasOwn(known, name) ? known[name] : undefined, value)
    return patch === undefined ? [] : [[name, patch] as const]
  })
  if (isObject(before) && removed.length === 0 && changed.length === 0) return undefined
  return Object.fromEntries([...removed.map((name) => [name, null] as const), ...changed])
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
