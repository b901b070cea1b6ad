// Entries of a change as the bytes that a topic takes.

import type { EncodeRecord } from '../codec/codec.ts'
import { controlKey, toHeaders, type Control } from '../record/control.ts'
import type { WireEntry } from '../record/order.ts'
import { tombstoneHeaders } from '../record/tombstone.ts'
import type { TopicRecord } from '../topic/port.ts'

/** One topic record an entry, in their order. */
export function toTopicRecords(entries: readonly WireEntry[], encode: EncodeRecord): readonly TopicRecord[] {
  return entries.map((entry) => {
    const key = Buffer.from(entry.key)
    if (entry.kind === 'record') {
      return { key, value: encode(entry.record), headers: [], timestampMs: entry.record.observedAt }
    }
    return { key, value: null, headers: tombstoneHeaders(entry), timestampMs: entry.observedAt }
  })
}

/** A control record as a tombstone of its reserved key. */
export function toControlRecord(control: Control): TopicRecord {
  return { key: Buffer.from(controlKey(control)), value: null, headers: toHeaders(control), timestampMs: control.asOf }
}
