// Gives records that a broker found untimely the time of now.

import type { PendingGroup } from './outstanding.ts'

/** A time that is refused though it is this close to our clock shows that the broker's clock differs. */
const CLOCK_TOLERANCE_MS = 10_000

/**
 * Records that waited out an outage may be older than the topic allows. The time at which an object was seen stands in the
 * record's value too, so that nothing is lost with the timestamp.
 * @returns false where the time of our clock itself was refused: then another time does not help
 */
export function restamp(groups: readonly PendingGroup[], nowMs: number): boolean {
  const times = groups.flatMap(({ records }) => records.map(({ timestampMs }) => timestampMs))
  if (times.every((time) => Math.abs(nowMs - time) < CLOCK_TOLERANCE_MS)) return false
  for (const group of groups) group.restamp(nowMs)
  return true
}
