// What a reflector says about objects, in client-go's words.

/** Why a list was made: decides a record's cause and the label of the relist metric. */
export type ListReason = 'initial' | 'expired' | 'resync' | 'watch-error' | 'too-large' | 'requested'

/**
 * One observation of one object.
 *
 * - `replaced`: seen in a list; `sync`: shown again by a resync of the queue.
 * - `deleted` with `finalStateUnknown`: the deletion was missed (client-go's DeletedFinalStateUnknown); `object` is then the last
 *   state known, absent where only the key is.
 */
export type Delta<T> =
  | { readonly kind: 'added' | 'updated' | 'sync'; readonly object: T }
  | { readonly kind: 'replaced'; readonly object: T; readonly reason: ListReason }
  | { readonly kind: 'deleted'; readonly object: T; readonly finalStateUnknown: false }
  | {
      readonly kind: 'deleted'
      readonly object: T | undefined
      readonly finalStateUnknown: true
      readonly reason: ListReason
    }

/**
 * Where a reflector puts what it sees. A list streams in: begin, items, end; nothing is taken for deleted before `end`.
 * Changes may come within a list that streams in: what was added or updated since `begin` is there as if it were listed.
 * A `begin` without an `end` (the list failed) is forgotten by the next `begin`; its items stand, each was true when listed.
 * What returns a promise wants to be waited for: that holds back the socket.
 */
export interface DeltaSink<T> {
  begin(reason: ListReason): void
  item(object: T, signal: AbortSignal): Promise<void> | void
  /** Everything known and not listed since `begin` has vanished. */
  end(resourceVersion: string, signal: AbortSignal): Promise<void> | void
  add(object: T, signal: AbortSignal): Promise<void> | void
  update(object: T, signal: AbortSignal): Promise<void> | void
  delete(object: T, signal: AbortSignal): Promise<void> | void
  /** Everything up to this resourceVersion was put before. */
  bookmark(resourceVersion: string): void
}
