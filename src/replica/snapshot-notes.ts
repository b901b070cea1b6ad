// Degraded keys as rows of a snapshot, with the records that wait for their schemas.

import { KubedeltaError } from '../base/errors.ts'
import type { SnapshotRow } from '../snapshot/snapshot-layout.ts'
import { DEGRADED_REASONS, type DegradedKey, type Waiting } from './degraded-keys.ts'
import { fieldsOf, integer, text } from './snapshot-header.ts'

/** The row of a degraded key. */
export function noteOf(key: string, { reason, waiting }: DegradedKey): SnapshotRow {
  const records = waiting.map(({ schema, record: { partition, offset, timestampMs, headers, value } }) => ({
    schema,
    partition,
    offset,
    timestampMs,
    headers,
    value: value?.toString('base64') ?? null,
  }))
  return { kind: 'note', key, uid: '', resourceVersion: '', bytes: Buffer.from(JSON.stringify({ reason, records })) }
}

/** What such a row says. @throws KubedeltaError `corrupt` */
export function degradedOf({ key, bytes }: SnapshotRow): DegradedKey {
  const { reason: named, records } = fieldsOf(parsed(bytes))
  const reason = DEGRADED_REASONS.find((each) => each === named)
  if (reason === undefined || !Array.isArray(records)) throw corruptNote(key)
  return { reason, waiting: records.map((each: unknown) => waitingOf(key, each)) }
}

function waitingOf(key: string, value: unknown): Waiting {
  const fields = fieldsOf(value)
  const headers = fields['headers']
  if (!Array.isArray(headers)) throw corruptNote(key)
  return {
    schema: text(fields, 'schema'),
    record: {
      partition: integer(fields, 'partition'),
      offset: integer(fields, 'offset'),
      timestampMs: integer(fields, 'timestampMs'),
      headers: headers.map((each: unknown) => {
        const header = fieldsOf(each)
        return { name: text(header, 'name'), value: text(header, 'value') }
      }),
      key: Buffer.from(key),
      value: fields['value'] === null ? null : Buffer.from(text(fields, 'value'), 'base64'),
    },
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    return value
  } catch (error) {
    throw new KubedeltaError('corrupt', 'Cannot read snapshot: its notes must be JSON', { cause: error })
  }
}

function corruptNote(key: string): KubedeltaError {
  return new KubedeltaError('corrupt', `Cannot read snapshot: the note on ${JSON.stringify(key)} is of another form`)
}
