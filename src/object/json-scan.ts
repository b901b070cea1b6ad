// Finds where a JSON value ends and whether it is one, in a single pass over chunks of any size.

/** The chunk ended before the value did; the next chunk goes on. */
export const INCOMPLETE = -1
/** The bytes are not JSON (RFC 8259), or nested deeper than 10,000. */
export const INVALID = -2

/** Where a member's key stands: offsets from the value's first byte, without the quotes. */
export interface KeyMark {
  /** 1 for a member of the value itself, 2 for a member of a member. */
  readonly depth: 1 | 2
  readonly start: number
  readonly end: number
}

/**
 * A resumable check of one JSON value.
 *
 * - Takes exactly what JSON.parse takes, up to a depth of 10,000; whether strings are UTF-8 is not looked at.
 * - Notes where keys of depth 1 stand, and those of depth 2 that are as long as a key of `wantedLengths`.
 * - Says whether there was whitespace, and whether a key of depth 1 or 2 held an escape.
 */
export class JsonScan {
  /** Bytes seen of the value. */
  length = 0
  /** Whitespace stood outside strings. */
  hasWhitespace = false
  /** A key of depth 1 or 2 held an escape. */
  hasEscapedKey = false
  /** Keys in the order of the bytes. */
  readonly keys: KeyMark[] = []
  readonly #wantedLengths: number
  // Invariant: #containers[d] is OBJECT or ARRAY for d < #depth.
  readonly #containers = new Uint8Array(MAX_DEPTH)
  #state = VALUE
  #depth = 0
  #afterString = AFTER
  #stringStart = 0
  #isStringEscaped = false

  /** @param wantedLengths of keys of depth 2, in bytes, each under 32 */
  constructor(wantedLengths: readonly number[] = []) {
    this.#wantedLengths = wantedLengths.reduce((bits, length) => bits | (1 << length), 0)
  }

  /** Forgets the value, for the next one. */
  reset(): void {
    this.length = 0
    this.hasWhitespace = false
    this.hasEscapedKey = false
    this.keys.length = 0
    this.#state = VALUE
    this.#depth = 0
  }

  /**
   * Goes on with the value at `from`.
   * @returns the offset after the value's last byte, INCOMPLETE or INVALID; a number at the end of the input is INCOMPLETE
   */
  advance(chunk: Uint8Array, from: number): number {
    const end = chunk.length
    const base = this.length - from
    const containers = this.#containers
    const words = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
    const lastWord = end - 4
    let state = this.#state
    let depth = this.#depth
    let afterString = this.#afterString
    let at = from
    while (at < end) {
      // Most bytes stand in strings, most others are `":"` and `","`: these take a shorter way than the table.
      if (state === STRING) {
        while (at <= lastWord && isPlainWord(words.getInt32(at))) at += 4
        let byte = 0
        while (at < end && (byte = chunk[at] ?? 0) !== QUOTE && byte !== BACKSLASH && byte >= FIRST_PRINTABLE) at++
        if (at === end) break
        at++
        if (byte === BACKSLASH) {
          this.#isStringEscaped = true
          state = ESCAPED
        } else if (byte !== QUOTE) {
          return INVALID
        } else if (afterString === COLON) {
          if (depth <= 2) this.#markKey(depth, base + at - 1)
          state = COLON
          if (at + 1 < end && chunk[at] === COLON_BYTE) {
            state = VALUE
            at++
            if (chunk[at] === QUOTE) {
              at++
              afterString = AFTER
              state = STRING
            }
          }
        } else {
          if (depth === 0) return this.#done(at, base)
          state = AFTER
          if (at + 1 < end && chunk[at] === COMMA_BYTE && chunk[at + 1] === QUOTE && containers[depth - 1] === OBJECT) {
            at += 2
            afterString = COLON
            state = STRING
            if (depth <= 2) this.#beginKey(base + at)
          }
        }
        continue
      }
      const next = TABLE[(state << 8) | (chunk[at] ?? 0)] ?? FAIL
      at++
      if (next < FIRST_ACTION) {
        state = next
        continue
      }
      if (next === BEGIN_KEY) {
        afterString = COLON
        state = STRING
        if (depth <= 2) this.#beginKey(base + at)
        continue
      }
      if (next === BEGIN_STRING) {
        afterString = AFTER
        state = STRING
        continue
      }
      if (next === COMMA) {
        // Depth 0 is a number as the whole value, here and below: what ends it is not part of it.
        if (depth === 0) return this.#done(at - 1, base)
        state = containers[depth - 1] === OBJECT ? KEY : VALUE
        continue
      }
      switch (next) {
        case OPEN_OBJECT:
          if (depth === MAX_DEPTH) return INVALID
          containers[depth++] = OBJECT
          state = FIRST_KEY
          break
        case OPEN_ARRAY:
          if (depth === MAX_DEPTH) return INVALID
          containers[depth++] = ARRAY
          state = FIRST_ELEMENT
          break
        case CLOSE_OBJECT:
        case CLOSE_ARRAY:
          if (depth === 0) return this.#done(at - 1, base)
          if (containers[--depth] !== (next === CLOSE_OBJECT ? OBJECT : ARRAY)) return INVALID
          if (depth === 0) return this.#done(at, base)
          state = AFTER
          break
        case SPACE:
          if (depth === 0 && state !== VALUE) return this.#done(at - 1, base)
          this.hasWhitespace = true
          if (state >= FIRST_NUMBER_END) state = AFTER
          break
        case END_LITERAL:
          if (depth === 0) return this.#done(at, base)
          state = AFTER
          break
        default:
          return INVALID
      }
    }
    this.#afterString = afterString
    this.#state = state
    this.#depth = depth
    this.length = base + at
    return INCOMPLETE
  }

  #done(at: number, base: number): number {
    this.length = base + at
    return at
  }

  #beginKey(start: number): void {
    this.#stringStart = start
    this.#isStringEscaped = false
  }

  #markKey(depth: number, end: number): void {
    const start = this.#stringStart
    if (this.#isStringEscaped) this.hasEscapedKey = true
    if (depth === 1) this.keys.push({ depth, start, end })
    else if (end - start < 32 && (this.#wantedLengths >>> (end - start)) & 1) this.keys.push({ depth: 2, start, end })
  }
}

/** Whether 4 bytes stand in a string as they are; false may also be said of some that do ("haszero" of Bit Twiddling Hacks). */
function isPlainWord(word: number): boolean {
  const quote = word ^ 0x22222222
  const backslash = word ^ 0x5c5c5c5c
  const found =
    ((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((word - 0x20202020) & ~word)
  return (found & 0x80808080) === 0
}

/** As deep as Go's encoding/json reads (maxNestingDepth), so as deep as an apiserver can store. */
const MAX_DEPTH = 10_000

const OBJECT = 1
const ARRAY = 2

// States: what was read last decides which bytes may come.
const VALUE = 0
const FIRST_KEY = 1
const KEY = 2
const COLON = 3
const AFTER = 4
const FIRST_ELEMENT = 5
const STRING = 6
const ESCAPED = 7
const UNICODE = 8 // to 11: one state for each hexadecimal digit that is still to come
const MINUS = 12
const DOT = 13
const EXPONENT_MARK = 14
const EXPONENT_SIGN = 15
const LITERAL = 16 // to 25: the letters of true, false and null, but for the first and the last
const FIRST_NUMBER_END = 26 // from here on a number may end
const ZERO = 26
const INTEGER = 27
const FRACTION = 28
const EXPONENT = 29
const STATES = 30

// Actions: what a byte does beyond leading to a state.
const FIRST_ACTION = 64
const BEGIN_KEY = 64
const BEGIN_STRING = 65
const COMMA = 66
const OPEN_OBJECT = 67
const OPEN_ARRAY = 68
const CLOSE_OBJECT = 69
const CLOSE_ARRAY = 70
const SPACE = 71
const END_LITERAL = 72
const FAIL = 73

const WHITESPACE = ' \t\n\r'
const DIGITS = '0123456789'

const QUOTE = 0x22
const COLON_BYTE = 0x3a
const COMMA_BYTE = 0x2c
const BACKSLASH = 0x5c
/** The control characters before it may stand in a string as escapes only. */
const FIRST_PRINTABLE = 0x20

/** Next state or action, by state and byte. */
const TABLE = buildTable()

function buildTable(): Uint8Array {
  const table = new Uint8Array(STATES * 256).fill(FAIL)
  const on = (state: number, bytes: string, next: number): void => {
    for (const byte of Buffer.from(bytes)) table[(state << 8) | byte] = next
  }
  for (const state of [VALUE, FIRST_ELEMENT]) {
    on(state, '"', BEGIN_STRING)
    on(state, '{', OPEN_OBJECT)
    on(state, '[', OPEN_ARRAY)
    on(state, '-', MINUS)
    on(state, '0', ZERO)
    on(state, '123456789', INTEGER)
  }
  on(FIRST_ELEMENT, ']', CLOSE_ARRAY)
  on(FIRST_KEY, '"', BEGIN_KEY)
  on(FIRST_KEY, '}', CLOSE_OBJECT)
  on(KEY, '"', BEGIN_KEY)
  on(COLON, ':', VALUE)
  for (const state of [AFTER, ZERO, INTEGER, FRACTION, EXPONENT]) {
    on(state, ',', COMMA)
    on(state, '}', CLOSE_OBJECT)
    on(state, ']', CLOSE_ARRAY)
    on(state, WHITESPACE, SPACE)
  }
  for (const state of [VALUE, FIRST_KEY, KEY, COLON, FIRST_ELEMENT]) on(state, WHITESPACE, SPACE)

  on(ESCAPED, '"\\/bfnrt', STRING)
  on(ESCAPED, 'u', UNICODE)
  for (let digit = 0; digit < 4; digit++) {
    on(UNICODE + digit, '0123456789abcdefABCDEF', digit === 3 ? STRING : UNICODE + digit + 1)
  }

  on(MINUS, '0', ZERO)
  on(MINUS, '123456789', INTEGER)
  on(INTEGER, DIGITS, INTEGER)
  on(DOT, DIGITS, FRACTION)
  on(FRACTION, DIGITS, FRACTION)
  on(EXPONENT_MARK, '+-', EXPONENT_SIGN)
  for (const state of [EXPONENT_MARK, EXPONENT_SIGN, EXPONENT]) on(state, DIGITS, EXPONENT)
  for (const state of [ZERO, INTEGER]) on(state, '.', DOT)
  for (const state of [ZERO, INTEGER, FRACTION]) on(state, 'eE', EXPONENT_MARK)

  let state = LITERAL
  for (const literal of ['true', 'false', 'null']) {
    for (const first of [VALUE, FIRST_ELEMENT]) on(first, literal.charAt(0), state)
    for (const letter of literal.slice(1, -1)) on(state, letter, ++state)
    on(state++, literal.slice(-1), END_LITERAL)
  }
  return table
}
