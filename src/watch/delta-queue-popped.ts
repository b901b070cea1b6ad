// What the consumer of a delta queue gets: the deltas of one key, or a barrier between what came before and after it.

import type { Delta, ListReason } from './delta.ts'

/** An entry on its way through the consumer, which releases it once. */
interface Held {
  /** Part of the initial population: it came to the queue before the first list had ended. */
  readonly initial: boolean
  /** Bytes of the budget that it holds. */
  readonly bytes: number
  /** Says that it is processed and no longer held: its bytes are given back. A second call does nothing. */
  release(): void
}

export type Popped<T> =
  /** The deltas of one key, oldest first. */
  | (Held & {
      readonly kind: 'deltas'
      readonly key: string
      readonly deltas: readonly Delta<T>[]
      /** Gives back some of the bytes before the release, which gives back the rest. */
      giveBack(bytes: number): void
    })
  /** A list ended: its items, and a delete of everything it lacks, were popped before. */
  | (Held & { readonly kind: 'listed'; readonly resourceVersion: string; readonly reason: ListReason })
  /** Everything up to this resourceVersion was popped before. */
  | (Held & { readonly kind: 'bookmark'; readonly resourceVersion: string })
