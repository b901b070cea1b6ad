// Reads what one record of a topic says of one key, checked and ready to be applied.

import { KubedeltaError, messageOf } from '../base/errors.ts'
import { bytesEntry, type BytesOf, type Entry } from '../cache/entry.ts'
import type { RecordDecoder } from '../codec/codec.ts'
import type { ObjectCheck } from '../codec/own-json.ts'
import { isJsonObject } from '../object/json-check.ts'
import { copyOf } from '../object/json-text.ts'
import { isKeyOf } from '../object/key.ts'
import { resourceName } from '../object/resource.ts'
import { keyOfRecord } from '../record/order.ts'
import type { KubeRecord } from '../record/record.ts'
import { parseTombstone } from '../record/tombstone.ts'
import type { StoredRecord } from '../topic/port.ts'

/** What a record says of its key. */
export type KeyRecord<T> =
  | {
      readonly kind: 'state'
      readonly key: string
      readonly epoch: number
      /** Shown again though nothing changed: `cause` is RESYNC. */
      readonly resync: boolean
      /** The bridge could not publish the object: the entry holds its identity alone. */
      readonly withheld: boolean
      readonly entry: Entry<T>
    }
  /** A state that the cache does not keep. */
  | {
      readonly kind: 'unselected'
      readonly key: string
      readonly epoch: number
      readonly uid: string
      readonly resourceVersion: string
    }
  | {
      readonly kind: 'deleted'
      readonly key: string
      readonly epoch: number
      readonly uid: string
      readonly resourceVersion: string
      readonly finalStateUnknown: boolean
      /** The last state; undefined where it had to be withheld or does not transform. */
      readonly entry: Entry<T> | undefined
    }
  | {
      readonly kind: 'tombstone'
      readonly key: string
      /** undefined where another producer wrote it. */
      readonly epoch: number | undefined
      readonly resourceVersion: string | undefined
    }

/** How far a record is believed, and whose its memory is. */
export interface TakenAs {
  /** @default 'whole' */
  readonly check?: ObjectCheck
  /** What the record was read into is the cache's, to be kept and written to. @default false */
  readonly isGiven?: boolean
}

export interface KeyRecordOptions<T> {
  /** `deployments.apps`: records of any other collection are foreign. */
  readonly resource: string
  readonly transform: ((object: T) => T) | undefined
  /** Asked of each state before it is transformed. @default every one is selected */
  readonly selects?: ((entry: Entry<T>) => boolean) | undefined
}

/**
 * Reads a record that is no control record.
 * @throws KubedeltaError `corrupt`, `unknown-schema`; `topic-foreign` for a record of another collection; `usage` when `transform` failed
 */
export function readKeyRecord<T>(
  key: string,
  { value, headers }: Pick<StoredRecord, 'value' | 'headers'>,
  decoder: RecordDecoder,
  options: KeyRecordOptions<T>,
  how: TakenAs = {},
): KeyRecord<T> {
  if (value === null) {
    const tombstone = parseTombstone(headers)
    return { kind: 'tombstone', key, epoch: tombstone?.epoch, resourceVersion: tombstone?.resourceVersion }
  }
  const record = decodeChecked(key, value, decoder, options, how.check)
  return record.op === 'DELETED'
    ? deletedOf(key, record, options)
    : stateOf(key, record, roomIn(value, record, how), options)
}

/**
 * Decodes a value, and checks that it is a record of this key and collection whose object is JSON, as far as `check` says.
 * @throws KubedeltaError `corrupt`, `unknown-schema`; `topic-foreign` for a record of another collection
 */
export function decodeChecked(
  key: string,
  value: Buffer,
  decoder: RecordDecoder,
  { resource }: Pick<KeyRecordOptions<unknown>, 'resource'>,
  check: ObjectCheck = 'whole',
): KubeRecord {
  const record = decoder.decode(value, check, key)
  checkIdentity(key, record, resource)
  // The JSON form was checked when it was cut apart.
  if (check === 'whole' && record.object !== null && value[0] !== OPEN_BRACE) checkObject(record.object)
  return record
}

const OPEN_BRACE = 0x7b

function checkIdentity(key: string, record: KubeRecord, resource: string): void {
  if (!isKeyOf(key, record.namespace, record.name)) {
    throw new KubedeltaError(
      'corrupt',
      `Cannot use record: its key must be ${JSON.stringify(keyOfRecord(record))}: current value is ${JSON.stringify(key)}`,
    )
  }
  if (resourceName(record) !== resource) {
    throw new KubedeltaError(
      'topic-foreign',
      `Cannot use record: it must be of ${resource}: current value is ${resourceName(record)}`,
    )
  }
}

/** Checked here, so that no reader of the cache meets an object that does not parse. */
function checkObject(object: Buffer): void {
  if (isJsonObject(object, 0, object.length)) return
  throw new KubedeltaError(
    'corrupt',
    `Cannot use record: 'object' must be one JSON object: current value is ${object.length} other bytes`,
  )
}

/** Bytes before the object that may be written over: what stands there in its value was read, and nobody needs it any more. */
function roomIn(value: Buffer, { object }: KubeRecord, { isGiven }: TakenAs): number | undefined {
  const isPart = isGiven === true && object !== null && object.buffer === value.buffer
  return isPart ? object.byteOffset - value.byteOffset : undefined
}

function stateOf<T>(
  key: string,
  record: KubeRecord,
  room: number | undefined,
  { transform, selects }: KeyRecordOptions<T>,
): KeyRecord<T> {
  const { epoch, object, uid, resourceVersion } = record
  const whole = entryOf<T>(key, record, { bytes: object ?? identityOf(record), room })
  if (selects !== undefined && !isSelected(whole, selects))
    return { kind: 'unselected', key, epoch, uid, resourceVersion }
  const entry = transformed(whole, transform)
  return { kind: 'state', key, epoch, resync: record.cause === 'RESYNC', withheld: object === null, entry }
}

function deletedOf<T>(key: string, record: KubeRecord, { transform }: KeyRecordOptions<T>): KeyRecord<T> {
  const { epoch, uid, resourceVersion, finalStateUnknown, object } = record
  let entry: Entry<T> | undefined
  try {
    // A copy: it goes to handlers, who may keep it, and would pin what was fetched with it.
    entry = object === null ? undefined : transformed(entryOf<T>(key, record, { bytes: copyOf(object) }), transform)
  } catch {
    // The delete itself is not lost: it goes on with the state that the cache holds.
    entry = undefined
  }
  return { kind: 'deleted', key, epoch, uid, resourceVersion, finalStateUnknown, entry }
}

function entryOf<T>(
  key: string,
  { namespace, name, uid, resourceVersion }: KubeRecord,
  { bytes, room }: Pick<BytesOf, 'bytes' | 'room'>,
): Entry<T> {
  return bytesEntry<T>({ bytes, room, namespace: namespace ?? '', name, uid, resourceVersion }, key)
}

/** Stands for an object that had to be withheld: it exists, and this much is known of it. */
function identityOf({ group, version, kind, namespace, name, uid, resourceVersion }: KubeRecord): Buffer {
  const apiVersion = group === '' ? version : `${group}/${version}`
  const metadata = { name, ...(namespace === null ? {} : { namespace }), uid, resourceVersion }
  return Buffer.from(JSON.stringify({ kind, apiVersion, metadata }))
}

function isSelected<T>(entry: Entry<T>, selects: (entry: Entry<T>) => boolean): boolean {
  try {
    return selects(entry)
  } catch (error) {
    throw new KubedeltaError('usage', `Cannot select object ${JSON.stringify(entry.key)}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** Kept as text again: what the transform cut off is neither held nor compared. */
function transformed<T>(entry: Entry<T>, transform: ((object: T) => T) | undefined): Entry<T> {
  if (transform === undefined) return entry
  const { key, namespace, name, uid, resourceVersion = '' } = entry
  try {
    // Parsed here and not by the entry, whose object is frozen.
    const object: T = JSON.parse(String(entry.bytes))
    const kept = transform(object)
    if (kept instanceof Promise) throw new TypeError('wanted an object: the transform returned a promise')
    const bytes = Buffer.from(JSON.stringify(kept))
    return bytesEntry<T>({ bytes, namespace, name, uid, resourceVersion })
  } catch (error) {
    throw new KubedeltaError('usage', `Cannot transform object ${JSON.stringify(key)}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
