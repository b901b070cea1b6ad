// Decides what one record of a topic changes in a cache: a pure step, from what is held under its key.

import { isSameContent, type Entry } from '../cache/entry.ts'
import type { FeedChange } from '../cache/writer.ts'
import { compareResourceVersions } from '../object/resource-version.ts'
import type { KeyRecord } from './key-record.ts'

/** What is to be done with a cache. */
export type ReplicaChange<T> =
  | Extract<FeedChange<T>, { readonly kind: 'set-entry' | 'delete-key' }>
  /** Nothing changed, and the bridge shows the object again to whoever asked for that. */
  | { readonly kind: 'show-again'; readonly key: string }

/**
 * How a record went back in time: `epoch` was written by a leader that another had followed already, `resource-version` is older
 * than what its key held.
 */
export type Regression = 'epoch' | 'resource-version'

export interface Applied<T> {
  /** undefined: the same again, or the delete of a key that is not held. */
  readonly change: ReplicaChange<T> | undefined
  /** Counted, never corrected: the log decides. */
  readonly regressions: readonly Regression[]
}

/** What a record meets. */
export interface Held<T> {
  /** What the cache, or the content being built, holds under the record's key. */
  readonly entry: Entry<T> | undefined
  /** The highest epoch that stands before the record in its partition. */
  readonly epoch: number
}

/**
 * What a record changes.
 *
 * - The record wins, whatever its epoch or resourceVersion: a cache is a pure function of the log.
 * - Whether something changed is told from uid, resourceVersion and bytes; `op` says only whether the object is gone.
 * - A state that the cache does not select is the delete of what is held.
 * - A DELETED of the object that is held gives its final state; of another object, or a tombstone alone, the state held is the last
 *   one known. The tombstone behind a DELETED finds nothing left to do.
 */
export function applyRecord<T>(held: Held<T>, record: KeyRecord<T>): Applied<T> {
  return { change: changeOf(held.entry, record), regressions: regressionsOf(held, record) }
}

function changeOf<T>(held: Entry<T> | undefined, record: KeyRecord<T>): ReplicaChange<T> | undefined {
  const { key } = record
  switch (record.kind) {
    case 'state':
      if (held === undefined || !isSameContent(held, record.entry)) return { kind: 'set-entry', entry: record.entry }
      return record.resync ? { kind: 'show-again', key } : undefined
    case 'unselected':
      // It left the selection: the last state that was in it is its last one here.
      return held === undefined ? undefined : { kind: 'delete-key', key, finalStateUnknown: held.uid !== record.uid }
    case 'deleted':
      if (held === undefined) return undefined
      if (held.uid === record.uid && record.entry !== undefined) {
        return { kind: 'delete-key', key, entry: record.entry, finalStateUnknown: record.finalStateUnknown }
      }
      return { kind: 'delete-key', key, finalStateUnknown: true }
    case 'tombstone':
      return held === undefined ? undefined : { kind: 'delete-key', key, finalStateUnknown: true }
    default:
      return record satisfies never
  }
}

function regressionsOf<T>(held: Held<T>, record: KeyRecord<T>): readonly Regression[] {
  const regressions: Regression[] = []
  if (record.epoch !== undefined && record.epoch < held.epoch) regressions.push('epoch')
  const before = held.entry?.resourceVersion ?? ''
  const after = record.kind === 'state' ? (record.entry.resourceVersion ?? '') : (record.resourceVersion ?? '')
  if ((compareResourceVersions(after, before) ?? 0) < 0) regressions.push('resource-version')
  return regressions
}
