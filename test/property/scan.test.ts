import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { normalizeJson } from '../../src/object/json-text.ts'
import { ListScanner, WatchScanner, type ScanOptions } from '../../src/watch/scan.ts'
import type { ListFrame, WatchFrame } from '../../src/watch/source.ts'
import { chunksOf, objectText, places, stringText, valueText, type Whitespace } from './json-documents.ts'

const DEFAULTS = { apiVersion: 'v1', kind: 'Pod' }
const RUNS = { numRuns: 500 }
const whitespace: fc.Arbitrary<Whitespace> = fc.constantFrom('compact', 'spaced')

type Outcome<T> = { readonly frames: readonly T[] } | 'corrupt'

/** Anything but frames and `corrupt` fails the test. */
function outcomeOf<T>(scan: () => readonly T[]): Outcome<T> {
  try {
    return { frames: scan() }
  } catch (error) {
    if (hasCode(error, 'corrupt')) return 'corrupt'
    throw error
  }
}

function list(chunks: readonly Buffer[], options?: ScanOptions): Outcome<ListFrame> {
  const scanner = new ListScanner(DEFAULTS, options)
  return outcomeOf(() => [...chunks.flatMap((chunk) => scanner.push(chunk)), scanner.end()])
}

function watch(chunks: readonly Buffer[], options?: ScanOptions): Outcome<WatchFrame> {
  const scanner = new WatchScanner(DEFAULTS, options)
  return outcomeOf(() => chunks.flatMap((chunk) => scanner.push(chunk)))
}

/** What JSON.parse sees under the keys; undefined for what is absent. */
function parsedAt(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && !Array.isArray(at)
        ? Object.getOwnPropertyDescriptor(at, key)?.value
        : undefined,
    value,
  )
}

/** The text without whitespace outside strings, by another way than that under test. */
function compactText(text: string): string {
  return text.replaceAll(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, (_match, literal: string | undefined) => literal ?? '')
}

/** The object that must come out, or undefined where it must be refused. */
function expectedObject(text: string): Record<string, string> | undefined {
  const parsed: unknown = JSON.parse(text)
  const facts: Record<string, unknown> = {
    kind: parsedAt(parsed, 'kind'),
    apiVersion: parsedAt(parsed, 'apiVersion'),
    namespace: parsedAt(parsed, 'metadata', 'namespace') ?? '',
    name: parsedAt(parsed, 'metadata', 'name') ?? '',
    uid: parsedAt(parsed, 'metadata', 'uid') ?? '',
    resourceVersion: parsedAt(parsed, 'metadata', 'resourceVersion') ?? '',
  }
  const first = (['kind', 'apiVersion'] as const).filter((field) => facts[field] === undefined)
  const lead = first.map((field) => `"${field}":"${DEFAULTS[field]}"`).join(',')
  const body = compactText(text).slice(1)
  const bytes = lead === '' ? `{${body}` : `{${lead}${body === '}' ? '' : ','}${body}`
  const result: Record<string, string> = { bytes }
  for (const [field, value] of Object.entries({ ...facts, ...withDefaults(facts) })) {
    if (typeof value !== 'string') return undefined
    result[field] = value
  }
  return result['name'] === '' ? undefined : result
}

function withDefaults({ kind, apiVersion }: Record<string, unknown>): Record<string, unknown> {
  const orDefault = (value: unknown, absent: string): unknown => (value === undefined ? absent : (value ?? ''))
  return { kind: orDefault(kind, DEFAULTS.kind), apiVersion: orDefault(apiVersion, DEFAULTS.apiVersion) }
}

test('an item has the facts that JSON.parse sees and the bytes as they stand, however it is cut', () => {
  const items = whitespace.chain((gaps) => objectText(gaps))
  fc.assert(
    fc.property(items, places, (item, cuts) => {
      const chunks = chunksOf(Buffer.from(`{"items":[${item}]}`), cuts)
      const expected = expectedObject(item)
      for (const path of ['fast', 'slow'] as const) {
        const outcome = list(chunks, { path })
        if (expected === undefined || outcome === 'corrupt') {
          assert.equal(outcome === 'corrupt', expected === undefined)
          continue
        }
        const [frame] = outcome.frames
        assert.ok(frame?.kind === 'item')
        assert.deepEqual({ ...frame.object, bytes: frame.object.bytes.toString() }, expected)
        assert.deepEqual(JSON.parse(frame.object.bytes.toString()), { ...JSON.parse(expected['bytes'] ?? '') })
      }
    }),
    { numRuns: 2000 },
  )
})

test('a list gives the same frames on the fast and the slow path and for any chunks', () => {
  const documents = whitespace.chain((gaps) =>
    fc
      .tuple(fc.array(objectText(gaps), { maxLength: 4 }), fc.boolean(), valueText(gaps))
      .map(([items, isCustom, extra]) => {
        const metadata = '"metadata":{"resourceVersion":"9","continue":"t"}'
        const array = `"items":[${items.join(',')}]`
        return isCustom ? `{${array},"x":${extra},${metadata}}` : `{${metadata},"x":${extra},${array}}`
      }),
  )
  fc.assert(
    fc.property(documents, places, (text, cuts) => {
      const bytes = Buffer.from(text)
      const whole = list([bytes])
      assert.deepEqual(list(chunksOf(bytes, cuts)), whole)
      assert.deepEqual(list(chunksOf(bytes, cuts), { path: 'slow' }), whole)
    }),
    RUNS,
  )
})

test('a watch gives the same frames on the fast and the slow path and for any chunks', () => {
  const events = whitespace.chain((gaps) =>
    fc.array(
      fc
        .tuple(
          fc.constantFrom('"ADDED"', '"MODIFIED"', '"DELETED"', '"BOOKMARK"', '"ERROR"', '"OTHER"', '"\\u0041DDED"'),
          objectText(gaps),
          fc.boolean(),
          fc.constantFrom('', '\n', ' '),
        )
        .map(([type, object, isTypeLast, end]) =>
          isTypeLast ? `{"object":${object},"type":${type}}${end}` : `{"type":${type},"object":${object}}${end}`,
        ),
      { maxLength: 4 },
    ),
  )
  fc.assert(
    fc.property(events, places, (texts, cuts) => {
      const bytes = Buffer.from(texts.join(''))
      const whole = watch([bytes])
      assert.deepEqual(watch(chunksOf(bytes, cuts)), whole)
      assert.deepEqual(watch(chunksOf(bytes, cuts), { path: 'slow' }), whole)
      if (whole !== 'corrupt') assert.equal(whole.frames.length, texts.length)
    }),
    RUNS,
  )
})

const alphabet = fc.constantFrom(...'{}[]",:\\ truefalsn0123456789.eE+-u\n\u0001é'.split(''))

test('bytes are taken exactly where JSON.parse takes them', () => {
  const mutated = whitespace.chain((gaps) => fc.tuple(valueText(gaps), fc.nat(), fc.nat(2), alphabet)).map(mutate)
  const documents = fc.oneof(
    valueText('spaced'),
    mutated,
    stringText,
    fc.array(alphabet, { maxLength: 12 }).map((letters) => letters.join('')),
  )
  fc.assert(
    fc.property(documents, (text) => {
      const isJson = doesNotThrow(() => JSON.parse(text))
      assert.equal(outcomeOf(() => [normalizeJson(Buffer.from(text)).toString()]) !== 'corrupt', isJson)
    }),
    { numRuns: 5000 },
  )
})

test('changed, cut off and random bytes give frames or corrupt, the same for any chunks', () => {
  const items = fc.array(objectText('compact'), { minLength: 1, maxLength: 3 })
  const lists = items.map((texts) => `{"metadata":{"resourceVersion":"9"},"items":[${texts.join(',')}]}`)
  const watches = items.map((texts) => texts.map((text) => `{"type":"ADDED","object":${text}}`).join('\n'))
  const documents = fc.oneof(
    fc
      .tuple(fc.oneof(lists, watches), fc.nat(), fc.nat(7), fc.boolean())
      .map(([text, place, bit, isCut]) => flip(Buffer.from(text), place, bit, isCut)),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(documents, places, (bytes, cuts) => {
      for (const path of ['fast', 'slow'] as const) {
        assert.deepEqual(list(chunksOf(bytes, cuts), { path }), list([bytes]))
        assert.deepEqual(watch(chunksOf(bytes, cuts), { path }), watch([bytes]))
      }
    }),
    { numRuns: 2000 },
  )
})

/** Replaces, inserts or deletes one character. */
function mutate([text, place, change, letter]: readonly [string, number, number, string]): string {
  const at = place % (text.length + 1)
  return text.slice(0, at) + (change === 2 ? '' : letter) + text.slice(change === 1 ? at : at + 1)
}

/** Flips one bit, or ends the bytes there. */
function flip(bytes: Buffer, place: number, bit: number, isCut: boolean): Buffer {
  const at = place % bytes.length
  if (isCut) return bytes.subarray(0, at)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  return bytes
}

function doesNotThrow(action: () => unknown): boolean {
  try {
    action()
    return true
  } catch {
    // That it throws is the answer.
    return false
  }
}
