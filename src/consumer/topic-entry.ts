// What stands on a topic, one entry at a time, for programs that read it rather than a cache of it.

import type { KubedeltaError } from '../base/errors.ts'
import type { RecordDecoder } from '../codec/codec.ts'
import type { Progress } from '../record/control.ts'
import type { KubeRecord } from '../record/record.ts'
import { parseTombstone } from '../record/tombstone.ts'
import type { BrokenBatch, StoredRecord } from '../topic/port.ts'
import { decodeChecked } from '../replica/key-record.ts'

/** Where an entry stands. */
export interface EntryPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** `namespace/name`, or `name` for cluster scope; a reserved key for `progress`. */
  readonly key: string
}

/** One Add, Update or Delete of one object. */
export interface RecordEntry<T> extends EntryPlace {
  readonly kind: 'record'
  readonly record: Omit<KubeRecord, 'object'>
  /** The object as the apiserver wrote it, JSON as UTF-8; null where the bridge had to withhold it. */
  readonly bytes: Buffer | null
  /** `bytes` parsed, on first use; integers over 2^53 lose digits. */
  readonly object: T | null
}

/** There is no object under the key any more. Follows a DELETED, or stands alone where compaction has removed that. */
export interface TombstoneEntry extends EntryPlace {
  readonly kind: 'tombstone'
  /** Which object it ended; undefined where another program wrote the tombstone. */
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly observedAt: number
}

/** The bridge's word that everything up to a resourceVersion stands before it, in its partition. */
export interface ProgressEntry
  extends
    EntryPlace,
    Pick<Progress, 'cluster' | 'clusterId' | 'streamId' | 'epoch' | 'holder' | 'synced' | 'resourceVersion' | 'asOf'> {
  readonly kind: 'progress'
}

/** A record that cannot be read: what it says of its key is not known. */
export interface UnreadableEntry extends EntryPlace {
  readonly kind: 'unreadable'
  /** `corrupt`, `unknown-schema` or `topic-foreign`. */
  readonly error: KubedeltaError
}

/** A part of the log that cannot be read: which keys stood there is not known. */
export interface BrokenEntry extends Omit<EntryPlace, 'key'> {
  readonly kind: 'broken'
  readonly nextOffset: number
  /** `corrupt`. */
  readonly error: KubedeltaError
}

/** Something that stands on a topic. */
export type TopicEntry<T> = RecordEntry<T> | TombstoneEntry | ProgressEntry | UnreadableEntry | BrokenEntry

/** What a stored record is read with. */
export interface EntryContext {
  readonly topic: string
  /** `deployments.apps` */
  readonly resource: string
  readonly decoder: RecordDecoder
}

/**
 * Reads what is no control record.
 * @throws KubedeltaError `corrupt`, `unknown-schema`, `topic-foreign`
 */
export function readEntry<T>(
  key: string,
  { partition, offset, value, headers, timestampMs }: StoredRecord,
  { topic, resource, decoder }: EntryContext,
): RecordEntry<T> | TombstoneEntry {
  const place = { topic, partition, offset, key }
  if (value === null) {
    const { uid, resourceVersion } = parseTombstone(headers) ?? {}
    return { kind: 'tombstone', ...place, uid, resourceVersion, observedAt: timestampMs }
  }
  const { object: bytes, ...record } = decodeChecked(key, value, decoder, { resource })
  let parsed: { readonly object: T } | undefined
  return {
    kind: 'record',
    ...place,
    record,
    bytes,
    get object() {
      if (bytes === null) return null
      // Checked when it was decoded: T says what the apiserver's schema promises for this collection.
      parsed ??= { object: JSON.parse(bytes.toString('utf8')) }
      return parsed.object
    },
  }
}

export function progressEntry(place: EntryPlace, progress: Progress): ProgressEntry {
  const { cluster, clusterId, streamId, epoch, holder, synced, resourceVersion, asOf } = progress
  return { kind: 'progress', ...place, cluster, clusterId, streamId, epoch, holder, synced, resourceVersion, asOf }
}

export function brokenEntry(
  topic: string,
  partition: number,
  { baseOffset, nextOffset, error }: BrokenBatch,
): BrokenEntry {
  return { kind: 'broken', topic, partition, offset: baseOffset, nextOffset, error }
}
