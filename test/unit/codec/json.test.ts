import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { decodeJson, encodeJson } from '../../../src/codec/json.ts'
import { sampleRecord } from '../record/samples.ts'

const object = Buffer.from('{"kind":"Pod","n":9223372036854775807}')
const line = `{"op":"ADDED","cause":"WATCH","finalStateUnknown":false,"initial":false,"cluster":"prod","group":"","version":"v1","resource":"pods","kind":"Pod","namespace":"shop","name":"cart-0","uid":"u-1","resourceVersion":"10482","previous":null,"observedAt":1760000000123,"epoch":3,"object":${String(object)}}`
const record = sampleRecord({ uid: 'u-1', object })

test('a record is one line of JSON with its object nested', () => {
  assert.equal(encodeJson(record).toString(), line)
})

test('the object stands last, in whatever order the record was made', () => {
  const { object: bytes, ...rest } = record
  assert.match(
    encodeJson({ object: bytes, ...rest }).toString(),
    /,"object":\{"kind":"Pod","n":9223372036854775807\}\}$/,
  )
})

test('a withheld object is null', () => {
  const bytes = encodeJson(sampleRecord({ object: null }))
  assert.match(bytes.toString(), /,"object":null\}$/)
  assert.deepEqual(decodeJson(bytes), sampleRecord({ object: null }))
})

test('a record decodes with its fields in any order, with whitespace and with an escaped key', () => {
  const fields = line.slice(1).replace(`,"object":${String(object)}}`, '')
  const spaced = String(object).replaceAll(/([:,{])/g, '$1 \n')
  for (const other of [
    `{"object":${String(object)},${fields}}`,
    `{ "object" :\t${spaced} ,\r\n ${fields} }\n`,
    `{${fields},"\\u006fbject":${String(object)}}`,
    `{"object":{"other":1},${fields},"object":${String(object)}}`,
    `{${fields},"object":${String(object)},"future":{"object":{"deep":[1]}}}`,
  ]) {
    assert.deepEqual(decodeJson(Buffer.from(other)), record, other)
  }
})

test('missing fields take the defaults of the schema', () => {
  const minimal = {
    cluster: 'prod',
    group: '',
    version: 'v1',
    resource: 'nodes',
    kind: 'Node',
    name: 'n',
    uid: 'u',
    resourceVersion: '1',
    observedAt: 1,
  }
  assert.deepEqual(decodeJson(Buffer.from(JSON.stringify(minimal))), {
    ...minimal,
    op: 'UNKNOWN',
    cause: 'UNKNOWN',
    finalStateUnknown: false,
    initial: false,
    namespace: null,
    previous: null,
    epoch: 0,
    object: null,
  })
})

test('an operation or cause of a newer version is UNKNOWN', () => {
  const { op, cause } = decodeJson(Buffer.from(line.replace('"ADDED"', '"PATCHED"').replace('"WATCH"', '"toString"')))
  assert.deepEqual({ op, cause }, { op: 'UNKNOWN', cause: 'UNKNOWN' })
})

test('a field that is missing without a default, or of another type, is corrupt and named', () => {
  const broken: ReadonlyArray<readonly [field: string, text: string]> = [
    ['uid', line.replace('"uid":"u-1",', '')],
    ['resourceVersion', line.replace('"10482"', '10482')],
    ['observedAt', line.replace('1760000000123', '1.5')],
    ['epoch', line.replace('"epoch":3', '"epoch":9007199254740993')],
    ['initial', line.replace('"initial":false', '"initial":null')],
    ['previous', line.replace('"previous":null', '"previous":[]')],
    ['previous.uid', line.replace('"previous":null', '"previous":{"resourceVersion":"1"}')],
    ['namespace', line.replace('"shop"', '7')],
    ['op', line.replace('"ADDED"', '1')],
    ['object', line.replace(String(object), '"text"')],
    ['object', line.replace(String(object), '[1]')],
  ]
  for (const [field, text] of broken) {
    assert.throws(
      () => decodeJson(Buffer.from(text)),
      (error) => hasCode(error, 'corrupt') && error.message.includes(`'${field}'`),
      text,
    )
  }
})
