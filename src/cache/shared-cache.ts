// Lets those who ask for the same cache share one, with the indexers of all of them.

import { KubedeltaError } from '../base/errors.ts'
import type { Cache } from './cache.ts'
import type { Indexers } from './index-function.ts'

/** A cache that is given to everybody who asks for the same. */
export interface SharedCache {
  /** What it was asked for, part by part. */
  readonly identity: readonly unknown[]
  /** The index functions that were asked for so far, by name. */
  readonly indexers: Map<string, unknown>
}

/** Whether a cache is the one that is asked for: functions and storages have to be the very same ones. */
export function isSharedWith({ identity }: SharedCache, asked: readonly unknown[]): boolean {
  return identity.length === asked.length && identity.every((part, index) => Object.is(part, asked[index]))
}

/**
 * Adds the indexers that are asked for and not there yet.
 * @param what names the cache in the message: `informer of pods`
 * @throws KubedeltaError `usage` for a name that has another function; nothing is added then
 */
export function addMissingIndexers<T>(
  cache: Pick<Cache<T>, 'addIndexers'>,
  wanted: Indexers<T>,
  { shared, what }: { readonly shared: SharedCache; readonly what: string },
): void {
  const known = shared.indexers
  const missing = Object.entries(wanted).filter(([name, indexFunction]) => known.get(name) !== indexFunction)
  const taken = missing.find(([name]) => known.has(name))
  if (taken !== undefined) {
    throw new KubedeltaError(
      'usage',
      `Cannot share the ${what}: its index '${taken[0]}' has another function: pass the same function, or choose another name`,
    )
  }
  cache.addIndexers(Object.fromEntries(missing))
  for (const [name, indexFunction] of missing) known.set(name, indexFunction)
}
