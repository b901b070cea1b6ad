import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawObject } from '../../src/object/raw-object.ts'
import { maskSecrets } from '../../src/policy/mask-secrets.ts'
import { normalizeJson } from '../../src/object/json-text.ts'
import { stringText, valueText, type Whitespace } from './json-documents.ts'

const FACTS = { apiVersion: 'v1', kind: 'Secret', namespace: 'shop', name: 'db', uid: 'u', resourceVersion: '1' }

/** Occurs nowhere else: values are made of it, in any form that JSON allows. */
const PLANTED = 'hunter2'
const planted: fc.Arbitrary<string> = fc.oneof(
  fc.nat(99).map((n) => `"${PLANTED}${n}"`),
  stringText.map((text) => `"${PLANTED}${text.slice(1)}`),
  fc.nat(99).map((n) => `["${PLANTED}",{"data":"${PLANTED}${n}"}]`),
  fc.nat(99).map((n) => `{"data":{"a":"${PLANTED}${n}"}}`),
)

interface Member {
  readonly text: string
  readonly masked: string
}

function secretMember(gap: string): fc.Arbitrary<Member> {
  const spell = (key: string): fc.Arbitrary<string> =>
    fc.constantFrom(`"${key}"`, `"${key}"`, `"\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}"`)
  const map = (mask: string): fc.Arbitrary<Member> =>
    fc.oneof(
      fc.array(fc.tuple(stringText, planted), { maxLength: 4 }).map((members) => ({
        text: objectOf(
          gap,
          members.map(([key, value]) => `${key}${gap}:${value}`),
        ),
        masked: objectOf(
          gap,
          members.map(([key]) => `${key}${gap}:${mask}`),
        ),
      })),
      planted.filter((text) => !text.startsWith('{')).map((text) => ({ text, masked: mask })),
      fc.constant({ text: 'null', masked: 'null' }),
    )
  const named = (key: string, value: fc.Arbitrary<Member>): fc.Arbitrary<Member> =>
    fc.tuple(spell(key), value).map(([name, { text, masked }]) => ({
      text: `${name}:${gap}${text}`,
      masked: `${name}:${gap}${masked}`,
    }))
  const kept = (...keys: readonly string[]): fc.Arbitrary<Member> =>
    fc.tuple(fc.constantFrom(...keys), valueText('compact')).map(([key, value]) => {
      const text = `"${key}":${gap}${value}`
      return { text, masked: text }
    })
  const metadata = fc
    .array(fc.oneof(named('annotations', map('"******"')), kept('labels', 'data', 'stringData', 'managedFields')), {
      maxLength: 3,
    })
    .map((members) => ({
      text: objectOf(
        gap,
        members.map(({ text }) => text),
      ),
      masked: objectOf(
        gap,
        members.map(({ masked }) => masked),
      ),
    }))
  return fc.oneof(
    named('data', map('"KioqKioq"')),
    named('stringData', map('"******"')),
    named('metadata', metadata),
    kept('type', 'immutable', 'kind', 'annotations', 'other'),
  )
}

function objectOf(gap: string, members: readonly string[]): string {
  return `{${gap}${members.join(`${gap},${gap}`)}${gap}}`
}

test('no planted value is in the masked bytes, and nothing else has changed', () => {
  const secrets = fc
    .constantFrom<Whitespace>('compact', 'spaced')
    .map((whitespace) => (whitespace === 'compact' ? '' : '\n '))
    .chain((gap) =>
      fc.array(secretMember(gap), { maxLength: 6 }).map((members) => ({
        text: objectOf(
          gap,
          members.map(({ text }) => text),
        ),
        masked: objectOf(
          gap,
          members.map(({ masked }) => masked),
        ),
      })),
    )
  fc.assert(
    fc.property(secrets, ({ text, masked }) => {
      const object: RawObject = { bytes: Buffer.from(text), ...FACTS }
      const result = maskSecrets.apply(object)
      assert.notEqual(result.kind, 'withheld')
      const bytes = result.kind === 'changed' ? result.object.bytes : object.bytes
      assert.ok(!bytes.includes(PLANTED))
      assert.equal(bytes.toString(), masked)
      assert.deepEqual(JSON.parse(bytes.toString()), JSON.parse(masked))
      normalizeJson(bytes)
      const again = maskSecrets.apply({ ...object, bytes })
      assert.ok(again.kind !== 'withheld')
      if (again.kind === 'changed') assert.deepEqual(again.object.bytes, bytes)
    }),
    { numRuns: 2000 },
  )
})

test('broken or random bytes are withheld or masked, never let through', () => {
  const broken = fc.oneof(
    fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(secretMember(''), fc.nat(), fc.nat(7)).map(([{ text }, place, bit]) => {
      const bytes = Buffer.from(`{${text}}`)
      const at = place % bytes.length
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
      return bytes
    }),
  )
  fc.assert(
    fc.property(broken, (bytes) => {
      const result = maskSecrets.apply({ bytes, ...FACTS })
      if (result.kind === 'withheld') return
      normalizeJson(result.kind === 'changed' ? result.object.bytes : bytes)
    }),
    { numRuns: 2000 },
  )
})
