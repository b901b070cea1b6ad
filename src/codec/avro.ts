// Encodes records to Avro and decodes them, whatever version of the schema wrote them; the only door to avsc.

import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import avro from 'avsc'
import type { Schema, Type } from 'avsc'
import { fromUnknown, KubedeltaError, messageOf } from '../base/errors.ts'
import { parseRecord } from '../record/parse.ts'
import type { KubeRecord } from '../record/record.ts'
import { rabinFingerprint } from './rabin.ts'

/** A schema as it travels. */
export interface SchemaText {
  /** The whole schema with docs and defaults, on one line: what a registry is given. */
  readonly text: string
  /** The parsing canonical form: what progress records carry, and what the fingerprint is taken of. */
  readonly canonical: string
  /** `rabinFingerprint` of the canonical form. */
  readonly fingerprint: string
}

/** Reads one record's Avro body that begins at `offset` and ends with the bytes. @throws KubedeltaError `corrupt` */
export type AvroReader = (bytes: Buffer, offset: number) => KubeRecord

/** The schema this version writes. */
export const recordSchema: SchemaText = describeSchema(
  readFileSync(new URL('../../schemas/record.avsc', import.meta.url), 'utf8'),
)

/**
 * Encodes a record behind the bytes of a frame's head, into one buffer of exactly the size needed.
 *
 * The object's bytes are copied once and never become a string: Avro's `string` is a length and UTF-8 bytes, and `object`
 * is the last field.
 *
 * @throws KubedeltaError `internal` for a record that does not fit the schema, or whose object is not UTF-8 text of a JSON object
 */
export function encodeAvro(record: KubeRecord, frameHead: Buffer): Buffer {
  const headEnd = encodeFields(record)
  const { object } = record
  if (object === null) {
    const bytes = Buffer.allocUnsafe(frameHead.length + headEnd + 1)
    frameHead.copy(bytes)
    slab.copy(bytes, frameHead.length, 0, headEnd)
    bytes[frameHead.length + headEnd] = NULL_BRANCH
    return bytes
  }
  assertObject(object, 'Cannot encode record', 'internal')
  const bytes = Buffer.allocUnsafe(frameHead.length + headEnd + 1 + lengthSize(object.length) + object.length)
  frameHead.copy(bytes)
  let position = frameHead.length + slab.copy(bytes, frameHead.length, 0, headEnd)
  bytes[position++] = TEXT_BRANCH
  position = writeLength(bytes, position, object.length)
  object.copy(bytes, position)
  return bytes
}

/** The reader for records of this version's schema. */
export const readOwn: AvroReader = (bytes, offset) => read(bytes, offset, undefined)

/**
 * The reader for records of another writer's schema: fields it does not know take this version's defaults, fields that only it
 * knows are passed over.
 * @throws KubedeltaError `unknown-schema` when the text is no Avro schema, or cannot be read as a record
 */
export function avroReader(writerSchema: string): AvroReader {
  try {
    const resolver = readerType.createResolver(avro.Type.forSchema(parseSchema(writerSchema)))
    return (bytes, offset) => read(bytes, offset, resolver)
  } catch (error) {
    throw new KubedeltaError('unknown-schema', `Cannot read records of this schema: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** A schema's text in all the forms that travel. @throws an error of the parser when it is no Avro schema */
export function describeSchema(text: string): SchemaText {
  const schema = parseSchema(text)
  // avsc's schema() is the parsing canonical form: full names, no docs, aliases, defaults and logical types.
  const canonical = JSON.stringify(avro.Type.forSchema(schema).schema())
  return { text: JSON.stringify(schema), canonical, fingerprint: rabinFingerprint(canonical) }
}

/**
 * Checks what makes an object's bytes safe to put inside another text: UTF-8 and the braces of a JSON object around it.
 * @throws KubedeltaError of the given code
 */
export function assertObject(object: Buffer, action: string, code: 'corrupt' | 'internal'): void {
  if (object[0] === OPEN_BRACE && object[object.length - 1] === CLOSE_BRACE && isUtf8(object)) return
  throw new KubedeltaError(
    code,
    `${action}: 'object' must be UTF-8 text of a JSON object: current value is ${object.length} other bytes`,
  )
}

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

// Branches of the union ["null", "string"] of `object`, as Avro writes their index.
const NULL_BRANCH = 0
const TEXT_BRANCH = 2

type RecordSchema = { readonly fields: ReadonlyArray<{ readonly name: string }> }

// Reads `object` as bytes where it was written as text: same wire form, and no string is made.
const readerType = typeWithObject([{ name: 'object', type: ['null', 'bytes'], default: null }])
// Writes all fields but the last.
const headType = typeWithObject([])

let slab = Buffer.allocUnsafeSlow(1024)

function encodeFields(record: KubeRecord): number {
  try {
    // A negative position is avsc's "does not fit", by so many bytes.
    for (;;) {
      const end = headType.encode(record, slab, 0)
      if (end >= 0) return end
      slab = Buffer.allocUnsafeSlow(2 * (slab.length - end))
    }
  } catch (error) {
    throw fromUnknown(error, 'Cannot encode record')
  }
}

function read(bytes: Buffer, offset: number, resolver: ReturnType<Type['createResolver']> | undefined): KubeRecord {
  const fields = decodeFields(bytes, offset, resolver)
  const record = parseRecord(fields)
  if (record.object !== null) assertObject(record.object, 'Cannot decode record', 'corrupt')
  return record
}

function decodeFields(
  bytes: Buffer,
  offset: number,
  resolver: ReturnType<Type['createResolver']> | undefined,
): unknown {
  const decoded = attempt(() => readerType.decode(bytes, offset, resolver))
  if (decoded.offset === bytes.length) return decoded.value
  throw new KubedeltaError(
    'corrupt',
    `Cannot decode record: wanted an Avro body of ${bytes.length - offset} bytes: current value is ${
      decoded.offset < 0 ? 'cut off' : `${decoded.offset - offset} bytes long`
    }`,
  )
}

// avsc throws plain errors for union branches, enum symbols and longs out of range.
function attempt<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw new KubedeltaError('corrupt', 'Cannot decode record: wanted an Avro body: current value is other bytes', {
      cause: error,
    })
  }
}

function typeWithObject(last: readonly object[]): Type {
  const schema: RecordSchema = JSON.parse(recordSchema.text)
  if (schema.fields.at(-1)?.name !== 'object') {
    throw new KubedeltaError('internal', "Cannot use schema: 'object' must be the last field of schemas/record.avsc")
  }
  const twin: unknown = { ...schema, fields: [...schema.fields.slice(0, -1), ...last] }
  return avro.Type.forSchema(parseSchema(JSON.stringify(twin)))
}

function parseSchema(text: string): Schema {
  const schema: Schema = JSON.parse(text)
  return schema
}

function lengthSize(length: number): number {
  let size = 1
  for (let rest = length * 2; rest >= 128; rest = Math.floor(rest / 128)) size++
  return size
}

// Avro's long: zigzag, which doubles what is not negative, then 7 bits a byte, least significant first.
function writeLength(bytes: Buffer, position: number, length: number): number {
  let rest = length * 2
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[position++] = (rest % 128) | 0x80
  bytes[position++] = rest
  return position
}
