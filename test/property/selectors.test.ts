import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseFieldSelector } from '../../src/object/field-selector.ts'
import { matchesLabels, parseLabelSelector } from '../../src/object/label-selector.ts'

const name = fc.stringMatching(/^[a-c]$/)
const value = fc.stringMatching(/^([a-c]|[0-9]{1,2})?$/)
const values = fc.array(value, { minLength: 1, maxLength: 4 }).map((all) => `(${all.join(' , ')})`)
const space = fc.constantFrom('', ' ', '\t ')

const term = fc.oneof(
  name,
  fc.tuple(fc.constant('!'), space, name).map((parts) => parts.join('')),
  fc.tuple(name, space, fc.constantFrom('=', '==', '!='), space, value).map((parts) => parts.join('')),
  fc.tuple(name, fc.constantFrom(' in ', ' notin'), values).map((parts) => parts.join('')),
  fc.tuple(name, fc.constantFrom('>', ' < '), fc.nat(99)).map((parts) => parts.join('')),
)
const labels = fc.dictionary(name, value, { noNullPrototype: true })

test('a label selector and its canonical text select the same, in whatever order it is written', () => {
  fc.assert(
    fc.property(fc.array(term, { maxLength: 5 }), labels, (terms, given) => {
      const selector = parseLabelSelector(terms.join(','))
      const again = parseLabelSelector(selector.text)
      assert.deepEqual(again, selector)
      assert.equal(parseLabelSelector(terms.toReversed().join(' , ')).text, selector.text)
      const each = terms.every((one) => matchesLabels(parseLabelSelector(one), given))
      assert.equal(matchesLabels(selector, given), each)
    }),
  )
})

test('a parsed field selector gives back any value that was escaped', () => {
  fc.assert(
    fc.property(fc.string(), (given) => {
      const escaped = given.replace(/[\\,=]/g, String.raw`\$&`)
      const { requirements, text } = parseFieldSelector(`a.b!=${escaped},c=1`)
      assert.deepEqual(
        requirements.map((requirement) => requirement.value),
        [given, '1'],
      )
      assert.deepEqual(parseFieldSelector(text).requirements, requirements)
    }),
  )
})
