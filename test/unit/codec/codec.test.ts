import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { describeSchema, recordSchema } from '../../../src/codec/avro.ts'
import type { SchemaText } from '../../../src/codec/avro.ts'
import { encodeRecord, RecordDecoder } from '../../../src/codec/codec.ts'
import { SchemaStore } from '../../../src/codec/schema-source.ts'
import { sampleRecord } from '../record/samples.ts'

describe('frames', () => {
  test('an Avro value begins with C3 01 and the fingerprint, least significant byte first', () => {
    const bytes = encodeRecord({ kind: 'avro' })(sampleRecord())
    assert.equal(bytes.toString('hex', 0, 2), 'c301')
    assert.equal(bytes.readBigUInt64LE(2), BigInt(`0x${recordSchema.fingerprint}`))
  })

  test('a Confluent value begins with 00 and the id, most significant byte first', () => {
    const bytes = encodeRecord({ kind: 'confluent', id: 0x01020304 })(sampleRecord())
    assert.equal(bytes.toString('hex', 0, 5), '0001020304')
  })

  test('both Avro frames hold the same body', () => {
    const single = encodeRecord({ kind: 'avro' })(sampleRecord())
    const confluent = encodeRecord({ kind: 'confluent', id: 1 })(sampleRecord())
    assert.deepEqual(single.subarray(10), confluent.subarray(5))
  })

  test('an id that does not fit 32 bits is refused', () => {
    assert.throws(() => encodeRecord({ kind: 'confluent', id: 2 ** 32 }), RangeError)
  })

  test('a value of another first byte, or none, is corrupt', () => {
    const decoder = new RecordDecoder(new SchemaStore())
    for (const bytes of ['', '01', 'c3', 'c302', '5b5d', '00', '0000000001']) {
      assert.throws(
        () => decoder.decode(Buffer.from(bytes, 'hex')),
        (error) => hasCode(error, 'corrupt'),
        bytes,
      )
    }
  })
})

describe('bytes', () => {
  for (const kind of ['avro', 'json'] as const) {
    const encode = encodeRecord({ kind })
    const decoder = new RecordDecoder(new SchemaStore())

    test(`${kind} keeps an object's bytes as they stand`, () => {
      const object = Buffer.from('{"b":1e2,"a":9223372036854775807,"\\u0061":"\\/ é 😀","a":1.0}')
      assert.deepEqual(decoder.decode(encode(sampleRecord({ object }))).object, object)
    })

    test(`${kind} takes an object of more than a million bytes`, () => {
      const object = Buffer.from(`{"data":"${'x'.repeat(1_500_000)}"}`)
      assert.deepEqual(decoder.decode(encode(sampleRecord({ object }))).object, object)
    })

    test(`${kind} takes names far longer than its first buffer`, () => {
      const record = sampleRecord({
        name: 'é'.repeat(20_000),
        previous: { uid: 'u'.repeat(5000), resourceVersion: '1' },
      })
      assert.deepEqual(decoder.decode(encode(record)), record)
    })

    test(`${kind} copies the object out of the bytes it decodes`, () => {
      const bytes = encode(sampleRecord())
      const { object } = decoder.decode(bytes)
      bytes.fill(0)
      assert.deepEqual(object, sampleRecord().object)
    })

    test(`${kind} refuses to encode what is not UTF-8 text of a JSON object`, () => {
      for (const object of [Buffer.from(''), Buffer.from('[]'), Buffer.from([0x7b, 0xff, 0x7d])]) {
        assert.throws(
          () => encode(sampleRecord({ object })),
          (error) => hasCode(error, 'internal'),
        )
      }
    })
  }

  test('an Avro value whose object is not UTF-8 is corrupt', () => {
    const bytes = encodeRecord({ kind: 'avro' })(sampleRecord({ object: Buffer.from('{"a":"b"}') }))
    bytes[bytes.length - 3] = 0xff
    assert.throws(
      () => new RecordDecoder(new SchemaStore()).decode(bytes),
      (error) => hasCode(error, 'corrupt'),
    )
  })

  test('no error names a part of the object', () => {
    const secret = 'c2VjcmV0'
    const decoder = new RecordDecoder(new SchemaStore())
    for (const kind of ['avro', 'json'] as const) {
      const bytes = encodeRecord({ kind })(sampleRecord({ object: Buffer.from(`{"data":{"p":"${secret}"}}`) }))
      const damaged = [
        bytes.subarray(0, -2),
        Buffer.concat([bytes, Buffer.from(secret)]),
        Buffer.from(bytes).fill(0xff, bytes.length - 4),
      ]
      for (const frame of damaged) {
        assert.throws(
          () => decoder.decode(frame),
          (error) => error instanceof Error && !`${error.stack} ${String(error.cause)}`.includes(secret),
        )
      }
    }
  })
})

describe('another version of the schema', () => {
  const newer = describeSchema(
    changedSchema((fields) => [
      { name: 'generation', type: 'long' },
      ...fields.map((field) =>
        field.name === 'op'
          ? {
              ...field,
              type: { type: 'enum', name: 'Operation', symbols: ['UNKNOWN', 'ADDED', 'UPDATED', 'DELETED', 'PATCHED'] },
            }
          : field,
      ),
      { name: 'labels', type: { type: 'map', values: 'string' }, default: {} },
    ]),
  )
  // generation 5, then this version's body, then a map of one entry.
  const own = encodeRecord({ kind: 'avro' })(sampleRecord())
  const body = Buffer.concat([Buffer.from([10]), own.subarray(10), Buffer.from([2, 2, 0x61, 2, 0x62, 0])])
  const head = headOf(newer)

  test('a record of a newer schema is unknown-schema until its schema is learned, then it decodes', () => {
    const schemas = new SchemaStore()
    const decoder = new RecordDecoder(schemas)
    const bytes = Buffer.concat([head, body])
    assert.throws(
      () => decoder.decode(bytes),
      (error) => hasCode(error, 'unknown-schema') && error.fields.fingerprint === newer.fingerprint,
    )
    schemas.learn({ [newer.fingerprint]: newer.canonical })
    assert.deepEqual(decoder.decode(bytes), sampleRecord())
  })

  test('a symbol that only the newer schema knows is read as UNKNOWN', () => {
    const schemas = new SchemaStore()
    schemas.learn({ [newer.fingerprint]: newer.canonical })
    const changed = Buffer.from(body)
    changed[1] = 8
    assert.equal(new RecordDecoder(schemas).decode(Buffer.concat([head, changed])).op, 'UNKNOWN')
  })

  test('an id is unknown-schema until the registry gave its schema, then it decodes', () => {
    const schemas = new SchemaStore()
    const decoder = new RecordDecoder(schemas)
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 42]), body])
    assert.throws(
      () => decoder.decode(bytes),
      (error) => hasCode(error, 'unknown-schema') && error.fields.id === 42,
    )
    schemas.learnId(42, newer.text)
    assert.deepEqual(decoder.decode(bytes), sampleRecord())
  })

  test('fields that an older schema lacks take their defaults', () => {
    const older = describeSchema(changedSchema((fields) => fields.filter((field) => field.name !== 'epoch')))
    const schemas = new SchemaStore()
    schemas.learn({ [older.fingerprint]: older.canonical })
    const withoutEpoch = own.subarray(10, own.lastIndexOf(sampleRecord().object ?? '') - 4)
    const rest = own.subarray(own.lastIndexOf(sampleRecord().object ?? '') - 3)
    const decoded = new RecordDecoder(schemas).decode(Buffer.concat([headOf(older), withoutEpoch, rest]))
    assert.deepEqual(decoded, sampleRecord({ epoch: 0 }))
  })

  test('a schema under a fingerprint that is not its own, or that is no record of ours, is unknown-schema', () => {
    for (const text of [newer.canonical.replace('generation', 'generatioN'), '"int"', 'no schema']) {
      const schemas = new SchemaStore()
      schemas.learn({ [newer.fingerprint]: text })
      assert.throws(
        () => new RecordDecoder(schemas).decode(Buffer.concat([head, body])),
        (error) => hasCode(error, 'unknown-schema'),
        text,
      )
    }
  })
})

function headOf({ fingerprint }: SchemaText): Buffer {
  return Buffer.from([0xc3, 0x01, ...Buffer.from(fingerprint, 'hex').toReversed()])
}

type Field = { readonly name: string; readonly [attribute: string]: unknown }

function changedSchema(change: (fields: readonly Field[]) => readonly Field[]): string {
  const schema: { readonly fields: readonly Field[] } = JSON.parse(recordSchema.text)
  return JSON.stringify({ ...schema, fields: change(schema.fields) })
}
