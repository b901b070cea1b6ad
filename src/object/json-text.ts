// Reads JSON text without parsing its content: drops whitespace, decodes one string, walks over values.

import { isUtf8 } from 'node:buffer'

import { KubedeltaError } from '../base/errors.ts'
import { JsonScan } from './json-scan.ts'

/** A member of an object: offsets of its key with quotes, and of its value. */
export interface JsonMember {
  readonly keyStart: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly valueEnd: number
}

/**
 * Checks that the bytes are one JSON value and nothing but whitespace around it.
 * @returns whether there is whitespace outside strings
 * @throws KubedeltaError `corrupt` when they are not; the message holds no content
 */
export function checkJson(bytes: Buffer): { readonly hasWhitespace: boolean } {
  const scan = new JsonScan()
  const start = skipWhitespace(bytes, 0)
  // The space after it ends a number.
  let end = scan.advance(bytes, start)
  if (end < 0 && scan.advance(SPACE_BYTE, 0) === 0) end = bytes.length
  if (end < 0 || skipWhitespace(bytes, end) !== bytes.length) {
    throw new KubedeltaError(
      'corrupt',
      `Cannot read JSON: wanted one complete value: ${bytes.length} bytes are not one`,
    )
  }
  if (!isUtf8(bytes)) throw new KubedeltaError('corrupt', 'Cannot read JSON: wanted UTF-8: current bytes are not')
  return { hasWhitespace: scan.hasWhitespace || start > 0 || end < bytes.length }
}

/**
 * The same JSON without whitespace; numbers, strings and the order of keys stay as they stand.
 * @returns `bytes` itself where there is none
 * @throws KubedeltaError `corrupt` when the bytes are not one JSON value in UTF-8
 */
export function normalizeJson(bytes: Buffer): Buffer {
  if (!checkJson(bytes).hasWhitespace) return bytes
  const compact = Buffer.allocUnsafeSlow(bytes.length)
  let length = 0
  for (let at = skipWhitespace(bytes, 0); at < bytes.length; at = skipWhitespace(bytes, at)) {
    const end = bytes[at] === QUOTE ? stringEnd(bytes, at) : at + 1
    length += bytes.copy(compact, length, at, end)
    at = end
  }
  return copyOf(compact.subarray(0, length))
}

/** A copy that shares its memory with nothing. */
export function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

/** The text of the string from its opening to after its closing quote, unescaped; the bytes must be valid JSON. */
export function decodeString(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start + 1, end - 1)
  if (!text.includes('\\')) return text
  const decoded: unknown = JSON.parse(`"${text}"`)
  return typeof decoded === 'string' ? decoded : ''
}

/** The members of the object that starts at `start`, in order, duplicates included; the bytes must be valid JSON. */
export function* membersOf(bytes: Buffer, start: number): Generator<JsonMember> {
  let at = skipWhitespace(bytes, start + 1)
  while (bytes[at] === QUOTE) {
    const keyStart = at
    const keyEnd = stringEnd(bytes, at)
    const colon = skipWhitespace(bytes, keyEnd)
    const valueStart = skipWhitespace(bytes, colon + 1)
    const valueEnd = skipValue(bytes, valueStart)
    yield { keyStart, keyEnd, valueStart, valueEnd }
    at = skipWhitespace(bytes, valueEnd)
    if (bytes[at] === COMMA) at = skipWhitespace(bytes, at + 1)
  }
}

/** The offset of the first byte at or after `at` that is not whitespace. */
export function skipWhitespace(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && isWhitespace(bytes[at])) at++
  return at
}

/** The offset after the value that starts at `start`; the bytes must be valid JSON. */
function skipValue(bytes: Buffer, start: number): number {
  let depth = 0
  for (let at = start; at < bytes.length;) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = stringEnd(bytes, at)
      if (depth === 0) return at
      continue
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      // Depth 0: a number or literal, ended by what closes the container around it.
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (byte === COMMA || isWhitespace(byte))) return at
    at++
  }
  return bytes.length
}

/** The offset after the closing quote of the string that starts at `start`. */
function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return at + 1
}

function isWhitespace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

const SPACE_BYTE = Buffer.from(' ')
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
