import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { matchesLabels, parseLabelSelector } from '../../../src/object/label-selector.ts'

describe('label selector has one canonical text', () => {
  const table: ReadonlyArray<readonly [given: string, canonical: string]> = [
    ['', ''],
    ['   ', ''],
    ['app=cart', 'app=cart'],
    ['app==cart', 'app=cart'],
    [' app = cart ', 'app=cart'],
    ['app in (cart)', 'app=cart'],
    ['app!=cart', 'app!=cart'],
    ['app notin (cart)', 'app!=cart'],
    ['app in (web,cart,web)', 'app in (cart,web)'],
    ['app notin(web,cart)', 'app notin (cart,web)'],
    ['app', 'app'],
    ['!app', '!app'],
    ['! app', '!app'],
    ['size>3', 'size>3'],
    ['size < 03', 'size<3'],
    ['b=2,a=1', 'a=1,b=2'],
    ['a=1,a=1', 'a=1'],
    ['app=', 'app='],
    ['app=,tier', 'app=,tier'],
    ['app in ()', 'app='],
    ['app in (,)', 'app='],
    ['app in (a,)', 'app in (,a)'],
    ['app in (,a,,b)', 'app in (,a,b)'],
    ['in in (in,notin)', 'in in (in,notin)'],
    ['app=in', 'app=in'],
    ['example.com/App_1.x=Y-z', 'example.com/App_1.x=Y-z'],
  ]
  for (const [given, canonical] of table) {
    test(`${JSON.stringify(given)} is ${JSON.stringify(canonical)}`, () => {
      assert.equal(parseLabelSelector(given).text, canonical)
      assert.equal(parseLabelSelector(canonical).text, canonical)
    })
  }
})

describe('bad label selector is refused with the position and what was wanted', () => {
  const table: ReadonlyArray<readonly [given: string, position: number, wanted: RegExp]> = [
    [',app', 0, /wanted a label key at position 0: found ","/],
    ['app,', 4, /wanted a label key at position 4: found the end/],
    ['app=a b', 6, /wanted ',' or the end/],
    ['app=a=b', 5, /wanted ',' or the end/],
    ['!app=a', 4, /wanted ',' or the end/],
    ['app in a', 7, /wanted '\('/],
    ['app in (a', 9, /wanted ',' or '\)'/],
    ['app in (a b)', 10, /wanted ',' or '\)'/],
    ['app near a', 4, /wanted one of = == != in notin < >/],
    ['app=)', 4, /wanted a label value/],
    ['-app=a', 0, /wanted a label key/],
    ['Example.com/app=a', 0, /wanted a label key/],
    ['a/b/c=d', 0, /wanted a label key/],
    ['/b', 0, /wanted a label key/],
    ['a/', 0, /wanted a label key/],
    ['app=-a', 4, /wanted a label value/],
    [`app=${'a'.repeat(64)}`, 4, /at most 63/],
    ['size>big', 5, /wanted an integer/],
    ['size>', 5, /wanted an integer/],
    ['size>9223372036854775808', 5, /wanted an integer/],
  ]
  for (const [given, position, wanted] of table) {
    test(JSON.stringify(given), () => {
      assert.throws(
        () => parseLabelSelector(given),
        (error) => {
          assert.ok(error instanceof KubedeltaError)
          assert.equal(error.code, 'bad-selector')
          assert.equal(error.fields['position'], position)
          assert.match(error.message, wanted)
          return true
        },
      )
    })
  }
})

describe('label selector matches as the apiserver does', () => {
  const labels = { app: 'cart', size: '10', empty: '', text: 'ten' }
  const table: ReadonlyArray<readonly [selector: string, matches: boolean]> = [
    ['', true],
    ['app=cart', true],
    ['app=web', false],
    ['app!=web', true],
    ['absent!=web', true],
    ['absent=', false],
    ['empty=', true],
    ['empty!=', false],
    ['app in (web,cart)', true],
    ['app notin (web,cart)', false],
    ['absent notin (web,cart)', true],
    ['app', true],
    ['absent', false],
    ['!app', false],
    ['!absent', true],
    ['size>9', true],
    ['size>10', false],
    ['size<11', true],
    ['text>1', false],
    ['absent<1', false],
    ['app=cart,size<5', false],
    ['constructor', false],
  ]
  for (const [selector, matches] of table) {
    test(`${JSON.stringify(selector)}: ${matches}`, () => {
      assert.equal(matchesLabels(parseLabelSelector(selector), labels), matches)
    })
  }

  test('an object without labels has none', () => {
    assert.equal(matchesLabels(parseLabelSelector('!app'), undefined), true)
    assert.equal(matchesLabels(parseLabelSelector('app'), undefined), false)
  })
})
