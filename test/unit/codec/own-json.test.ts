import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeJson } from '../../../src/codec/json.ts'
import { readOwnJson } from '../../../src/codec/own-json.ts'
import { sampleRecord } from '../record/samples.ts'

const record = sampleRecord()
const line = encodeJson(record).toString()

function read(text: string): ReturnType<typeof readOwnJson> {
  return readOwnJson(Buffer.from(text), (slice) => slice)
}

test('a record as it is written is read', () => {
  assert.deepEqual(read(line), record)
})

describe('left to JSON.parse is a record', () => {
  const epoch = `"epoch":${record.epoch}`
  const variants: ReadonlyArray<readonly [string, string]> = [
    ['with whitespace', line.replace(',', ', ')],
    ['with whitespace behind it', `${line} `],
    ['with whitespace within the object', line.replace('"object":{', '"object":{ ')],
    ['with fields in another order', line.replace(/^\{("op":"\w+"),("cause":"\w+")/, '{$2,$1')],
    ['with a field more', line.replace(epoch, `${epoch},"more":1`)],
    ['without a field', line.replace(`,${epoch}`, '')],
    ['with a leading zero', line.replace(epoch, `"epoch":0${record.epoch}`)],
    ['with a negative number', line.replace(epoch, '"epoch":-1')],
    ['with a fraction', line.replace(epoch, '"epoch":1.5')],
    ['with a number of 16 digits', line.replace(epoch, '"epoch":1234567890123456')],
    ['without a number', line.replace(epoch, '"epoch":')],
    ['with an escape', line.replace(`"name":"`, '"name":"\\u0061')],
    ['with text beyond ASCII', line.replace(`"name":"`, '"name":"ä')],
    ['with an unknown operation', line.replace(/"op":"\w+"/, '"op":"PATCHED"')],
    ['with an object that is none', line.replace(/"object":.*$/, '"object":[]}')],
    ['cut off', line.slice(0, -1)],
    ['that is empty', ''],
  ]
  for (const [what, text] of variants) {
    test(what, () => {
      assert.notEqual(text, line)
      assert.equal(read(text), undefined)
      assert.deepEqual(read(line), record)
    })
  }
})
