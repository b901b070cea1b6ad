// The byte scanner on LIST answers and watch streams, as a broken proxy or a foreign server might send them.

import assert from 'node:assert/strict'
import { KubedeltaError } from '../../src/base/errors.ts'
import { ListScanner, WatchScanner, type ScanOptions } from '../../src/watch/scan.ts'
import type { ListFrame, WatchFrame } from '../../src/watch/source.ts'
import { fuzz, inventText } from './fuzz.ts'

const DEFAULTS = { apiVersion: 'v1', kind: 'Pod' }

const WORDS = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '"',
  '\\',
  ' ',
  '\n',
  '"items"',
  '"metadata"',
  '"object"',
  '"type"',
  '"ADDED"',
  '"name"',
  '"uid"',
  '"resourceVersion"',
  'null',
  'true',
  '-1',
  '1e9',
  '"a"',
  '"\\u0061"',
  '"ü"',
  '{}',
  '"items":[{"metadata":{"name":"a"}}]',
] as const

const LISTS = [
  '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"10"},"items":[{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"9"},"spec":{"x":[1,{"y":"\\"}"}]}},{"metadata":{"name":"b","namespace":"n","uid":"v","resourceVersion":"8"}}]}',
  '{"items":[{"apiVersion":"g/v1","kind":"K","metadata":{"labels":{"a":"\\u00e9"},"name":"c","uid":"w","resourceVersion":"7"}}],"kind":"KList","metadata":{"continue":"t","resourceVersion":"11"}}',
  '{ "metadata": { "resourceVersion": "10" },\n  "items": [ { "metadata": { "name": "a", "uid": "u", "resourceVersion": "9" } } ] }',
  '{"metadata":{"resourceVersion":"10"},"items":null}',
]

const EVENTS = [
  '{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"9"}}}\n',
  '{"object":{"metadata":{"resourceVersion":"10","uid":"u","name":"a"}},"type":"DELETED"}\n',
  '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"12"}}}\n{"type":"ERROR","object":{"kind":"Status","code":410,"message":"gone"}}\n',
]

fuzz({
  name: 'a LIST is cut the same way on both paths and in any chunks, or refused',
  frames: framesOf(LISTS),
  invent: inventText(WORDS),
  decode: (input) => agree((chunks, options) => list(chunks, options), input),
  refusals: ['corrupt'],
})

fuzz({
  name: 'a watch stream is cut the same way on both paths and in any chunks, or refused',
  frames: framesOf(EVENTS),
  invent: inventText(WORDS),
  decode: (input) => agree((chunks, options) => watch(chunks, options), input),
  refusals: ['corrupt'],
})

function list(chunks: readonly Buffer[], options: ScanOptions): readonly ListFrame[] {
  const scanner = new ListScanner(DEFAULTS, options)
  return [...chunks.flatMap((chunk) => scanner.push(chunk)), scanner.end()]
}

function watch(chunks: readonly Buffer[], options: ScanOptions): readonly WatchFrame[] {
  const scanner = new WatchScanner(DEFAULTS, options)
  return chunks.flatMap((chunk) => scanner.push(chunk))
}

/** Fast whole, slow whole and fast in two chunks must say the same, refusal included. */
function agree(scan: (chunks: readonly Buffer[], options: ScanOptions) => readonly unknown[], input: Buffer): void {
  const half = input.length >> 1
  const fast = outcome(() => scan([input], { path: 'fast' }))
  const slow = outcome(() => scan([input], { path: 'slow' }))
  const cut = outcome(() => scan([input.subarray(0, half), input.subarray(half)], { path: 'fast' }))
  assert.deepEqual(comparable(fast), comparable(slow))
  assert.deepEqual(comparable(cut), comparable(fast))
  if (fast instanceof KubedeltaError) throw fast
  for (const frame of fast) assertObjectParses(frame)
}

function outcome(scan: () => readonly unknown[]): readonly unknown[] | KubedeltaError {
  try {
    return scan()
  } catch (error) {
    if (error instanceof KubedeltaError) return error
    throw error
  }
}

function comparable(result: readonly unknown[] | KubedeltaError): unknown {
  return result instanceof KubedeltaError ? result.code : result
}

/** The bytes that go to Kafka must be what every JSON parser takes, and say what was picked from them. */
function assertObjectParses(frame: unknown): void {
  if (typeof frame !== 'object' || frame === null || !('object' in frame)) return
  const { object } = frame
  if (typeof object !== 'object' || object === null || !('bytes' in object) || !Buffer.isBuffer(object.bytes)) return
  const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(object.bytes))
  assert.ok(typeof parsed === 'object' && parsed !== null)
}

function framesOf(texts: readonly string[]): readonly [Buffer, ...Buffer[]] {
  const [first = Buffer.alloc(0), ...rest] = texts.map((text) => Buffer.from(text))
  return [first, ...rest]
}
