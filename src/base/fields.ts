// Reads members of parsed JSON whose shape nobody has promised.

/** Whether a value is an object with members, and no array. */
export function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value at the end of a path of member names; undefined where the path breaks off. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value
  for (const name of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = Object.hasOwn(current, name) ? Reflect.get(current, name) : undefined
  }
  return current
}

/** The text at a path, '' where there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** The number at a path, 0 where there is none, as Go's zero values. */
export function numberAt(value: unknown, ...path: readonly string[]): number {
  const found = at(value, ...path)
  return typeof found === 'number' ? found : 0
}

/** The list at a path, empty where there is none. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

/** The texts of the list at a path; what is no text is left out. */
export function textsAt(value: unknown, ...path: readonly string[]): readonly string[] {
  return listAt(value, ...path).filter((each) => typeof each === 'string')
}

/** Names and values of the object at a path, sorted by name, empty where there is none. */
export function entriesAt(value: unknown, ...path: readonly string[]): ReadonlyArray<readonly [string, unknown]> {
  const found = at(value, ...path)
  if (typeof found !== 'object' || found === null) return []
  return Object.entries(found).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
