// Values of records in every form: JSON, Avro single object, Confluent.

import assert from 'node:assert/strict'
import { recordSchema } from '../../src/codec/avro.ts'
import { encodeRecord, RecordDecoder, type RecordFormat } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { sampleRecord } from '../unit/record/samples.ts'
import { fuzz } from './fuzz.ts'

const schemas = new SchemaStore()
schemas.learnId(7, recordSchema.text)
const decoder = new RecordDecoder(schemas)
const utf8 = new TextDecoder('utf-8', { fatal: true })

const formats: readonly RecordFormat[] = [{ kind: 'json' }, { kind: 'avro' }, { kind: 'confluent', id: 7 }]

for (const format of formats) {
  const encode = encodeRecord(format)
  fuzz({
    name: `a value in ${format.kind} is read as what it is written as again, or refused`,
    frames: [
      encode(sampleRecord()),
      encode(sampleRecord({ op: 'UPDATED', cause: 'RELIST', previous: { uid: 'u', resourceVersion: '1' } })),
      encode(sampleRecord({ op: 'DELETED', namespace: null, object: null, finalStateUnknown: true })),
    ],
    decode: (input) => {
      const record = decoder.decode(input)
      assert.deepEqual(decoder.decode(encode(record)), record)
      // Avro holds the object as text; that it is JSON is checked by whoever puts it into a cache.
      if (record.object !== null && format.kind === 'json') JSON.parse(utf8.decode(record.object))
    },
    refusals: ['corrupt', 'unknown-schema'],
  })
}
