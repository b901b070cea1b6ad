// A record: one typed Add, Update or Delete of one object, as design and docs/wire-format.md describe it.

export type Operation = 'UNKNOWN' | 'ADDED' | 'UPDATED' | 'DELETED'

/**
 * How the change was noticed: RESYNC an Update of an unchanged object, RECOVERY a difference found against the topic at start,
 * SELECTOR known to have left the selection, POLICY rewritten because the policy changed.
 */
export type Cause = 'UNKNOWN' | 'WATCH' | 'LIST' | 'RELIST' | 'RESYNC' | 'RECOVERY' | 'SELECTOR' | 'POLICY'

/** What the topic held under the key before. */
export interface Previous {
  readonly uid: string
  readonly resourceVersion: string
}

export interface KubeRecord {
  readonly op: Operation
  readonly cause: Cause
  /** DELETED only: the deletion itself was missed, `object` is the last state known. */
  readonly finalStateUnknown: boolean
  /** Written before this stream's first progress with synced=true. */
  readonly initial: boolean
  readonly cluster: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  /** null for cluster scope. */
  readonly namespace: string | null
  readonly name: string
  readonly uid: string
  /** Text, never a number. On DELETED: the deletion's own when watched, the last known when missed. */
  readonly resourceVersion: string
  /** null on ADDED. */
  readonly previous: Previous | null
  /** When the bridge saw it; milliseconds since the Unix epoch, also the Kafka timestamp. */
  readonly observedAt: number
  /** The leadership that wrote it: 1 + the highest in the topic's control records. */
  readonly epoch: number
  /** The object after policies, as UTF-8 JSON bytes; null where it had to be withheld. */
  readonly object: Buffer | null
}
