// What a bridge that was killed has missed, and whether its successor has made it good.

import type { State, States } from '../compare-states.ts'

/** What happened to a resource while nobody wrote its topic. */
export interface Missed {
  readonly resource: string
  readonly created: number
  readonly changed: number
  /** uid -> key of the objects that are gone. */
  readonly deleted: ReadonlyMap<string, string>
}

/** A time without a bridge. */
export interface Outage {
  readonly durationMs: number
  readonly missed: readonly Missed[]
}

export interface OutagePlan {
  /** Milliseconds, as the others. */
  readonly untilFirst: number
  readonly lasting: number
  /** From one recovery to the next outage; undefined: there is one outage. */
  readonly between: number | undefined
}

/** In the middle of what has an end; every half minute of what has none. Milliseconds. */
export function outagePlan(durationMs: number | undefined): OutagePlan {
  if (durationMs === undefined) return { untilFirst: 10_000, lasting: 4000, between: 30_000 }
  return { untilFirst: 0.4 * durationMs, lasting: Math.min(4000, 0.2 * durationMs), between: undefined }
}

/** What the cluster, as it is now, has done to a resource since the log held these states. */
export function missedSince(resource: string, held: States, cluster: States): Missed {
  const heldUids = new Set([...held.values()].map(({ uid }) => uid))
  const clusterUids = new Set([...cluster.values()].map(({ uid }) => uid))
  const gone = [...held].filter(([, { uid }]) => !clusterUids.has(uid))
  return {
    resource,
    created: [...clusterUids].filter((uid) => !heldUids.has(uid)).length,
    changed: [...cluster].filter(([key, state]) => isNewer(held.get(key), state)).length,
    deleted: new Map(gone.map(([key, { uid }]) => [uid, key])),
  }
}

/** All that was missed of a kind, over all resources. */
export function totalMissed({ missed }: Outage): Readonly<Record<'created' | 'changed' | 'deleted', number>> {
  return {
    created: missed.reduce((sum, { created }) => sum + created, 0),
    changed: missed.reduce((sum, { changed }) => sum + changed, 0),
    deleted: missed.reduce((sum, { deleted }) => sum + deleted.size, 0),
  }
}

function isNewer(before: State | undefined, after: State): boolean {
  return before?.uid === after.uid && before.resourceVersion !== after.resourceVersion
}
