// Leaves objects out of records that are larger than the topic takes.

import type { WireEntry } from '../record/order.ts'

/**
 * The next smaller form of a change; undefined where it holds no object any more.
 *
 * Where one object takes the place of another, the former one's last state goes first: what exists now is worth more.
 */
export function smallerEntries(entries: readonly WireEntry[]): readonly WireEntry[] | undefined {
  const first = entries.find((entry) => entry.kind === 'record' && entry.record.object !== null)
  if (first === undefined) return undefined
  return entries.map((entry) => {
    return entry === first && entry.kind === 'record' ? { ...entry, record: { ...entry.record, object: null } } : entry
  })
}
