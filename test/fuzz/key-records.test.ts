// Values of records on their way into a cache, by the quick way through JSON and by the general one.

import assert from 'node:assert/strict'
import { KubedeltaError } from '../../src/base/errors.ts'
import { encodeRecord, RecordDecoder, type RecordFormat } from '../../src/codec/codec.ts'
import { decodeAnyJson, decodeJson } from '../../src/codec/json.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { readKeyRecord } from '../../src/replica/key-record.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { sampleRecord } from '../unit/record/samples.ts'
import { fuzz, inventText } from './fuzz.ts'

const KEY = 'shop/cart-0'

// As a cache reads: objects are slices of what was fetched.
const decoder = new RecordDecoder(new SchemaStore(), { objects: 'slices' })

const OBJECT =
  '{"kind":"Pod","metadata":{"labels":{"a":"\\u00e9\\n","b":"ü"},"n":[1,-2,{},[],true,false,null]},"spec":{"x":{"y":"z"}}}'

const samples: readonly [KubeRecord, ...KubeRecord[]] = [
  sampleRecord(),
  sampleRecord({ op: 'UPDATED', previous: { uid: 'u', resourceVersion: '1' }, object: Buffer.from(OBJECT) }),
  sampleRecord({ op: 'DELETED', finalStateUnknown: true, object: null }),
  sampleRecord({ op: 'DELETED', object: Buffer.from('{"a":1.5e3, "b": " "}') }),
  sampleRecord({ cause: 'RESYNC', object: null }),
]

fuzz({
  name: 'a value in JSON is read alike by the quick way and the general one, and gives an object that parses',
  frames: framesOf({ kind: 'json' }),
  invent: inventText([
    '{',
    '}',
    '"op":',
    '"ADDED"',
    ',',
    '"object":',
    'null',
    '{}',
    '"',
    '\\',
    ' ',
    '[',
    ']',
    '1',
    'ü',
  ]),
  decode: (input) => {
    assert.deepEqual(
      outcome(() => decodeJson(input)),
      outcome(() => decodeAnyJson(input, (slice) => slice)),
    )
    take(input)
  },
  refusals: ['corrupt', 'topic-foreign', 'unknown-schema'],
})

fuzz({
  name: 'a value in Avro gives an object that parses, or is refused',
  frames: framesOf({ kind: 'avro' }),
  decode: take,
  refusals: ['corrupt', 'topic-foreign', 'unknown-schema'],
})

/** What is taken into a cache can be looked at by whoever reads it. */
function take(input: Buffer): void {
  const stored = { partition: 0, offset: 1, timestampMs: 0, key: Buffer.from(KEY), value: input, headers: [] }
  const read = readKeyRecord<object>(KEY, stored, decoder, { resource: 'pods', transform: undefined })
  assert.equal(read.key, KEY)
  if (read.kind !== 'state' && read.kind !== 'deleted') return
  if (read.entry === undefined) return
  assert.equal(read.entry.key, KEY)
  assert.ok(typeof read.entry.object === 'object' && !Array.isArray(read.entry.object))
}

function outcome(decode: () => KubeRecord): unknown {
  try {
    return decode()
  } catch (error) {
    if (error instanceof KubedeltaError) return error.code
    throw error
  }
}

function framesOf(format: RecordFormat): readonly [Buffer, ...Buffer[]] {
  const encode = encodeRecord(format)
  const [first, ...rest] = samples
  return [encode(first), ...rest.map(encode)]
}
