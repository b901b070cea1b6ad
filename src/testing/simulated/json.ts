// JSON documents as plain data, with integers that keep all their digits.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json | undefined
}

/**
 * Parses JSON. An integer that no number can hold is kept as its digits (JSON.rawJSON), which prints as it was.
 * @throws SyntaxError when it is none
 */
export function parseJson(text: string): unknown {
  if (!/[0-9]{16}/.test(text)) return JSON.parse(text)
  return JSON.parse(text, revive)
}

// The third argument of a reviver and rawJSON are of ECMA-262's "JSON.parse source text access", which lib.esnext does not declare yet.
function revive(_key: string, value: unknown, ...[context]: readonly unknown[]): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source: unknown = isJsonObject(context) ? context['source'] : undefined
  const rawJson: unknown = Reflect.get(JSON, 'rawJSON')
  if (typeof source !== 'string' || !/^-?[0-9]+$/.test(source) || typeof rawJson !== 'function') return value
  return Reflect.apply(rawJson, JSON, [source])
}

/** Whether it is an object with members; the digits of a large integer are none. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) !== null
}

/** Whether two documents say the same, whatever the order of members. */
export function isSameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a === b || JSON.stringify(a) === JSON.stringify(b) || JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

/** What stands at a path of member names; undefined where the path ends early. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let found = value
  for (const name of path) {
    if (!isJsonObject(found) || !Object.hasOwn(found, name)) return undefined
    found = found[name]
  }
  return found
}

/** The string at a path, '' where there is none. */
export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

/** The members of the object at a path, none where there is no object. */
export function membersAt(value: Json | undefined, ...path: readonly string[]): JsonObject {
  const found = at(value, ...path)
  return isJsonObject(found) ? found : {}
}

/** The items of the array at a path, none where there is no array. */
export function itemsAt(value: Json | undefined, ...path: readonly string[]): readonly Json[] {
  const found = at(value, ...path)
  return isJsonArray(found) ? found : []
}

/** Whether it is a list; what stands in it is JSON if the whole is. */
export function isJsonArray(value: unknown): value is readonly Json[] {
  return Array.isArray(value)
}

/** The same document with the members of each object in the order of their names, as Go prints maps. */
export function sorted(value: Json): Json {
  if (isJsonArray(value)) return value.map(sorted)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .flatMap((name) => {
        const member = value[name]
        return member === undefined ? [] : [[name, sorted(member)] as const]
      }),
  )
}

/** The object without these members. */
export function without(object: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}
