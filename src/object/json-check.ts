// Says whether bytes are one JSON object, quickly where they have the form in which apiservers write.

import { JsonScan } from './json-scan.ts'

/**
 * Whether `bytes[start, end)` are exactly one JSON object without whitespace around it, as JSON.parse takes it, up to a depth of 10,000.
 * Whether strings are UTF-8 is not looked at.
 */
export function isJsonObject(bytes: Uint8Array, start: number, end: number): boolean {
  if (isCompactObject(bytes, start, end)) return true
  if (bytes[start] !== OPEN_BRACE || bytes[end - 1] !== CLOSE_BRACE) return false
  scan.reset()
  return scan.advance(bytes.subarray(start, end), 0) === end - start
}

/**
 * True only for an object in the form in which an apiserver writes: no whitespace, integers as the only numbers, at most 128 levels. What
 * is false may still be JSON.
 *
 * Quicker than JsonScan, since it needs neither to stop and go on anywhere nor to note where keys stand.
 */
export function isCompactObject(bytes: Uint8Array, start: number, end: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, end)
  if (end - start < 2 || bytes[start] !== OPEN_BRACE || bytes[end - 1] !== CLOSE_BRACE) return false
  let at = start
  let depth = 0
  let isInObject = false
  for (;;) {
    // A value begins here.
    const first = bytes[at]
    if (first === QUOTE) {
      at = stringEnd(bytes, view, at + 1, end)
      if (at < 0) return false
    } else if (first === OPEN_BRACE) {
      at += 1
      if (bytes[at] === CLOSE_BRACE) {
        at += 1
      } else {
        if (depth === MAX_DEPTH || bytes[at] !== QUOTE) return false
        outer[depth++] = isInObject ? 1 : 0
        isInObject = true
        at = stringEnd(bytes, view, at + 1, end)
        if (at < 0 || bytes[at++] !== COLON) return false
        continue
      }
    } else if (first === OPEN_BRACKET) {
      at += 1
      if (bytes[at] === CLOSE_BRACKET) {
        at += 1
      } else {
        if (depth === MAX_DEPTH) return false
        outer[depth++] = isInObject ? 1 : 0
        isInObject = false
        continue
      }
    } else {
      at = scalarEnd(bytes, at)
      if (at < 0) return false
    }
    if (depth === 0) return at === end
    // A value has ended here: what closes behind it, up to a comma.
    for (;;) {
      const next = bytes[at++]
      if (next === COMMA) {
        if (!isInObject) break
        if (bytes[at] !== QUOTE) return false
        at = stringEnd(bytes, view, at + 1, end)
        if (at < 0 || bytes[at++] !== COLON) return false
        break
      }
      if (next !== (isInObject ? CLOSE_BRACE : CLOSE_BRACKET)) return false
      depth -= 1
      if (depth === 0) return at === end
      isInObject = outer[depth] === 1
    }
  }
}

// `end` is not looked at for each byte: a value that is read past it does not end there, and is refused for that.

// Used and left within one call: nothing of them outlives that.
const scan = new JsonScan()
const MAX_DEPTH = 128
/** For each level that is open, whether the one around it is an object. */
const outer = new Uint8Array(MAX_DEPTH)

/** Behind the quote that ends the string whose text begins at `from`; negative where none does, or the text is none of JSON. */
function stringEnd(bytes: Uint8Array, view: DataView, from: number, end: number): number {
  let at = from
  for (const last = end - 4; at <= last;) {
    // The lowest byte found is right, those above it may be found by mistake ("haszero" of Bit Twiddling Hacks).
    const word = view.getInt32(at, true)
    const quote = word ^ 0x22222222
    const backslash = word ^ 0x5c5c5c5c
    const found =
      (((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((word - 0x20202020) & ~word)) &
      0x80808080
    if (found === 0) {
      at += 4
      continue
    }
    at += (31 - Math.clz32(found & -found)) >>> 3
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    if (byte !== BACKSLASH || (at = escapeEnd(bytes, at + 1, end)) < 0) return NONE
  }
  while (at < end) {
    const byte = bytes[at]
    if (byte === QUOTE) return at + 1
    if (byte === undefined || byte < FIRST_PRINTABLE) return NONE
    at = byte === BACKSLASH ? escapeEnd(bytes, at + 1, end) : at + 1
    if (at < 0) return NONE
  }
  return NONE
}

/** Behind the escape whose letter stands at `at`. */
function escapeEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at + 5 > end) return NONE
  const letter = bytes[at] ?? 0
  if (letter !== LETTER_U) return ESCAPES[letter] === 1 ? at + 1 : NONE
  for (let digit = at + 1; digit < at + 5; digit += 1) if (HEX_DIGITS[bytes[digit] ?? 0] !== 1) return NONE
  return at + 5
}

/** Behind the integer or literal that begins at `at`; negative where there is none. */
function scalarEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first === LETTER_T) return isText(bytes, at, TRUE) ? at + TRUE.length : NONE
  if (first === LETTER_F) return isText(bytes, at, FALSE) ? at + FALSE.length : NONE
  if (first === LETTER_N) return isText(bytes, at, NULL) ? at + NULL.length : NONE
  let digits = first === MINUS ? at + 1 : at
  let byte = bytes[digits] ?? 0
  if (byte === ZERO) return digits + 1
  if (byte < ZERO || byte > NINE) return NONE
  do byte = bytes[++digits] ?? 0
  while (byte >= ZERO && byte <= NINE)
  return digits
}

function isText(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let index = 1; index < text.length; index += 1) if (bytes[at + index] !== text[index]) return false
  return true
}

const NONE = -1

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const QUOTE = 0x22
const COLON = 0x3a
const COMMA = 0x2c
const BACKSLASH = 0x5c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const LETTER_F = 0x66
const LETTER_N = 0x6e
const LETTER_T = 0x74
const LETTER_U = 0x75
/** The control characters before it may stand in a string as escapes only. */
const FIRST_PRINTABLE = 0x20

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const NULL = Buffer.from('null')

/** 1 at each letter that may follow a backslash alone. */
const ESCAPES = tableOf('"\\/bfnrt')
const HEX_DIGITS = tableOf('0123456789abcdefABCDEF')

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const letter of Buffer.from(letters)) table[letter] = 1
  return table
}
