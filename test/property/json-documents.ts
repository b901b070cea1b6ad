// Arbitrary JSON text, as apiservers and anything else may write it.

import * as fc from 'fast-check'

/** A string literal: any text, any escapes. */
export const stringText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => JSON.stringify(text).slice(1, -1)),
      },
      {
        weight: 1,
        arbitrary: fc
          .string({ unit: 'grapheme-ascii', maxLength: 40 })
          .map((text) => JSON.stringify(text).slice(1, -1)),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '\\"',
          '\\\\',
          '\\/',
          '\\b',
          '\\n',
          '\\u0061',
          '\\u0000',
          '\\ud83d',
          '\\uDE00',
          '{',
          '}]',
          ' ',
          '\u2028',
          'é',
          '😀',
        ),
      },
    ),
    { maxLength: 3 },
  )
  .map((parts) => `"${parts.join('')}"`)

const numberText = fc.oneof(
  fc.constantFrom('0', '-0', '1.0', '1e400', '12345678901234567890', '-1.5E+3', '2e-7', '1E5'),
  fc.integer().map(String),
)

/** Between tokens: none, or some. */
export type Whitespace = 'compact' | 'spaced'

const gaps: Record<Whitespace, fc.Arbitrary<string>> = {
  compact: fc.constant(''),
  spaced: fc.constantFrom('', '', ' ', '\n  ', '\t', '\r\n'),
}

/** Any JSON value as text. */
export function valueText(whitespace: Whitespace): fc.Arbitrary<string> {
  const gap = gaps[whitespace]
  return fc.letrec<{ value: string; member: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom('true', 'false', 'null'),
      stringText,
      numberText,
      fc
        .tuple(gap, fc.array(tie('value'), { maxLength: 3 }), gap)
        .map(([a, values, b]) => `[${a}${values.join(`${b},${a}`)}${b}]`),
      fc
        .tuple(gap, fc.array(tie('member'), { maxLength: 4 }), gap)
        .map(([a, members, b]) => `{${a}${members.join(`${b},${a}`)}${b}}`),
    ),
    member: fc
      .tuple(fc.oneof(stringText, fc.constantFrom('"name"', '"metadata"', '"kind"')), gap, gap, tie('value'))
      .map(([key, a, b, value]) => `${key}${a}:${b}${value}`),
  })).value
}

/** Something like a Kubernetes object: often a picked key, now and then escaped, twice, or with a value of a wrong type. */
export function objectText(whitespace: Whitespace): fc.Arbitrary<string> {
  const any = valueText(whitespace)
  const text = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('"cart"', '"7"', '"v1"', '"a\\u0062"') },
    { weight: 4, arbitrary: stringText },
    { weight: 1, arbitrary: any },
  )
  const metadata = membersText(
    whitespace,
    fc.oneof(
      { weight: 6, arbitrary: fc.tuple(keyText('name', 'uid', 'namespace', 'resourceVersion'), text) },
      { weight: 2, arbitrary: fc.tuple(stringText, any) },
    ),
    ['"name"', '"x"'],
  )
  return membersText(
    whitespace,
    fc.oneof(
      { weight: 2, arbitrary: fc.tuple(keyText('kind', 'apiVersion'), text) },
      { weight: 2, arbitrary: fc.tuple(keyText('metadata'), fc.oneof({ weight: 9, arbitrary: metadata }, any)) },
      { weight: 2, arbitrary: fc.tuple(fc.oneof(stringText, keyText('spec', 'status')), fc.oneof(metadata, any)) },
    ),
    ['"metadata"', '{"name":"y"}'],
  )
}

/** A key as it is, mostly, or with its first letter escaped. */
function keyText(...keys: readonly string[]): fc.Arbitrary<string> {
  const escaped = (key: string): string => `"\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}"`
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...keys.map((key) => `"${key}"`)) },
    { weight: 1, arbitrary: fc.constantFrom(...keys.map(escaped)) },
  )
}

function membersText(
  whitespace: Whitespace,
  member: fc.Arbitrary<readonly [string, string]>,
  likely: readonly [string, string],
): fc.Arbitrary<string> {
  const gap = gaps[whitespace]
  return fc
    .tuple(fc.array(member, { maxLength: 5 }), fc.option(fc.constant(likely), { freq: 4 }), fc.nat(5), gap, gap)
    .map(([members, extra, at, a, b]) => {
      const all = extra === null ? members : members.toSpliced(at, 0, extra)
      return `{${a}${all.map(([key, value]) => `${key}${b}:${a}${value}`).join(`${a},${b}`)}${b}}`
    })
}

/** Cuts bytes at these places, of any order and number. */
export function chunksOf(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  return at.slice(1).map((end, index) => Buffer.from(bytes.subarray(at[index], end)))
}

/** Places for `chunksOf`. */
export const places: fc.Arbitrary<number[]> = fc.array(fc.nat(5000), { maxLength: 12 })
