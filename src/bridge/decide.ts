// Decides what a delta means for a topic: which record it becomes, or none.

import type { Cause, Previous } from '../record/record.ts'
import type { ListReason } from '../watch/delta.ts'
import { WITHHELD_HASH, type IndexEntry } from './topic-index.ts'

/** How an object came to be seen. */
export type Sighting =
  | { readonly kind: 'watched' }
  | {
      readonly kind: 'listed'
      readonly reason: ListReason
      /** The first list of this run: differences are against what an earlier run left on the topic. */
      readonly first: boolean
    }

/** The facts of an object that decide, after policies. */
export interface Observed {
  readonly uid: string
  readonly resourceVersion: string
  readonly hash: string
}

/** What stands on the topic from earlier runs, as far as it decides causes. */
export interface Inherited {
  /** The stream has had a progress record with synced=true: what differs now was missed. */
  readonly synced: boolean
  /** The policy in force is another than the one the topic was written under. */
  readonly policyChanged: boolean
}

export type Decision =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'added'; readonly cause: Cause }
  | { readonly kind: 'updated'; readonly cause: Cause; readonly previous: Previous }
  /** Another object under the same key: DELETED(old), tombstone, ADDED(new), in one batch. */
  | { readonly kind: 'recreated'; readonly cause: Cause; readonly old: IndexEntry }

/** What to publish for an object that exists. */
export function decidePresent(
  entry: IndexEntry | undefined,
  observed: Observed,
  sighting: Sighting,
  inherited: Inherited,
): Decision {
  if (entry === undefined) return { kind: 'added', cause: causeOfDifference(sighting, inherited.synced) }
  // An entry without uid stands for bytes that nobody could read: the object is written over them.
  if (entry.uid === '') return { kind: 'added', cause: causeOfDifference(sighting, true) }
  if (entry.uid !== observed.uid) return { kind: 'recreated', cause: causeOfDifference(sighting, true), old: entry }
  const previous = { uid: entry.uid, resourceVersion: entry.resourceVersion }
  if (entry.resourceVersion !== observed.resourceVersion) {
    return { kind: 'updated', cause: causeOfDifference(sighting, true), previous }
  }
  const isNewPolicy = inherited.policyChanged && sighting.kind === 'listed' && sighting.first
  if (isNewPolicy ? entry.hash !== observed.hash : isRewrite(entry.hash, observed.hash)) {
    const cause = isNewPolicy ? 'POLICY' : causeOfDifference(sighting, true)
    return { kind: 'updated', cause, previous }
  }
  if (sighting.kind === 'listed' && sighting.reason === 'resync') return { kind: 'updated', cause: 'RESYNC', previous }
  return { kind: 'nothing' }
}

// What was withheld at this resourceVersion would be withheld again; without this it would be tried at every list.
function isRewrite(known: string, observed: string): boolean {
  return known !== observed && known !== WITHHELD_HASH
}

/** The cause of a difference; at the first list it depends on whether an earlier run could have published it. */
export function causeOfDifference(sighting: Sighting, earlierRunKnew: boolean): Cause {
  if (sighting.kind === 'watched') return 'WATCH'
  if (!sighting.first) return 'RELIST'
  return earlierRunKnew ? 'RECOVERY' : 'LIST'
}
