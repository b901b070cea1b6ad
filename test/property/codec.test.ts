// The codec on any record, any bytes and any damage to a valid frame.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { KubedeltaError } from '../../src/base/errors.ts'
import { recordSchema } from '../../src/codec/avro.ts'
import { encodeRecord, RecordDecoder } from '../../src/codec/codec.ts'
import type { RecordFormat } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { anyRecord } from '../unit/record/samples.ts'

const schemas = new SchemaStore()
schemas.learnId(7, recordSchema.text)
const decoder = new RecordDecoder(schemas)

const formats: readonly RecordFormat[] = [{ kind: 'json' }, { kind: 'avro' }, { kind: 'confluent', id: 7 }]

for (const format of formats) {
  const encode = encodeRecord(format)

  test(`any record comes back from ${format.kind} as it was`, () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        assert.deepEqual(decoder.decode(encode(record)), record)
      }),
    )
  })

  test(`a ${format.kind} frame cut off anywhere is corrupt`, () => {
    fc.assert(
      fc.property(anyRecord, fc.nat(), (record, at) => {
        const bytes = encode(record)
        assert.equal(outcome(bytes.subarray(0, at % bytes.length)), 'corrupt')
      }),
    )
  })

  test(`a ${format.kind} frame with bytes behind it is corrupt`, () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        assert.equal(outcome(Buffer.concat([encode(record), Buffer.from('x')])), 'corrupt')
      }),
    )
  })

  test(`a damaged ${format.kind} frame decodes or fails with a named error`, () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(anyRecord, damage, (record, bytes) => {
        const frame = encode(record)
        for (const [at, byte] of bytes) frame[at % frame.length] = byte
        assert.match(outcome(frame), /^(decoded|corrupt|unknown-schema)$/)
      }),
      { numRuns: 1000 },
    )
  })
}

test('random bytes fail with a named error', () => {
  const heads = [[], [0x00], [0x00, 0, 0, 0, 7], [0xc3, 0x01], [0x7b], [0x7b, 0x22]]
  const bytes = fc.tuple(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 200 }))
  fc.assert(
    fc.property(bytes, ([head, tail]) => {
      assert.match(outcome(Buffer.from([...head, ...tail])), /^(decoded|corrupt|unknown-schema)$/)
    }),
    { numRuns: 2000 },
  )
})

/** The code of the error, or `decoded`. Any other exception fails the test. */
function outcome(bytes: Buffer): string {
  try {
    decoder.decode(bytes)
    return 'decoded'
  } catch (error) {
    if (error instanceof KubedeltaError) return error.code
    throw error
  }
}
