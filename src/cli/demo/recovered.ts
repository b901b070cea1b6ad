// What bridges have found out at their starts: the records with cause RECOVERY.

import type { Counts, RecordTally } from './record-tally.ts'

export interface Recovered extends Readonly<Counts> {
  /** Of the Deletes, how many carry the last state of an object whose deletion nobody saw. */
  readonly lastStates: number
}

export const NOTHING_RECOVERED: Recovered = { ADDED: 0, UPDATED: 0, DELETED: 0, lastStates: 0 }

/** All that stands on these topics. */
export function totalRecovered(tallies: readonly RecordTally[]): Recovered {
  return tallies.reduce(
    (total, { recovered, recoveredDeletions }) => ({
      ADDED: total.ADDED + recovered.ADDED,
      UPDATED: total.UPDATED + recovered.UPDATED,
      DELETED: total.DELETED + recovered.DELETED,
      lastStates: total.lastStates + recoveredDeletions.size,
    }),
    NOTHING_RECOVERED,
  )
}

/** What has come since. */
export function recoveredSince(before: Recovered, now: Recovered): Recovered {
  return {
    ADDED: now.ADDED - before.ADDED,
    UPDATED: now.UPDATED - before.UPDATED,
    DELETED: now.DELETED - before.DELETED,
    lastStates: now.lastStates - before.lastStates,
  }
}

/** `3 ADDED, 5 UPDATED, 2 DELETED, 2 with their last state`. */
export function recoveredText({ ADDED, UPDATED, DELETED, lastStates }: Recovered): string {
  return `${ADDED} ADDED, ${UPDATED} UPDATED, ${DELETED} DELETED, ${lastStates} with their last state`
}
