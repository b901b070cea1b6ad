// Puts popped deltas back into the order in which they arrived.

import type { Delta } from '../watch/delta.ts'
import type { Popped } from '../watch/delta-queue-popped.ts'
import type { Seen } from './seen.ts'

export type PoppedDeltas = Extract<Popped<Seen>, { readonly kind: 'deltas' }>

export interface Arrival {
  readonly popped: PoppedDeltas
  readonly delta: Delta<Seen>
}

/**
 * The deltas of everything that was queued, in the order of the watch.
 *
 * The queue hands out all deltas of one key together. On a topic the events of one watch shall stand as they happened, across
 * keys too, so that who reads one partition sees a ReplicaSet scaled before its pods appear. Whole queues are popped at once,
 * so whatever comes later has arrived later. A delete that a list found has no arrival of its own: it goes behind the delta before it
 * of its key, or first.
 */
export function inArrivalOrder(entries: readonly PoppedDeltas[]): readonly Arrival[] {
  const arrivals: Array<Arrival & { readonly sequence: number }> = []
  let isOrdered = true
  for (const popped of entries) {
    if (popped.deltas.length > 1) isOrdered = false
    let sequence = 0
    for (const delta of popped.deltas) {
      sequence = delta.object?.sequence ?? sequence
      arrivals.push({ popped, delta, sequence })
    }
  }
  return isOrdered ? arrivals : arrivals.toSorted((a, b) => a.sequence - b.sequence)
}
