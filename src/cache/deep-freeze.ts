// Makes a JSON value immutable, so that handing it out costs no copy and corrupts nothing.

/**
 * Freezes a value and everything in it, and returns it.
 *
 * Meant for what JSON.parse returns: plain objects, arrays, text, numbers. A Date or Map inside is frozen as an object, which
 * does not protect what it holds; a Buffer or typed array cannot be frozen and is left as it is.
 */
export function deepFreeze<T>(value: T): T {
  const open: unknown[] = [value]
  // Only what came in frozen is remembered: a tree out of JSON.parse holds nothing frozen, so it costs no set.
  let frozenBefore: Set<object> | undefined
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null || ArrayBuffer.isView(next)) continue
    if (Object.isFrozen(next)) {
      // Frozen on top says nothing about what is below, and a cycle comes by here again.
      frozenBefore ??= new Set()
      if (frozenBefore.has(next)) continue
      frozenBefore.add(next)
    } else {
      Object.freeze(next)
    }
    for (const child of Object.values(next)) if (typeof child === 'object' && child !== null) open.push(child)
  }
  return value
}
