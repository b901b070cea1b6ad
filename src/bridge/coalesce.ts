// Lets an update of an object take the place of what still waits to be written of the same object.

import type { WireEntry } from '../record/order.ts'

/**
 * What is to be written instead of both, at the place of the waiting ones; undefined where both must be.
 *
 * - Only an UPDATED takes a place, and only that of an ADDED or UPDATED of its own uid: deletes and re-creations stay apart.
 * - What takes it stands where the former would have: an ADDED stays ADDED, `previous` is what stands before it on the topic, and
 *   `initial` still says on which side of the first progress record that is.
 * - `cause` stays as well, how the first difference was noticed; but an object that has changed is no RESYNC any more.
 */
export function coalesce(waiting: readonly WireEntry[], later: readonly WireEntry[]): readonly WireEntry[] | undefined {
  const last = waiting.at(-1)
  const [update] = later
  if (last?.kind !== 'record' || update?.kind !== 'record' || later.length !== 1) return undefined
  // A delete ends with its tombstone, so what is left is an ADDED or UPDATED.
  if (update.record.op !== 'UPDATED' || last.record.uid !== update.record.uid) return undefined
  const { op, previous, initial, cause } = last.record
  const record = { ...update.record, op, previous, initial, cause: cause === 'RESYNC' ? update.record.cause : cause }
  return [...waiting.slice(0, -1), { ...last, record }]
}
