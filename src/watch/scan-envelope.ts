// Takes JSON objects that wrap Kubernetes objects apart into members and elements while they stream in.

import { KubedeltaError } from '../base/errors.ts'
import { INCOMPLETE, type JsonScan } from '../object/json-scan.ts'
import { decodeString, skipWhitespace } from '../object/json-text.ts'
import { TOO_LARGE, ValueCutter, type CutValue } from './scan-cut.ts'

/** Hears the parts of envelopes in the order of the bytes; values are good during the call. */
export interface EnvelopeParts {
  member(key: string, value: CutValue): void
  /** The array of the member `elementsOf` begins. */
  beginElements(): void
  element(value: CutValue): void
  end(): void
}

export interface EnvelopeOptions {
  /** What is read, for messages: `list of v1 Pod`. */
  readonly what: string
  /** The member whose array is given out element by element. @default none */
  readonly elementsOf?: string
  /** Bytes of one member's value or one element. */
  readonly maxValueBytes: number
}

type State =
  | 'start' // before '{'
  | 'first-key' // a key or '}'
  | 'key'
  | 'colon'
  | 'value'
  | 'after-value' // ',' or '}'
  | 'first-element' // an element or ']'
  | 'element'
  | 'after-element' // ',' or ']'

/** Reads one envelope after the other; whitespace between and within them is allowed and not needed. */
export class EnvelopeScanner {
  readonly #options: EnvelopeOptions
  readonly #parts: EnvelopeParts
  readonly #cutter: ValueCutter
  #state: State = 'start'
  #key = ''
  #bytesBefore = 0

  constructor(scan: JsonScan, parts: EnvelopeParts, options: EnvelopeOptions) {
    this.#cutter = new ValueCutter(scan, options.maxValueBytes)
    this.#parts = parts
    this.#options = options
  }

  /** Whether no envelope has begun that has not ended. */
  get isBetween(): boolean {
    return this.#state === 'start'
  }

  /** @throws KubedeltaError `corrupt`; the scanner must not be used afterwards */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (!this.#cutter.isCutting) {
        at = skipWhitespace(chunk, at)
        if (at === chunk.length) break
      }
      at = this.#step(chunk, at)
    }
    this.#bytesBefore += chunk.length
  }

  /** The error for bytes that do not scan. */
  corrupt(wanted: string, at = 0): KubedeltaError {
    const { what } = this.#options
    const byte = this.#bytesBefore + at
    return new KubedeltaError('corrupt', `Cannot read ${what}: wanted ${wanted}: byte ${byte} of the answer is not`, {
      fields: { byte },
    })
  }

  /** Takes one part that stands at `at`; returns the offset after it, the chunk's end where the part goes on. */
  #step(chunk: Buffer, at: number): number {
    const byte = chunk[at]
    switch (this.#state) {
      case 'start':
        if (byte !== OPEN_OBJECT) throw this.corrupt('a JSON object', at)
        this.#state = 'first-key'
        return at + 1
      case 'first-key':
      case 'key':
        return this.#stepKey(chunk, at)
      case 'colon':
        if (byte !== COLON) throw this.corrupt("':'", at)
        this.#state = 'value'
        return at + 1
      case 'value':
        if (byte === OPEN_ARRAY && this.#key === this.#options.elementsOf && !this.#cutter.isCutting) {
          this.#parts.beginElements()
          this.#state = 'first-element'
          return at + 1
        }
        return this.#cut(chunk, at, 'after-value')
      case 'after-value':
        if (byte === CLOSE_OBJECT) return this.#end(at)
        if (byte !== COMMA) throw this.corrupt("',' or '}'", at)
        this.#state = 'key'
        return at + 1
      case 'first-element':
        if (byte === CLOSE_ARRAY && !this.#cutter.isCutting) {
          this.#state = 'after-value'
          return at + 1
        }
        return this.#cut(chunk, at, 'after-element')
      case 'element':
        return this.#cut(chunk, at, 'after-element')
      case 'after-element':
        if (byte !== COMMA && byte !== CLOSE_ARRAY) throw this.corrupt("',' or ']'", at)
        this.#state = byte === COMMA ? 'element' : 'after-value'
        return at + 1
      default:
        return this.#state satisfies never
    }
  }

  #stepKey(chunk: Buffer, at: number): number {
    const cutter = this.#cutter
    if (!cutter.isCutting) {
      if (chunk[at] === CLOSE_OBJECT && this.#state === 'first-key') return this.#end(at)
      if (chunk[at] !== QUOTE) throw this.corrupt('a key', at)
    }
    const end = this.#advance(chunk, at)
    if (cutter.isCutting) return end
    const bytes = cutter.view()
    this.#key = decodeString(bytes, 0, bytes.length)
    this.#state = 'colon'
    return end
  }

  #cut(chunk: Buffer, at: number, next: 'after-value' | 'after-element'): number {
    const end = this.#advance(chunk, at)
    if (this.#cutter.isCutting) return end
    this.#state = next
    if (next === 'after-element') this.#parts.element(this.#cutter)
    else this.#parts.member(this.#key, this.#cutter)
    return end
  }

  #end(at: number): number {
    this.#state = 'start'
    this.#parts.end()
    return at + 1
  }

  #advance(chunk: Buffer, at: number): number {
    const end = this.#cutter.advance(chunk, at)
    if (end >= 0) return end
    if (end === INCOMPLETE) return chunk.length
    if (end === TOO_LARGE) throw this.corrupt(`values of at most ${this.#options.maxValueBytes} bytes`, at)
    throw this.corrupt('JSON', at)
  }
}

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c
const COLON = 0x3a
const QUOTE = 0x22
