// Replaces values within JSON text, by path, and leaves every other byte as it stands.

import { KubedeltaError } from '../base/errors.ts'
import { checkJson, decodeString, membersOf, skipWhitespace, type JsonMember } from './json-text.ts'

export type JsonType = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null'

/** What becomes of a member's value: stays, is looked into (where it is an object), or is replaced by this JSON text. */
export type Edit = 'keep' | 'into' | { readonly replaceBy: string }

/**
 * Decides on one member; `path` holds the unescaped keys from the outermost object on.
 * A key that stands twice is asked for twice.
 */
export type DecideEdit = (path: readonly string[], type: JsonType) => Edit

/**
 * The same JSON with some values replaced. Elements of arrays are not looked into.
 * @returns `bytes` itself when nothing was replaced; else new bytes that share no memory with it
 * @throws KubedeltaError `corrupt` when the bytes are not one JSON object in UTF-8; the message holds no content
 */
export function replaceValues(bytes: Buffer, decide: DecideEdit): Buffer {
  checkJson(bytes)
  const start = skipWhitespace(bytes, 0)
  const type = typeAt(bytes, start)
  if (type !== 'object') {
    throw new KubedeltaError('corrupt', `Cannot edit JSON: wanted an object: current type is ${type}`)
  }
  const cuts = [...cutsOf(bytes, start, [], decide)]
  if (cuts.length === 0) return bytes
  return paste(bytes, cuts)
}

interface Cut {
  readonly start: number
  readonly end: number
  readonly text: Buffer
}

function* cutsOf(bytes: Buffer, start: number, parent: readonly string[], decide: DecideEdit): Generator<Cut> {
  for (const member of membersOf(bytes, start)) yield* cutsOfMember(bytes, member, parent, decide)
}

function* cutsOfMember(
  bytes: Buffer,
  { keyStart, keyEnd, valueStart, valueEnd }: JsonMember,
  parent: readonly string[],
  decide: DecideEdit,
): Generator<Cut> {
  const path = [...parent, decodeString(bytes, keyStart, keyEnd)]
  const type = typeAt(bytes, valueStart)
  const edit = decide(path, type)
  if (edit === 'keep') return
  if (edit === 'into') {
    if (type === 'object') yield* cutsOf(bytes, valueStart, path, decide)
    return
  }
  yield { start: valueStart, end: valueEnd, text: Buffer.from(edit.replaceBy) }
}

function paste(bytes: Buffer, cuts: readonly Cut[]): Buffer {
  const length = cuts.reduce((sum, { start, end, text }) => sum - (end - start) + text.length, bytes.length)
  const result = Buffer.allocUnsafeSlow(length)
  let from = 0
  let to = 0
  for (const { start, end, text } of cuts) {
    to += bytes.copy(result, to, from, start)
    to += text.copy(result, to)
    from = end
  }
  bytes.copy(result, to, from)
  return result
}

function typeAt(bytes: Buffer, start: number): JsonType {
  return TYPES.get(bytes.toString('latin1', start, start + 1)) ?? 'number'
}

/** By first byte; everything else begins a number. */
const TYPES: ReadonlyMap<string, JsonType> = new Map([
  ['{', 'object'],
  ['[', 'array'],
  ['"', 'string'],
  ['t', 'boolean'],
  ['f', 'boolean'],
  ['n', 'null'],
])
