// Reads a record's JSON in the very form in which this project writes it, without parsing it as JSON.

import { isUtf8 } from 'node:buffer'
import { isCompactObject } from '../object/json-check.ts'
import type { Cause, KubeRecord, Operation } from '../record/record.ts'

/**
 * The record in bytes that `encodeJson` wrote.
 *
 * Fields stand in the order of KubeRecord, texts are printable ASCII without escapes, and the object has the form in which apiservers
 * write. Anything else gives undefined, whether it is a record or not: `splitObject` and JSON.parse decide then. A property test holds
 * both ways to the same answers.
 *
 * @param keep makes the record's object of the slice where it stands
 * @param check how much of the object is looked at
 * @param key what the record stands under, where that is known: namespace and name are cut out of it instead of being decoded again
 */
export function readOwnJson(
  bytes: Buffer,
  keep: (slice: Buffer) => Buffer,
  check: ObjectCheck = 'whole',
  key = '',
): KubeRecord | undefined {
  const read = cursor
  read.begin(bytes)
  const head = read.sameHead() ?? readHead(read)
  const slash = key.indexOf('/')
  const namespace = read.isNull(NAMESPACE) ? null : read.likely(NAMESPACE, key.slice(0, Math.max(slash, 0)))
  const name = read.likely(NAME, key.slice(slash + 1))
  const uid = read.text(UID)
  const resourceVersion = read.text(RESOURCE_VERSION)
  const isFirst = read.isNull(PREVIOUS)
  const previous = isFirst
    ? null
    : { uid: read.likely(PREVIOUS_UID, uid), resourceVersion: read.text(RESOURCE_VERSION) }
  const observedAt = read.integer(isFirst ? OBSERVED_AT : BEHIND_PREVIOUS)
  const epoch = read.integer(EPOCH)
  const object = read.object(OBJECT, keep, check)
  if (head === undefined || object === undefined) return undefined
  const { op, cause, finalStateUnknown, initial, cluster, group, version, resource, kind } = head
  // prettier-ignore
  return {
    op, cause, finalStateUnknown, initial, cluster, group, version, resource, kind, namespace, name, uid, resourceVersion, previous,
    observedAt, epoch, object,
  }
}

/** The fields before the namespace, which most records of a topic have in common; undefined where they do not fit. */
function readHead(read: Cursor): Head | undefined {
  const op = OPERATIONS.get(read.shared(OP))
  const cause = CAUSES.get(read.shared(CAUSE))
  const finalStateUnknown = read.flag(FINAL_STATE_UNKNOWN)
  const initial = read.flag(INITIAL)
  const cluster = read.shared(CLUSTER)
  const group = read.shared(GROUP)
  const version = read.shared(VERSION)
  const resource = read.shared(RESOURCE)
  const kind = read.shared(KIND)
  const bytes = read.passed()
  if (op === undefined || cause === undefined || bytes === undefined) return undefined
  const head = { bytes, op, cause, finalStateUnknown, initial, cluster, group, version, resource, kind }
  read.keepHead(head)
  return head
}

/**
 * How much of a record's object is looked at.
 *
 * - `whole`: that it is one JSON object in UTF-8.
 * - `ends`: that it begins and ends as one; for a record of which its writer is known to have looked at the rest.
 */
export type ObjectCheck = 'whole' | 'ends'

/** The first fields of a record, and the bytes that spell them. */
interface Head extends Pick<
  KubeRecord,
  'op' | 'cause' | 'finalStateUnknown' | 'initial' | 'cluster' | 'group' | 'version' | 'resource' | 'kind'
> {
  readonly bytes: Buffer
}

/** What stands before a value, and the text that stood there last: most records repeat it. */
interface SharedField {
  readonly name: Buffer
  bytes: Buffer
  text: string
}

/** Goes through one value. After the first thing that does not fit it reads nothing any more. */
class Cursor {
  #bytes: Buffer = EMPTY
  #at = 0
  #fits = false
  /** The head that was read last, for each first letter of an operation. */
  readonly #heads: Array<Head | undefined> = []

  begin(bytes: Buffer): void {
    this.#bytes = bytes
    this.#at = 0
    this.#fits = true
  }

  /** Passes a head that stood before the last record of the same operation too. */
  sameHead(): Head | undefined {
    const head = this.#heads[this.#bytes[OPERATION_AT] ?? 0]
    if (head === undefined || !this.#stands(head.bytes, 0)) return undefined
    this.#at = head.bytes.length
    return head
  }

  keepHead(head: Head): void {
    this.#heads[head.bytes[OPERATION_AT] ?? 0] = head
  }

  /** A copy of what was read until now; undefined where something did not fit. */
  passed(): Buffer | undefined {
    return this.#fits ? Buffer.from(this.#bytes.subarray(0, this.#at)) : undefined
  }

  /** The text behind `name`. */
  text(name: Buffer): string {
    const start = this.#beginText(name)
    const end = this.#textEnd(start)
    return this.#fits ? this.#bytes.toString('latin1', start, end) : ''
  }

  /** As `text`, for one that is likely to be this one. */
  likely(name: Buffer, text: string): string {
    const start = this.#beginText(name)
    const behind = start + text.length
    if (this.#fits && this.#bytes[behind] === QUOTE && this.#spells(text, start)) {
      this.#at = behind + 1
      return text
    }
    const end = this.#textEnd(start)
    return this.#fits ? this.#bytes.toString('latin1', start, end) : ''
  }

  /** As `text`, for one that is likely to be the same as last time. */
  shared(field: SharedField): string {
    const start = this.#beginText(field.name)
    const { bytes, text } = field
    const behind = start + bytes.length
    if (this.#fits && this.#bytes[behind] === QUOTE && this.#stands(bytes, start)) {
      this.#at = behind + 1
      return text
    }
    const end = this.#textEnd(start)
    if (!this.#fits) return ''
    field.text = this.#bytes.toString('latin1', start, end)
    field.bytes = Buffer.from(field.text, 'latin1')
    return field.text
  }

  flag(name: Buffer): boolean {
    this.#skip(name)
    const isTrue = this.#bytes[this.#at] === LETTER_T
    this.#skip(isTrue ? TRUE : FALSE)
    return isTrue
  }

  /** Whether null stands behind `name`; only then it moves. */
  isNull(name: Buffer): boolean {
    if (!this.#fits || this.#bytes[this.#at + name.length] !== LETTER_N) return false
    this.#skip(name)
    this.#skip(NULL)
    return true
  }

  /** A whole number of at most 15 digits. */
  integer(name: Buffer): number {
    this.#skip(name)
    const start = this.#at
    let value = 0
    let at = start
    for (; ; at += 1) {
      const digit = (this.#bytes[at] ?? 0) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const isOdd = at === start || at - start > 15 || (at - start > 1 && this.#bytes[start] === ZERO)
    if (isOdd) this.#fits = false
    this.#at = at
    return value
  }

  /** The last field's value; undefined where something did not fit. */
  object(name: Buffer, keep: (slice: Buffer) => Buffer, check: ObjectCheck): Buffer | null | undefined {
    this.#skip(name)
    const bytes = this.#bytes
    this.#bytes = EMPTY
    const start = this.#at
    const end = bytes.length - 1
    if (!this.#fits || bytes[end] !== CLOSE_BRACE) return undefined
    if (end - start === NULL.length && bytes.toString('latin1', start, end) === 'null') return null
    if (check === 'ends') {
      const hasEnds = end - start > 1 && bytes[start] === OPEN_BRACE && bytes[end - 1] === CLOSE_BRACE
      return hasEnds ? keep(bytes.subarray(start, end)) : undefined
    }
    if (!isCompactObject(bytes, start, end)) return undefined
    const object = bytes.subarray(start, end)
    return isUtf8(object) ? keep(object) : undefined
  }

  #beginText(name: Buffer): number {
    this.#skip(name)
    if (this.#bytes[this.#at] !== QUOTE) this.#fits = false
    return this.#at + 1
  }

  #textEnd(start: number): number {
    let end = start
    for (; ; end += 1) {
      const byte = this.#bytes[end] ?? 0
      if (isPlain(byte)) continue
      if (byte !== QUOTE) this.#fits = false
      break
    }
    this.#at = end + 1
    return end
  }

  #skip(text: Buffer): void {
    if (this.#fits && this.#stands(text, this.#at)) this.#at += text.length
    else this.#fits = false
  }

  /** Whether the text stands there, and is one of printable ASCII without escapes, as `text` gives it. */
  #spells(text: string, at: number): boolean {
    const bytes = this.#bytes
    for (let index = 0; index < text.length; index += 1) {
      const byte = bytes[at + index] ?? 0
      if (byte !== text.charCodeAt(index) || !isPlain(byte)) return false
    }
    return true
  }

  #stands(text: Buffer, at: number): boolean {
    const bytes = this.#bytes
    for (let index = 0; index < text.length; index += 1) if (bytes[at + index] !== text[index]) return false
    return true
  }
}

/** Printable ASCII that stands for itself in a text of JSON. */
function isPlain(byte: number): boolean {
  return byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE && byte !== QUOTE && byte !== BACKSLASH
}

const EMPTY = Buffer.alloc(0)
// Used and left within one call: nothing of it outlives that, but for heads and the texts of shared fields.
const cursor = new Cursor()

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const ZERO = 0x30
const LETTER_N = 0x6e
const LETTER_T = 0x74
const FIRST_PRINTABLE = 0x20
const LAST_PRINTABLE = 0x7e

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const NULL = Buffer.from('null')

/** Where the first letter of the operation stands. */
const OPERATION_AT = '{"op":"'.length
const OP = sharedField('{"op":')
const CAUSE = sharedField(',"cause":')
const FINAL_STATE_UNKNOWN = Buffer.from(',"finalStateUnknown":')
const INITIAL = Buffer.from(',"initial":')
const CLUSTER = sharedField(',"cluster":')
const GROUP = sharedField(',"group":')
const VERSION = sharedField(',"version":')
const RESOURCE = sharedField(',"resource":')
const KIND = sharedField(',"kind":')
const NAMESPACE = Buffer.from(',"namespace":')
const NAME = Buffer.from(',"name":')
const UID = Buffer.from(',"uid":')
const RESOURCE_VERSION = Buffer.from(',"resourceVersion":')
const PREVIOUS = Buffer.from(',"previous":')
const PREVIOUS_UID = Buffer.from(',"previous":{"uid":')
const OBSERVED_AT = Buffer.from(',"observedAt":')
const BEHIND_PREVIOUS = Buffer.from('},"observedAt":')
const EPOCH = Buffer.from(',"epoch":')
const OBJECT = Buffer.from(',"object":')

const OPERATIONS = byName<Operation>('UNKNOWN', 'ADDED', 'UPDATED', 'DELETED')
const CAUSES = byName<Cause>('UNKNOWN', 'WATCH', 'LIST', 'RELIST', 'RESYNC', 'RECOVERY', 'SELECTOR', 'POLICY')

function sharedField(name: string): SharedField {
  return { name: Buffer.from(name), bytes: EMPTY, text: '' }
}

function byName<T extends string>(...names: readonly T[]): ReadonlyMap<string, T> {
  return new Map(names.map((name) => [name, name]))
}
