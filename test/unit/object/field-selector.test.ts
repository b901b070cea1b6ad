import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { parseFieldSelector } from '../../../src/object/field-selector.ts'

describe('field selector has one canonical text', () => {
  const table: ReadonlyArray<readonly [given: string, canonical: string]> = [
    ['', ''],
    ['status.phase=Running', 'status.phase=Running'],
    ['status.phase==Running', 'status.phase=Running'],
    ['b!=2,a=1', 'a=1,b!=2'],
    ['a=1,,a=1,', 'a=1'],
    ['a=', 'a='],
    [String.raw`a=x\,y`, String.raw`a=x\,y`],
    [String.raw`a=x\=y,b=\\`, String.raw`a=x\=y,b=\\`],
  ]
  for (const [given, canonical] of table) {
    test(`${JSON.stringify(given)} is ${JSON.stringify(canonical)}`, () => {
      assert.equal(parseFieldSelector(given).text, canonical)
      assert.equal(parseFieldSelector(canonical).text, canonical)
    })
  }
})

test('field selector unescapes values', () => {
  assert.deepEqual(parseFieldSelector(String.raw`a=x\,\=\\,b!=y`).requirements, [
    { field: 'a', operator: '=', value: String.raw`x,=\ `.trim() },
    { field: 'b', operator: '!=', value: 'y' },
  ])
})

describe('bad field selector is refused with its position', () => {
  const table: ReadonlyArray<readonly [given: string, position: number]> = [
    ['status.phase', 0],
    ['a=1,b', 4],
    ['=1', 0],
    ['a=b=c', 3],
    [String.raw`a=\x`, 3],
    ['a=x\\', 4],
  ]
  for (const [given, position] of table) {
    test(JSON.stringify(given), () => {
      assert.throws(
        () => parseFieldSelector(given),
        (error) => hasCode(error, 'bad-selector') && error.fields['position'] === position,
      )
    })
  }
})
