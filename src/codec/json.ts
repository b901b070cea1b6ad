// Encodes records to JSON and decodes them, with the object's bytes left as they stand.

import { copyOf } from '../object/json-text.ts'
import { parseRecord } from '../record/parse.ts'
import type { KubeRecord } from '../record/record.ts'
import { assertObject } from './avro.ts'
import { splitObject } from './envelope.ts'
import { readOwnJson, type ObjectCheck } from './own-json.ts'

/**
 * Encodes a record as one line of JSON: the fields by name, `object` last and spliced in without being parsed.
 * @throws KubedeltaError `internal` when the object is not UTF-8 text of a JSON object
 */
export function encodeJson(record: KubeRecord): Buffer {
  const { object, ...fields } = record
  const head = `${JSON.stringify(fields).slice(0, -1)},"object":`
  if (object === null) return Buffer.from(`${head}null}`, 'utf8')
  assertObject(object, 'Cannot encode record', 'internal')
  const headBytes = Buffer.byteLength(head, 'utf8')
  const bytes = Buffer.allocUnsafe(headBytes + object.length + 1)
  bytes.write(head, 0, 'utf8')
  object.copy(bytes, headBytes)
  bytes[bytes.length - 1] = CLOSE_BRACE
  return bytes
}

/**
 * What the object of a decoded record is.
 *
 * - `copies`: memory of its own, which may be kept.
 * - `slices`: where that is quicker, a part of the bytes it was decoded from; for who copies it before they go, or is done with it.
 */
export type ObjectBytes = 'copies' | 'slices'

/**
 * Decodes a record from JSON. Fields may come in any order and with whitespace; then the object is looked at as a whole in any case.
 * @throws KubedeltaError `corrupt`
 */
export function decodeJson(
  bytes: Buffer,
  objects: ObjectBytes = 'copies',
  check: ObjectCheck = 'whole',
  key?: string,
): KubeRecord {
  const keep = objects === 'copies' ? copyOf : asItIs
  return readOwnJson(bytes, keep, check, key) ?? decodeAnyJson(bytes, keep)
}

/** As `decodeJson`, for JSON of any form. @throws KubedeltaError `corrupt` */
export function decodeAnyJson(bytes: Buffer, keep: (slice: Buffer) => Buffer): KubeRecord {
  const { envelope, object } = splitObject(bytes)
  return parseRecord({ ...parseEnvelope(envelope), object: object && keep(object) })
}

function asItIs(slice: Buffer): Buffer {
  return slice
}

const CLOSE_BRACE = 0x7d

function parseEnvelope(envelope: string): object {
  // Cannot fail: the scan has taken the whole text for one JSON object.
  const value: unknown = JSON.parse(envelope)
  return typeof value === 'object' && value !== null ? value : {}
}
