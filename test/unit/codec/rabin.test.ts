import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rabinFingerprint } from '../../../src/codec/rabin.ts'

// https://github.com/apache/avro/blob/main/share/test/data/schema-tests.txt
const vectors: ReadonlyArray<readonly [canonicalForm: string, fingerprint: bigint]> = [
  ['"null"', 7195948357588979594n],
  ['"boolean"', -6970731678124411036n],
  ['"int"', 8247732601305521295n],
  ['"long"', -3434872931120570953n],
  ['"float"', 5583340709985441680n],
  ['"double"', -8181574048448539266n],
  ['"bytes"', 5746618253357095269n],
  ['"string"', -8142146995180207161n],
]

for (const [canonicalForm, fingerprint] of vectors) {
  test(`the fingerprint of ${canonicalForm} is that of the Avro project's test data`, () => {
    const printed = BigInt.asUintN(64, fingerprint).toString(16).padStart(16, '0')
    assert.equal(rabinFingerprint(canonicalForm), printed)
  })
}
