// Records to bytes and back; the first byte says which form the bytes have.

import { KubedeltaError } from '../base/errors.ts'
import type { KubeRecord } from '../record/record.ts'
import { avroReader, describeSchema, encodeAvro, readOwn, recordSchema } from './avro.ts'
import type { AvroReader } from './avro.ts'
import { decodeJson, encodeJson, type ObjectBytes } from './json.ts'
import type { ObjectCheck } from './own-json.ts'
import type { SchemaSource } from './schema-source.ts'

/**
 * The form of a value.
 *
 * - `json`: first byte `{`.
 * - `avro`: a single-object frame, 0xC3 0x01 and the schema's fingerprint.
 * - `confluent`: 0x00 and the id that a schema registry gave this version's schema.
 */
export type RecordFormat =
  { readonly kind: 'json' } | { readonly kind: 'avro' } | { readonly kind: 'confluent'; readonly id: number }

/** Turns records into values. @throws KubedeltaError `internal` for a record that does not fit the schema */
export type EncodeRecord = (record: KubeRecord) => Buffer

/**
 * The encoder of a format.
 * @throws RangeError when a registry's id does not fit 32 bits
 */
export function encodeRecord(format: RecordFormat): EncodeRecord {
  switch (format.kind) {
    case 'json':
      return encodeJson
    case 'avro':
      return (record) => encodeAvro(record, SINGLE_OBJECT_HEAD)
    case 'confluent': {
      const head = confluentHead(format.id)
      return (record) => encodeAvro(record, head)
    }
    default:
      return format satisfies never
  }
}

/**
 * Turns values into records, whatever form they have.
 *
 * - The object's bytes are copied unless slices are asked for: a record kept pins no fetch response.
 * - Anything that does not decode is `corrupt`, and a writer schema that is not at hand `unknown-schema`: no other error comes.
 */
export class RecordDecoder {
  readonly #schemas: SchemaSource
  readonly #byFingerprint = new Map<string, AvroReader>([[recordSchema.fingerprint, readOwn]])
  readonly #byId = new Map<number, AvroReader>()
  readonly #objects: ObjectBytes

  /** @param objects what `object` of decoded records is. @default 'copies' */
  constructor(schemas: SchemaSource, { objects = 'copies' }: { readonly objects?: ObjectBytes } = {}) {
    this.#schemas = schemas
    this.#objects = objects
  }

  /**
   * @param check how much of an object in JSON is looked at; in the other forms it is looked at as text of any kind
   * @param key the record's key where it is at hand, which makes decoding quicker; what it says is not believed
   * @throws KubedeltaError `corrupt`
   * @throws KubedeltaError `unknown-schema`, with `fields.id` or `fields.fingerprint` of the schema that is missing; once the
   *   schema source has it, the same bytes decode
   */
  decode(bytes: Buffer, check: ObjectCheck = 'whole', key?: string): KubeRecord {
    if (bytes[0] === OPEN_BRACE) return decodeJson(bytes, this.#objects, check, key)
    if (bytes[0] === CONFLUENT_MAGIC && bytes.length > CONFLUENT_HEAD_BYTES) {
      return this.#readerById(bytes.readUInt32BE(1))(bytes, CONFLUENT_HEAD_BYTES)
    }
    if (
      bytes[0] === SINGLE_OBJECT_HEAD[0] &&
      bytes[1] === SINGLE_OBJECT_HEAD[1] &&
      bytes.length > SINGLE_OBJECT_HEAD.length
    ) {
      return this.#readerByFingerprint(bytes)(bytes, SINGLE_OBJECT_HEAD.length)
    }
    throw new KubedeltaError(
      'corrupt',
      `Cannot decode record: wanted a value that begins with 0x00, 0xC301 or '{': current value is ${bytes.length} bytes beginning with 0x${bytes.toString('hex', 0, 2)}`,
    )
  }

  #readerById(id: number): AvroReader {
    const known = this.#byId.get(id)
    if (known !== undefined) return known
    const text = this.#schemas.byId(id)
    if (text === undefined) {
      throw new KubedeltaError(
        'unknown-schema',
        `Cannot decode record: its schema must be known: current value is id ${id} of a schema registry`,
        { fields: { id } },
      )
    }
    const reader = avroReader(text)
    this.#byId.set(id, reader)
    return reader
  }

  #readerByFingerprint(bytes: Buffer): AvroReader {
    const fingerprint = bytes.readBigUInt64LE(2).toString(16).padStart(16, '0')
    const known = this.#byFingerprint.get(fingerprint)
    if (known !== undefined) return known
    const text = this.#schemas.byFingerprint(fingerprint)
    if (text === undefined) {
      throw new KubedeltaError(
        'unknown-schema',
        `Cannot decode record: its schema must be known from a progress record: current value is fingerprint ${fingerprint}`,
        { fields: { fingerprint } },
      )
    }
    const reader = avroReader(text)
    assertFingerprint(text, fingerprint)
    this.#byFingerprint.set(fingerprint, reader)
    return reader
  }
}

const OPEN_BRACE = 0x7b
const CONFLUENT_MAGIC = 0x00
const CONFLUENT_HEAD_BYTES = 5

const SINGLE_OBJECT_HEAD = singleObjectHead(recordSchema.fingerprint)

function singleObjectHead(fingerprint: string): Buffer {
  const head = Buffer.from([0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeBigUInt64LE(BigInt(`0x${fingerprint}`), 2)
  return head
}

function confluentHead(id: number): Buffer {
  const head = Buffer.alloc(CONFLUENT_HEAD_BYTES)
  head.writeUInt32BE(id, 1)
  return head
}

// A schema under another's fingerprint would decode to fields that nobody wrote.
function assertFingerprint(text: string, fingerprint: string): void {
  const actual = describeSchema(text).fingerprint
  if (actual === fingerprint) return
  throw new KubedeltaError(
    'unknown-schema',
    `Cannot decode record: its schema must have the fingerprint ${fingerprint}: current value is ${actual}`,
    { fields: { fingerprint } },
  )
}
