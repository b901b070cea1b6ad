// Cuts the bytes of `object` out of a record's JSON form, so that they are never parsed.

import { isUtf8 } from 'node:buffer'
import { KubedeltaError } from '../base/errors.ts'
import { JsonScan } from '../object/json-scan.ts'
import { decodeString, membersOf, normalizeJson } from '../object/json-text.ts'

export interface SplitEnvelope {
  /** The record's JSON with null in the object's place. */
  readonly envelope: string
  /** The object's bytes, a slice; null where there is none. */
  readonly object: Buffer | null
}

/**
 * Finds the top-level member `object`, in whatever place it stands; of two the last counts, as with JSON.parse.
 * Numbers, strings and the order of keys stay as they stand, whitespace is dropped.
 * @throws KubedeltaError `corrupt` when the bytes are not one JSON object in UTF-8
 */
export function splitObject(bytes: Buffer): SplitEnvelope {
  scan.reset()
  const end = bytes[0] === OPEN_BRACE ? scan.advance(bytes, 0) : -1
  if (end < 0 || !isUtf8(bytes)) {
    throw new KubedeltaError(
      'corrupt',
      `Cannot decode record: wanted one JSON object in UTF-8: current value is ${bytes.length} other bytes`,
    )
  }
  const last = scan.keys.at(-1)
  const isAsWritten = end === bytes.length && !scan.hasWhitespace && !scan.hasEscapedKey
  // This project's own form: `object` is the last member, so it ends before the last brace.
  if (isAsWritten && last !== undefined && bytes.toString('latin1', last.start, last.end) === 'object') {
    return cut(bytes, last.end + 2, end - 1)
  }
  return splitAnyOrder(normalizeJson(bytes))
}

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

// Used and left within one call: nothing of it outlives that.
const scan = new JsonScan()

function splitAnyOrder(bytes: Buffer): SplitEnvelope {
  const objects = [...membersOf(bytes, 0)].filter(
    ({ keyStart, keyEnd }) => decodeString(bytes, keyStart, keyEnd) === 'object',
  )
  const counted = objects.at(-1)
  return counted === undefined
    ? { envelope: bytes.toString('utf8'), object: null }
    : cut(bytes, counted.valueStart, counted.valueEnd)
}

function cut(bytes: Buffer, start: number, end: number): SplitEnvelope {
  const envelope = `${bytes.toString('utf8', 0, start)}null${bytes.toString('utf8', end)}`
  const value = bytes.subarray(start, end)
  if (value[0] === OPEN_BRACE && value.at(-1) === CLOSE_BRACE) return { envelope, object: value }
  if (value.equals(NULL)) return { envelope, object: null }
  throw new KubedeltaError(
    'corrupt',
    "Cannot decode record: 'object' must be null or a JSON object: current value is other JSON",
  )
}

const NULL = Buffer.from('null')
