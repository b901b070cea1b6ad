import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { replaceValues, type DecideEdit } from '../../../src/object/json-edit.ts'

const replaceAtA: DecideEdit = (path) => (path.join('.') === 'a' ? { replaceBy: 'true' } : 'keep')
const edit = (text: string, decide: DecideEdit): string => replaceValues(Buffer.from(text), decide).toString()

test('a replaced value of any type leaves every other byte as it stands', () => {
  for (const value of ['1', '-1.5e3', '"x\\"}"', 'null', 'false', '[1,{"a":2}]', '{"a":{"b":"}"}}', '""']) {
    assert.equal(edit(`{ "b" : 1.0,"a" : ${value} , "c":[ ]}`, replaceAtA), '{ "b" : 1.0,"a" : true , "c":[ ]}')
  }
})

test('a key that stands twice is replaced twice', () => {
  assert.equal(edit('{"a":1,"a":2}', replaceAtA), '{"a":true,"a":true}')
})

test('an escaped key is the key it spells', () => {
  assert.equal(edit(String.raw`{"\u0061":1}`, replaceAtA), String.raw`{"\u0061":true}`)
})

test('only objects that are entered are looked into', () => {
  const paths: string[] = []
  edit('{"a":{"b":{"c":1}},"d":{"e":1},"f":[{"g":1}]}', (path) => {
    paths.push(path.join('.'))
    return path[0] === 'd' ? 'keep' : 'into'
  })
  assert.deepEqual(paths, ['a', 'a.b', 'a.b.c', 'd', 'f'])
})

test('the type of each value is told', () => {
  const types: string[] = []
  edit('{"a":{},"b":[],"c":"","d":-1,"e":0,"f":true,"g":false,"h":null}', (_path, type) => (types.push(type), 'keep'))
  assert.deepEqual(types, ['object', 'array', 'string', 'number', 'number', 'boolean', 'boolean', 'null'])
})

test('bytes in which nothing is replaced come back as they are', () => {
  const bytes = Buffer.from('{"b":1}')
  assert.equal(replaceValues(bytes, replaceAtA), bytes)
})

test('what is not one JSON object is refused', () => {
  for (const text of ['', '[]', '"a"', '{"a":1', '{"a":1}}', '{"a":}']) {
    assert.throws(
      () => edit(text, replaceAtA),
      (error) => hasCode(error, 'corrupt'),
      text,
    )
  }
})
