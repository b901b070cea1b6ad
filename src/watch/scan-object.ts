// Makes a RawObject of the bytes of one object: picks the facts that routing needs, puts kind and apiVersion first.

import { isUtf8 } from 'node:buffer'
import { KubedeltaError } from '../base/errors.ts'
import { JsonScan } from '../object/json-scan.ts'
import { decodeString, membersOf, normalizeJson } from '../object/json-text.ts'
import { keyOf } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { CutValue } from './scan-cut.ts'

/** What an object is where it does not say so itself, as the list items of built-in kinds. */
export interface ObjectDefaults {
  readonly apiVersion: string
  readonly kind: string
}

/** How objects are read; both give the same, `slow` is there to prove it. */
export type ReadPath = 'fast' | 'slow'

export interface ReadOptions {
  /** @default 'fast' */
  readonly path?: ReadPath
  /** What becomes of an object that is not UTF-8: `show` gives its facts alone, `unreadable` set. @default 'refuse' */
  readonly broken?: 'refuse' | 'show'
}

/** A scan that notes what `readObject` needs. */
export function objectScan(): JsonScan {
  return new JsonScan(METADATA_FIELDS.map((field) => field.length))
}

/**
 * Reads one object.
 *
 * - The bytes stay as the apiserver wrote them, without whitespace, and with kind and apiVersion put first where they lack:
 *   that is how watch events of built-in kinds begin, so LIST and WATCH give the same bytes.
 * - Whitespace or an escape in a key takes the slow path. Of a key that stands twice the last counts, as for JSON.parse.
 *
 * @throws KubedeltaError `corrupt` when it is no object, or not UTF-8 and not to be shown or in its facts, or a picked field is neither text nor null
 */
export function readObject(value: CutValue, defaults: ObjectDefaults, options: ReadOptions = {}): RawObject {
  const { path = 'fast', broken = 'refuse' } = options
  const view = value.view()
  if (view[0] !== OPEN_OBJECT) throw corrupt(defaults, '', 'an object', 'another JSON value')
  const needsWalk = path === 'slow' || value.scan.hasWhitespace || value.scan.hasEscapedKey
  const spots = needsWalk ? undefined : findMarked(view, value.scan)
  if (!isUtf8(view)) {
    if (broken === 'show') return readFacts(view, defaults)
    throw corrupt(defaults, knownKey(view, spots), 'UTF-8', 'other bytes')
  }
  if (spots !== undefined) return build(view, spots, defaults, () => value.own())
  const normalized = normalizeJson(view)
  return build(normalized, findWalking(normalized), defaults, () => (normalized === view ? value.own() : normalized))
}

/**
 * The same object.
 * @throws KubedeltaError `corrupt` when it has no name, and so no key
 */
export function withName(object: RawObject): RawObject {
  if (object.name === '') throw corrupt(object, '', 'metadata.name', 'absent')
  return object
}

type Field = 'kind' | 'apiVersion' | 'namespace' | 'name' | 'uid' | 'resourceVersion'

/** Offsets of the values of picked fields. */
type Spots = Partial<Record<Field, number>>

const OBJECT_FIELDS = ['kind', 'apiVersion'] as const
const METADATA_FIELDS = ['name', 'namespace', 'uid', 'resourceVersion'] as const

/** By what the scan noted; there is no whitespace, so a value starts 2 bytes after its key. */
function findMarked(bytes: Buffer, scan: JsonScan): Spots {
  const spots: Spots = {}
  let metadata: Spots = {}
  let isInMetadata = false
  for (const { depth, start, end } of scan.keys) {
    if (depth === 2) {
      const field = isInMetadata ? fieldAt(bytes, start, end, METADATA_FIELDS) : undefined
      if (field !== undefined) metadata[field] = end + 2
      continue
    }
    isInMetadata = isTextAt(bytes, start, end, 'metadata')
    if (isInMetadata) metadata = {}
    const field = fieldAt(bytes, start, end, OBJECT_FIELDS)
    if (field !== undefined) spots[field] = end + 2
  }
  return Object.assign(spots, metadata)
}

function fieldAt(bytes: Buffer, start: number, end: number, fields: readonly Field[]): Field | undefined {
  for (const field of fields) if (isTextAt(bytes, start, end, field)) return field
  return undefined
}

/** Whether exactly this ASCII text stands there; makes no string. */
function isTextAt(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let index = 0; index < text.length; index++) if (bytes[start + index] !== text.charCodeAt(index)) return false
  return true
}

/** By walking over the members: any escapes, any duplicates. */
function findWalking(bytes: Buffer): Spots {
  let metadata: Spots = {}
  const spots: Spots = {}
  for (const { keyStart, keyEnd, valueStart } of membersOf(bytes, 0)) {
    const key = decodeString(bytes, keyStart, keyEnd)
    const field = OBJECT_FIELDS.find((name) => name === key)
    if (field !== undefined) spots[field] = valueStart
    if (key === 'metadata') metadata = findInMetadata(bytes, valueStart)
  }
  return { ...spots, ...metadata }
}

function findInMetadata(bytes: Buffer, start: number): Spots {
  const spots: Spots = {}
  if (bytes[start] !== OPEN_OBJECT) return spots
  for (const { keyStart, keyEnd, valueStart } of membersOf(bytes, start)) {
    const key = decodeString(bytes, keyStart, keyEnd)
    const field = METADATA_FIELDS.find((name) => name === key)
    if (field !== undefined) spots[field] = valueStart
  }
  return spots
}

function build(bytes: Buffer, spots: Spots, defaults: ObjectDefaults, own: () => Buffer): RawObject {
  const pick = (field: Field, absent = ''): string => textAt(bytes, spots[field], absent, defaults, field)
  const missing = OBJECT_FIELDS.filter((field) => spots[field] === undefined)
  return {
    bytes: missing.length === 0 ? own() : putFirst(bytes, defaults, missing),
    kind: pick('kind', defaults.kind),
    apiVersion: pick('apiVersion', defaults.apiVersion),
    namespace: pick('namespace'),
    name: pick('name'),
    uid: pick('uid'),
    resourceVersion: pick('resourceVersion'),
  }
}

function textAt(
  bytes: Buffer,
  start: number | undefined,
  absent: string,
  defaults: ObjectDefaults,
  field: Field,
): string {
  if (start === undefined) return absent
  if (bytes[start] === LETTER_N) return ''
  if (bytes[start] !== QUOTE) throw corrupt(defaults, '', `text as ${field}`, 'another JSON value')
  let end = start + 1
  while (bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1
  return decodeString(bytes, start, end + 1)
}

function putFirst(bytes: Buffer, defaults: ObjectDefaults, missing: ReadonlyArray<keyof ObjectDefaults>): Buffer {
  const members = missing.map((field) => `${JSON.stringify(field)}:${JSON.stringify(defaults[field])}`).join(',')
  const first = `{${members}${bytes[1] === CLOSE_OBJECT ? '' : ','}`
  const length = Buffer.byteLength(first)
  const result = Buffer.allocUnsafeSlow(length + bytes.length - 1)
  result.write(first)
  bytes.copy(result, length, 1)
  return result
}

/** What is left of an object that is not UTF-8: nothing but facts that are whole. */
function readFacts(view: Buffer, defaults: ObjectDefaults): RawObject {
  const readable = normalizeJson(Buffer.from(view.toString()))
  const { bytes: _, ...facts } = build(readable, findWalking(readable), defaults, () => readable)
  const key = keyOf(facts.namespace, facts.name)
  if (Object.values(facts).some((fact) => fact.includes(REPLACEMENT))) {
    throw corrupt(defaults, key, 'UTF-8', 'other bytes')
  }
  return { ...facts, bytes: NO_BYTES, unreadable: 'not-utf8' }
}

function knownKey(bytes: Buffer, spots: Spots | undefined): string {
  const textOf = (start: number | undefined): string => {
    const end = start === undefined || bytes[start] !== QUOTE ? -1 : bytes.indexOf(QUOTE, start + 1)
    return start === undefined || end < 0 ? '' : bytes.toString('utf8', start + 1, end)
  }
  return keyOf(textOf(spots?.namespace), textOf(spots?.name))
}

function corrupt(defaults: ObjectDefaults, key: string, wanted: string, current: string): KubedeltaError {
  const { apiVersion, kind } = defaults
  const what = key === '' ? `${apiVersion} ${kind}` : `${apiVersion} ${kind} ${key}`
  return new KubedeltaError('corrupt', `Cannot read ${what}: wanted ${wanted}: current value is ${current}`, {
    fields: { apiVersion, kind, ...(key === '' ? {} : { key }) },
  })
}

/** What stands for bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD'

const NO_BYTES = Buffer.alloc(0)
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const QUOTE = 0x22
const BACKSLASH = 0x5c
const LETTER_N = 0x6e
