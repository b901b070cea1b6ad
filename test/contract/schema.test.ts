// Holds the schema, the types, the JSON form's defaults and docs/wire-format.md to each other.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { recordSchema } from '../../src/codec/avro.ts'
import { reservedKeys, toHeaders } from '../../src/record/control.ts'
import type { Control, DigestRecord, Leadership, Progress } from '../../src/record/control.ts'
import { Digest, DIGEST_ALGORITHM } from '../../src/record/digest.ts'
import { parseRecord } from '../../src/record/parse.ts'
import type { Cause, KubeRecord, Operation, Previous } from '../../src/record/record.ts'
import { tombstoneHeaders } from '../../src/record/tombstone.ts'
import { murmur2, partitionOf } from '../../src/topic/partition.ts'

interface Field {
  readonly name: string
  readonly doc?: string
  readonly type: unknown
  readonly default?: unknown
}

const schema: { readonly name: string; readonly namespace: string; readonly fields: readonly Field[] } = JSON.parse(
  readFileSync(new URL('../../schemas/record.avsc', import.meta.url), 'utf8'),
)
const page = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8')

// The compiler holds these to the types: a name too many or too few does not compile.
const recordNames = namesOf<keyof KubeRecord>({
  op: 1,
  cause: 1,
  finalStateUnknown: 1,
  initial: 1,
  cluster: 1,
  group: 1,
  version: 1,
  resource: 1,
  kind: 1,
  namespace: 1,
  name: 1,
  uid: 1,
  resourceVersion: 1,
  previous: 1,
  observedAt: 1,
  epoch: 1,
  object: 1,
})
const previousNames = namesOf<keyof Previous>({ uid: 1, resourceVersion: 1 })
const operations = namesOf<Operation>({ UNKNOWN: 1, ADDED: 1, UPDATED: 1, DELETED: 1 })
const causes = namesOf<Cause>({
  UNKNOWN: 1,
  WATCH: 1,
  LIST: 1,
  RELIST: 1,
  RESYNC: 1,
  RECOVERY: 1,
  SELECTOR: 1,
  POLICY: 1,
})

test('the schema has the fields of the record type, in its order', () => {
  assert.equal(`${schema.namespace}.${schema.name}`, 'kubedelta.Record')
  assert.deepEqual(
    schema.fields.map(({ name }) => name),
    recordNames,
  )
  assert.deepEqual(symbolsOf('op'), operations)
  assert.deepEqual(symbolsOf('cause'), causes)
  assert.match(JSON.stringify(field('previous').type), new RegExp(previousNames.map((name) => `"${name}"`).join('.*')))
})

test('every field of the schema says what it means', () => {
  assert.deepEqual(
    schema.fields.filter(({ doc }) => doc === undefined || doc === '').map(({ name }) => name),
    [],
  )
})

test('every enum of the schema has UNKNOWN for what a later version adds', () => {
  for (const name of ['op', 'cause']) {
    assert.equal(attributesOf(field(name).type).default, 'UNKNOWN')
    assert.equal(field(name).default, 'UNKNOWN')
  }
})

test('the page has the fields of the schema, in its order, with their defaults', () => {
  const rows = tableOf('field', 'type')
  assert.deepEqual(
    rows.map(([name]) => name),
    recordNames,
  )
  assert.deepEqual(
    rows.map(([, , fallback]) => fallback),
    schema.fields.map((each) => (each.default === undefined ? '' : JSON.stringify(each.default).replaceAll('"', ''))),
  )
})

test('the page has the symbols of the enums', () => {
  assert.deepEqual(new Set(tableOf('op', 'means').map(([name]) => name)), new Set(operations))
  assert.deepEqual(new Set(tableOf('cause', 'means').map(([name]) => name)), new Set(causes))
})

test('the page has the keys of control records, and their headers in order', () => {
  assert.deepEqual(
    tableOf('key', 'says').map(([key]) => key),
    Object.values(reservedKeys),
  )
  const rows = tableOf('header', 'in')
  const namesIn = (kind: string): (string | undefined)[] =>
    rows.filter(([, where]) => where === 'all' || where === kind).map(([name]) => name)
  const controls: readonly Control[] = [{ kind: 'fence', ...leadership }, progress, digest]
  for (const control of controls) {
    assert.deepEqual(new Set(namesIn(control.kind)), new Set(toHeaders(control).map(({ name }) => name)))
  }
})

test('the digests on the page are those of what they stand beside', () => {
  assert.ok(page.includes(`\`${DIGEST_ALGORITHM}\``))
  const sums = new Digest()
  const expected = [sums.sum()]
  for (const object of [
    { key: 'shop/cart-0', uid: 'u-1', resourceVersion: '12' },
    { key: 'node-7', uid: 'u-2', resourceVersion: '9' },
  ]) {
    sums.add(object)
    expected.push(sums.sum())
  }
  assert.deepEqual(
    tableOf('partition holds', 'count').map(([, count, text]) => ({ count: Number(count), digest: text })),
    expected,
  )
})

test('the keys on the page have the hashes and partitions on the page', () => {
  const rows = tableOf('key', 'murmur2')
  assert.equal(rows.length, 5)
  assert.deepEqual(
    rows,
    rows.map(([key = '']) => {
      const bytes = Buffer.from(key)
      return [key, String(murmur2(bytes)), String(partitionOf(bytes, 6)), String(partitionOf(bytes, 12))]
    }),
  )
})

test('the page names the headers of a tombstone', () => {
  const names = tombstoneHeaders({ uid: '', resourceVersion: '', epoch: 0 }).map(({ name }) => `\`${name}\``)
  assert.ok(page.includes(`headers ${names.slice(0, -1).join(', ')} and ${names.at(-1)} as text`))
})

test('the page names the fingerprint of the schema', () => {
  assert.ok(page.includes(`schema is \`${recordSchema.fingerprint}\``), recordSchema.fingerprint)
})

test('the JSON form has the defaults of the schema', () => {
  const required = schema.fields.filter((each) => each.default === undefined)
  const minimal = Object.fromEntries(required.map(({ name }) => [name, name === 'observedAt' ? 1 : 'text']))
  const defaults = schema.fields.filter((each) => each.default !== undefined).map((each) => [each.name, each.default])
  assert.deepEqual(parseRecord(minimal), { ...minimal, ...Object.fromEntries(defaults) })
})

const leadership: Leadership = {
  clusterId: '',
  cluster: '',
  streamId: '',
  epoch: 0,
  producerId: '',
  holder: '',
  asOf: 0,
  partitions: 1,
  scope: '',
  policy: '',
  schemas: {},
}
const progress: Progress = {
  kind: 'progress',
  ...leadership,
  synced: false,
  resourceVersion: '',
  newestResourceVersion: '',
}
const digest: DigestRecord = { kind: 'digest', ...leadership, algorithm: DIGEST_ALGORITHM, ...new Digest().sum() }

function namesOf<Name extends string>(names: Readonly<Record<Name, 1>>): readonly string[] {
  return Object.keys(names)
}

function field(name: string): Field {
  const found = schema.fields.find((each) => each.name === name)
  assert.ok(found, name)
  return found
}

function symbolsOf(name: string): unknown {
  return attributesOf(field(name).type).symbols
}

function attributesOf(type: unknown): Readonly<Record<string, unknown>> {
  assert.ok(typeof type === 'object' && type !== null)
  return Object.fromEntries(Object.entries(type))
}

/** The cells of the table whose head begins with these two, row by row, without backquotes. */
function tableOf(first: string, second: string): readonly (readonly string[])[] {
  const rows = page.split('\n').map((line) => (line.startsWith('|') ? cellsOf(line) : undefined))
  const head = rows.findIndex((cells) => cells?.[0] === first && cells[1] === second)
  assert.ok(head >= 0, `no table begins with ${first}, ${second}`)
  const body = rows.slice(head + 2)
  return body.slice(0, body.indexOf(undefined)).filter((cells) => cells !== undefined)
}

function cellsOf(line: string): readonly string[] {
  const cells = line.split('|').slice(1, -1)
  return cells.map((cell) => cell.trim().replaceAll('`', ''))
}
