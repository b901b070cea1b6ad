// What a cluster and a cache hold at one moment, and where they differ.

import { keyOf } from '../../object/key.ts'
import { textAt } from '../../print/fields.ts'

export interface State {
  readonly uid: string
  readonly resourceVersion: string
}

/** Key -> what is there. */
export type States = ReadonlyMap<string, State>

/** Keys by how cluster and cache differ. */
export interface Difference {
  /** Only the cluster has them. */
  readonly missing: readonly string[]
  /** Only the cache has them. */
  readonly extra: readonly string[]
  /** Both have them, as another object or in another version. */
  readonly stale: readonly string[]
}

/** The states of these objects. */
export function statesOf(objects: readonly unknown[]): States {
  return new Map(
    objects.map((object) => [
      keyOf(textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name')),
      { uid: textAt(object, 'metadata', 'uid'), resourceVersion: textAt(object, 'metadata', 'resourceVersion') },
    ]),
  )
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
