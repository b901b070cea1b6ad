// Prints what stands on a topic, one line each: readable (wide) or as JSON.

import type { KubedeltaError } from '../base/errors.ts'
import { encodeRecord } from '../codec/codec.ts'
import { isReservedKey } from '../record/control.ts'
import type { KubeRecord } from '../record/record.ts'
import { parseTombstone } from '../record/tombstone.ts'
import type { BrokenBatch, StoredRecord } from '../topic/port.ts'
import { escapeJson, escapeText } from './terminal-text.ts'

/** Something read from a topic, taken apart. */
export type TopicEntry =
  | { readonly kind: 'record'; readonly stored: StoredRecord; readonly key: string; readonly record: KubeRecord }
  | { readonly kind: 'tombstone'; readonly stored: StoredRecord; readonly key: string }
  | { readonly kind: 'control'; readonly stored: StoredRecord; readonly key: string }

/** What a stored record is; `record` is its decoded value, undefined where that is null. */
export function toEntry(stored: StoredRecord, record: KubeRecord | undefined): TopicEntry {
  const key = stored.key.toString('utf8')
  if (isReservedKey(key)) return { kind: 'control', stored, key }
  return record === undefined ? { kind: 'tombstone', stored, key } : { kind: 'record', stored, key, record }
}

/** One line, without its end. */
export type FormatEntry = (entry: TopicEntry) => string

/**
 * `wide`: time, operation, cause, key, resourceVersion, what else is special.
 *
 * `json`: the record's fields, plus topic, partition, offset, key and tombstone; a tombstone has uid, resourceVersion and epoch
 * (null where another program wrote it), a control record its headers.
 */
export function formatEntry(output: 'wide' | 'json', topic: string): FormatEntry {
  return output === 'wide' ? formatWide : (entry) => escapeJson(formatJson(entry, topic))
}

const asJson = encodeRecord({ kind: 'json' })

function formatJson(entry: TopicEntry, topic: string): string {
  const { kind, stored, key } = entry
  const { partition, offset, timestampMs, headers } = stored
  const place = { topic, partition, offset, key, tombstone: kind !== 'record' }
  switch (kind) {
    case 'record':
      // The record's own JSON text, so that the object stays as the apiserver wrote it.
      return `${JSON.stringify(place).slice(0, -1)},${asJson(entry.record).toString('utf8', 1)}`
    case 'tombstone': {
      const { uid = null, resourceVersion = null, epoch = null } = parseTombstone(headers) ?? {}
      return JSON.stringify({ ...place, uid, resourceVersion, epoch, observedAt: timestampMs })
    }
    case 'control':
      return JSON.stringify({
        ...place,
        control: key.slice(key.indexOf('/') + 1),
        headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
        observedAt: timestampMs,
      })
    default:
      return entry satisfies never
  }
}

function formatWide(entry: TopicEntry): string {
  const { kind, stored, key } = entry
  switch (kind) {
    case 'record': {
      const { op, cause, resourceVersion, observedAt } = entry.record
      return columns(observedAt, op, cause, key, resourceVersion, flagsOf(entry.record))
    }
    case 'tombstone':
      return columns(
        stored.timestampMs,
        'TOMBSTONE',
        '',
        key,
        parseTombstone(stored.headers)?.resourceVersion ?? '',
        [],
      )
    case 'control': {
      const headers = new Map(stored.headers.map(({ name, value }) => [name, value]))
      const facts = ['epoch', 'synced', 'holder'].flatMap((name) =>
        headers.has(name) ? [`${name}=${escapeText(headers.get(name) ?? '')}`] : [],
      )
      return columns(stored.timestampMs, 'CONTROL', '', key, headers.get('resourceVersion') ?? '', facts)
    }
    default:
      return entry satisfies never
  }
}

function flagsOf(record: KubeRecord): readonly string[] {
  const { initial, finalStateUnknown, object, previous, uid } = record
  return [
    ...(initial ? ['initial'] : []),
    ...(finalStateUnknown ? ['final-state-unknown'] : []),
    ...(object === null ? ['object-withheld'] : []),
    ...(previous !== null && previous.uid !== uid ? ['other-uid'] : []),
  ]
}

/** Widths that most names fit; a longer one moves its line, not the others. */
function columns(
  timeMs: number,
  op: string,
  cause: string,
  key: string,
  resourceVersion: string,
  flags: readonly string[],
): string {
  const time = Math.abs(timeMs) <= 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs)
  return [
    time,
    op.padEnd(9),
    cause.padEnd(8),
    escapeText(key).padEnd(48),
    escapeText(resourceVersion).padEnd(10),
    flags.join(' '),
  ]
    .join('  ')
    .trimEnd()
}

/** The line for something that could not be read: where it stands, and why. */
export function unreadableLine(stored: StoredRecord, topic: string, error: KubedeltaError): string {
  const place = `${topic} partition ${stored.partition} offset ${stored.offset}`
  return escapeText(`kubedelta: ${place}, key ${JSON.stringify(stored.key.toString('utf8'))}: ${error.message}`)
}

/** What is said of a batch none of whose records can be shown. */
export function brokenLine({ baseOffset, nextOffset, error }: BrokenBatch, partition: number, topic: string): string {
  const place = `${topic} partition ${partition} offsets ${baseOffset} to ${nextOffset - 1}`
  return escapeText(`kubedelta: ${place}: their keys are unknown: ${error.message}`)
}
