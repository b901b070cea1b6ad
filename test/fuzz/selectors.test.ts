// Label and field selectors as users type them.

import assert from 'node:assert/strict'
import { parseFieldSelector } from '../../src/object/field-selector.ts'
import { parseLabelSelector } from '../../src/object/label-selector.ts'
import { fuzz, inventText } from './fuzz.ts'

fuzz({
  name: 'a label selector is read as what it prints, or refused',
  frames: [
    Buffer.from('app=cart,tier in (web, api),!legacy,size>3'),
    Buffer.from('example.com/part-of!=shop , release notin (canary,), env'),
    Buffer.from('a==b,c<9223372036854775807,in,notin in (in)'),
  ],
  invent: inventText(['a', 'in', 'notin', ' ', ',', '(', ')', '=', '==', '!=', '!', '>', '<', '7', '-', '/', '.', 'ü']),
  decode: (input) => {
    const selector = parseLabelSelector(input.toString())
    assert.deepEqual(parseLabelSelector(selector.text), selector)
  },
  refusals: ['bad-selector'],
})

fuzz({
  name: 'a field selector is read as what it prints, or refused',
  frames: [
    Buffer.from('metadata.name=cart-0,status.phase!=Running'),
    Buffer.from(String.raw`spec.nodeName==node\,7,metadata.namespace=a\\b\=c`),
  ],
  invent: inventText(['a.b', '=', '==', '!=', '!', ',', '\\', ' ', '1', 'ü', '']),
  decode: (input) => {
    const selector = parseFieldSelector(input.toString())
    assert.deepEqual(parseFieldSelector(selector.text), selector)
  },
  refusals: ['bad-selector'],
})
