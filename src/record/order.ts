// The records that one change puts on a topic, in their order: they stand side by side in one batch.

import { keyOf } from '../object/key.ts'
import type { KubeRecord } from './record.ts'

/** What is appended under a key: a record with a value, or a tombstone that tells compaction to forget the key. */
export type WireEntry =
  | { readonly kind: 'record'; readonly key: string; readonly record: KubeRecord }
  | {
      readonly kind: 'tombstone'
      readonly key: string
      readonly uid: string
      readonly resourceVersion: string
      readonly epoch: number
      /** Of the DELETED record before it; also the Kafka timestamp. Milliseconds since the Unix epoch. */
      readonly observedAt: number
    }

/** The Kafka key of a record: `namespace/name`, or `name` for cluster scope. */
export function keyOfRecord(record: Pick<KubeRecord, 'namespace' | 'name'>): string {
  return keyOf(record.namespace, record.name)
}

/** One entry for an Add or Update; for a Delete the record with the last state, then the tombstone. */
export function entriesOf(record: KubeRecord): readonly WireEntry[] {
  const key = keyOfRecord(record)
  const entry: WireEntry = { kind: 'record', key, record }
  if (record.op !== 'DELETED') return [entry]
  const { uid, resourceVersion, epoch, observedAt } = record
  return [entry, { kind: 'tombstone', key, uid, resourceVersion, epoch, observedAt }]
}

/**
 * The entries where another object has taken the key: DELETED(old), tombstone, ADDED(new).
 *
 * Readers who keep only the last record of a key see the new object; readers of all see the old one end.
 * @throws RangeError when the two are not a DELETED and an ADDED of different uids under one key
 */
export function replacementEntries(deleted: KubeRecord, added: KubeRecord): readonly WireEntry[] {
  const fits =
    deleted.op === 'DELETED' &&
    added.op === 'ADDED' &&
    deleted.uid !== added.uid &&
    keyOfRecord(deleted) === keyOfRecord(added)
  if (!fits) {
    throw new RangeError(
      `Cannot order a replacement: wanted DELETED and ADDED of two uids under one key: current value is ${deleted.op} ${keyOfRecord(deleted)} ${deleted.uid}, ${added.op} ${keyOfRecord(added)} ${added.uid}`,
    )
  }
  return [...entriesOf(deleted), ...entriesOf(added)]
}
