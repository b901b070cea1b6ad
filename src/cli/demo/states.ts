// Where a cluster and a cache differ at one moment.

import type { State, States } from '../compare-states.ts'

/** Keys by how cluster and cache differ. */
export interface Difference {
  /** Only the cluster has them. */
  readonly missing: readonly string[]
  /** Only the cache has them. */
  readonly extra: readonly string[]
  /** Both have them, as another object or in another version. */
  readonly stale: readonly string[]
}

/** How a cache differs from its cluster, both at the same moment: what is on its way counts too. */
export function differenceOf(cluster: States, cache: States): Difference {
  const isStale = (key: string, { uid, resourceVersion }: State): boolean => {
    const held = cache.get(key)
    return held !== undefined && (held.uid !== uid || held.resourceVersion !== resourceVersion)
  }
  return {
    missing: [...cluster.keys()].filter((key) => !cache.has(key)),
    extra: [...cache.keys()].filter((key) => !cluster.has(key)),
    stale: [...cluster].flatMap(([key, state]) => (isStale(key, state) ? [key] : [])),
  }
}

/** How many keys differ. */
export function sizeOf({ missing, extra, stale }: Difference): number {
  return missing.length + extra.length + stale.length
}
