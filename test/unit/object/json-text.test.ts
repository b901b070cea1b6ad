import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { decodeString, membersOf, normalizeJson } from '../../../src/object/json-text.ts'

const isCorrupt = (error: unknown): boolean => hasCode(error, 'corrupt')

describe('normalizeJson', () => {
  const cases: ReadonlyArray<readonly [string, string, string]> = [
    ['drops whitespace outside strings', ' {\n\t"a" : [ 1 , 2 ] ,\r\n"b" : {} } ', '{"a":[1,2],"b":{}}'],
    ['keeps whitespace in strings', '{ "a b": " c " }', '{"a b":" c "}'],
    [
      'keeps numbers as they stand',
      '[1e400, 12345678901234567890, -0, 1.0, 1E+2]',
      '[1e400,12345678901234567890,-0,1.0,1E+2]',
    ],
    ['keeps the order of keys', '{"b":1, "a":2, "1":3}', '{"b":1,"a":2,"1":3}'],
    ['keeps keys that stand twice', '{"a":1, "a":2}', '{"a":1,"a":2}'],
    ['keeps escapes', String.raw`{"\u0061" :"\"\\\/\n\ud800"}`, String.raw`{"\u0061":"\"\\\/\n\ud800"}`],
    ['takes a number alone', ' 12 ', '12'],
    ['takes a number at the very end', '12', '12'],
  ]
  for (const [claim, text, expected] of cases) {
    test(claim, () => assert.equal(normalizeJson(Buffer.from(text)).toString(), expected))
  }

  test('gives the same bytes back where there is nothing to drop', () => {
    const bytes = Buffer.from('{"a":1}')
    assert.equal(normalizeJson(bytes), bytes)
  })

  const broken = [
    ['nothing', ''],
    ['whitespace alone', ' \n'],
    ['an unfinished object', '{"a":1'],
    ['a second value', '{} {}'],
    ['a trailing comma', '[1,]'],
    ['a missing colon', '{"a" 1}'],
    ['a missing value', '{"a":}'],
    ['an array that ends as an object', '[1}'],
    ['an object that ends as an array', '{"a":1]'],
    ['a leading zero', '[01]'],
    ['a sign without a number', '-'],
    ['a number that ends in a dot', '1.'],
    ['a number that ends in e', '1e'],
    ['a wrong literal', 'trua'],
    ['an unfinished literal', 'nul'],
    ['a wrong escape', String.raw`"\x"`],
    ['a short unicode escape', String.raw`"\u12"`],
    ['a control character in a string', '"\u0001"'],
    ['a line break in a string', '"\n"'],
    ['a key without quotes', '{a:1}'],
    ['a byte order mark', '\ufeff{}'],
  ] as const
  for (const [what, text] of broken) {
    test(`refuses ${what}`, () => assert.throws(() => normalizeJson(Buffer.from(text)), isCorrupt))
  }

  test('refuses what is not UTF-8', () => {
    assert.throws(() => normalizeJson(Buffer.from([0x22, 0xff, 0x22])), isCorrupt)
  })

  test('takes 10,000 levels and refuses one more', () => {
    const nested = (levels: number): Buffer => Buffer.from('['.repeat(levels) + ']'.repeat(levels))
    assert.equal(normalizeJson(nested(10_000)).length, 20_000)
    assert.throws(() => normalizeJson(nested(10_001)), isCorrupt)
  })

  test('does not quote the content in its error', () => {
    assert.throws(
      () => normalizeJson(Buffer.from('{"password":"hunter2"')),
      (error: Error) => !error.message.includes('hunter2'),
    )
  })
})

test('a string is decoded as JSON.parse does', () => {
  const bytes = Buffer.from(String.raw`"caf\u00e9 \"ü\" \ud83d\ude00"`)
  assert.equal(decodeString(bytes, 0, bytes.length), 'café "ü" 😀')
})

test('members are found whatever stands between them', () => {
  const text = String.raw`{ "a" : 1 , "b\"}" :{"x":["}"]},"c":"\\", "d" : null }`
  const bytes = Buffer.from(text)
  const members = [...membersOf(bytes, 0)].map(({ keyStart, keyEnd, valueStart, valueEnd }) => [
    text.slice(keyStart, keyEnd),
    text.slice(valueStart, valueEnd),
  ])
  assert.deepEqual(members, [
    ['"a"', '1'],
    [String.raw`"b\"}"`, '{"x":["}"]}'],
    ['"c"', String.raw`"\\"`],
    ['"d"', 'null'],
  ])
})
