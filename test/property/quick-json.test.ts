// The quick ways through JSON say what the general ways say, on any JSON and any damage to it.

import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { decodeAnyJson, decodeJson, encodeJson } from '../../src/codec/json.ts'
import { readOwnJson } from '../../src/codec/own-json.ts'
import { keyOf } from '../../src/object/key.ts'
import { isCompactObject, isJsonObject } from '../../src/object/json-check.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { anyRecord } from '../unit/record/samples.ts'
import { objectText, valueText } from './json-documents.ts'

const RUNS = { numRuns: 2_000 }

const asItIs = (slice: Buffer): Buffer => slice

const damage = fc.array(
  fc.tuple(fc.nat(), fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...Buffer.from('"\\,:{}[]0-tn\u0000')))),
  { maxLength: 3 },
)

function damaged(bytes: Buffer, changes: ReadonlyArray<readonly [number, number]>): Buffer {
  for (const [at, byte] of changes) bytes[at % bytes.length] = byte
  return bytes
}

/** By JSON.parse: an object with nothing around it. */
function isObject(bytes: Buffer): boolean {
  try {
    // Latin1, so that the check does not depend on UTF-8.
    const text = bytes.toString('latin1')
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && text.startsWith('{') && text.endsWith('}')
  } catch {
    return false
  }
}

function assertChecked(bytes: Buffer): void {
  const expected = isObject(bytes)
  // Among other bytes: neither what stands before nor what stands behind may count.
  const around = Buffer.concat([Buffer.from('{"a":"'), bytes, Buffer.from('"}]}1')])
  const isThere = isJsonObject(around, 6, 6 + bytes.length)
  assert.equal(isThere, expected, JSON.stringify(bytes.toString('latin1')))
  assert.equal(isJsonObject(bytes, 0, bytes.length), expected)
  if (isCompactObject(around, 6, 6 + bytes.length)) assert.ok(expected)
}

test('the quick check takes what JSON.parse takes for an object, and nothing else', () => {
  const text = fc.oneof(objectText('compact'), objectText('spaced'), valueText('compact'), valueText('spaced'))
  fc.assert(
    fc.property(text, damage, (json, changes) => assertChecked(damaged(Buffer.from(json), changes))),
    RUNS,
  )
})

test('the quick check meets an end anywhere', () => {
  fc.assert(
    fc.property(objectText('compact'), fc.nat(), (json, at) => {
      const bytes = Buffer.from(json)
      assertChecked(bytes.subarray(0, at % (bytes.length + 1)))
    }),
    RUNS,
  )
})

/** Text as Kubernetes has it, so that most records take the quick way. */
const plain = fc.stringMatching(/^[ !#-[\]-~]{0,40}$/)
const plainRecord: fc.Arbitrary<KubeRecord> = fc
  .record({
    record: anyRecord,
    text: fc.array(plain, { minLength: 10, maxLength: 10 }),
    namespace: fc.option(plain),
    numbers: fc.tuple(fc.nat(), fc.integer({ min: 0, max: 2 ** 49 })),
    object: fc.option(objectText('compact')),
  })
  .map(
    ({ record, text: [a = '', b = '', c = '', d = '', e = '', f = '', g = '', h = '', i = '', j = ''], ...rest }) => ({
      op: record.op,
      cause: record.cause,
      finalStateUnknown: record.finalStateUnknown,
      initial: record.initial,
      cluster: a,
      group: b,
      version: c,
      resource: d,
      kind: e,
      namespace: rest.namespace,
      name: f,
      uid: g,
      resourceVersion: h,
      previous: record.previous === null ? null : { uid: i, resourceVersion: j },
      observedAt: rest.numbers[1],
      epoch: rest.numbers[0],
      object: rest.object === null ? null : Buffer.from(rest.object),
    }),
  )

function outcome(decode: () => KubeRecord): unknown {
  try {
    return decode()
  } catch (error) {
    if (hasCode(error, 'corrupt')) return 'corrupt'
    throw error
  }
}

/** None, the right one, and one that spells what stands in the bytes, however damaged. */
function keysOf({ namespace, name }: KubeRecord, bytes: Buffer): readonly string[] {
  const spelt = /"namespace":(?:null|"(?<namespace>.*)"),"name":"(?<name>.*)","uid":/s.exec(bytes.toString('latin1'))
  return ['', keyOf(namespace, name), keyOf(spelt?.groups?.['namespace'], spelt?.groups?.['name'] ?? '')]
}

test('a record reads the same by the quick way and by JSON.parse, whatever happened to its bytes', () => {
  fc.assert(
    fc.property(fc.oneof(plainRecord, anyRecord), damage, (record, changes) => {
      const bytes = damaged(encodeJson(record), changes)
      for (const key of keysOf(record, bytes)) {
        const quick = readOwnJson(bytes, asItIs, 'whole', key)
        if (quick !== undefined) assert.deepEqual(quick, decodeAnyJson(bytes, asItIs), key)
      }
      assert.deepEqual(
        outcome(() => decodeJson(bytes)),
        outcome(() => decodeAnyJson(bytes, asItIs)),
      )
    }),
    RUNS,
  )
})

test('a record of plain text takes the quick way, one behind the other', () => {
  const simple = plainRecord.map((record) => ({
    ...record,
    object: record.object && Buffer.from('{"kind":"Pod","spec":{"list":[1,-20,true,false,null,{},[],"\\"\\u00e9 é"]}}'),
  }))
  fc.assert(
    fc.property(fc.array(simple, { minLength: 1, maxLength: 4 }), (records) => {
      for (const record of records) {
        assert.deepEqual(readOwnJson(encodeJson(record), asItIs), record)
        const key = keyOf(record.namespace, record.name)
        assert.deepEqual(readOwnJson(encodeJson(record), asItIs, 'whole', key), record)
      }
    }),
    RUNS,
  )
})

test('a copy shares no memory with what it was decoded from, a slice does', () => {
  fc.assert(
    fc.property(plainRecord, (record) => {
      const bytes = encodeJson(record)
      assert.notEqual(decodeJson(bytes).object?.buffer, bytes.buffer)
      const slice = readOwnJson(bytes, asItIs)?.object
      if (slice) assert.equal(slice.buffer, bytes.buffer)
    }),
  )
})
