import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RawObject } from '../../../src/object/raw-object.ts'
import { maskSecrets } from '../../../src/policy/mask-secrets.ts'

function secret(text: string, changes: Partial<RawObject> = {}): RawObject {
  const facts = { apiVersion: 'v1', kind: 'Secret', namespace: 'shop', name: 'db', uid: 'u', resourceVersion: '1' }
  return { bytes: Buffer.from(text), ...facts, ...changes }
}

function masked(text: string): string {
  const object = secret(text)
  const result = maskSecrets.apply(object)
  assert.notEqual(result.kind, 'withheld')
  return (result.kind === 'changed' ? result.object : object).bytes.toString()
}

describe('mask-secrets', () => {
  const cases: ReadonlyArray<readonly [string, string, string]> = [
    ['masks the values of data', '{"data":{"a":"eA==","b":"eQ=="}}', '{"data":{"a":"KioqKioq","b":"KioqKioq"}}'],
    ['masks the values of stringData', '{"stringData":{"a":"x"}}', '{"stringData":{"a":"******"}}'],
    [
      'masks annotations, the last applied configuration among them',
      '{"metadata":{"name":"db","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\\"data\\":{}}","b":""}}}',
      '{"metadata":{"name":"db","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"******","b":"******"}}}',
    ],
    [
      'masks data under an escaped key',
      String.raw`{"d\u0061ta":{"a":"x"}}`,
      String.raw`{"d\u0061ta":{"a":"KioqKioq"}}`,
    ],
    [
      'masks annotations under escaped keys',
      String.raw`{"metad\u0061ta":{"\u0061nnotations":{"a":"x"}}}`,
      String.raw`{"metad\u0061ta":{"\u0061nnotations":{"a":"******"}}}`,
    ],
    [
      'masks each data that stands twice',
      '{"data":{"a":"x"},"data":{"a":"y"}}',
      '{"data":{"a":"KioqKioq"},"data":{"a":"KioqKioq"}}',
    ],
    ['masks a value that stands twice', '{"data":{"a":"x","a":"y"}}', '{"data":{"a":"KioqKioq","a":"KioqKioq"}}'],
    [
      'masks values that are no text',
      '{"data":{"a":null,"b":{"c":"x"},"d":["x"],"e":1}}',
      '{"data":{"a":"KioqKioq","b":"KioqKioq","d":"KioqKioq","e":"KioqKioq"}}',
    ],
    [
      'masks data whole where it is no object',
      '{"data":["x"],"stringData":"x"}',
      '{"data":"KioqKioq","stringData":"******"}',
    ],
    ['masks metadata whole where it is no object', '{"metadata":["x"]}', '{"metadata":"******"}'],
    [
      'keeps data that is null',
      '{"data":null,"metadata":{"annotations":null}}',
      '{"data":null,"metadata":{"annotations":null}}',
    ],
    ['keeps what has no data', '{"type":"Opaque"}', '{"type":"Opaque"}'],
    ['keeps empty data', '{"data":{}}', '{"data":{}}'],
    ['keeps whitespace', '{ "data" : { "a" : "x" } }', '{ "data" : { "a" : "KioqKioq" } }'],
    [
      'keeps data elsewhere',
      '{"metadata":{"labels":{"data":"x"},"data":{"a":"x"}},"x":{"data":{"a":"y"}}}',
      '{"metadata":{"labels":{"data":"x"},"data":{"a":"x"}},"x":{"data":{"a":"y"}}}',
    ],
    [
      'keeps type, immutable, managedFields and the order of keys',
      '{"type":"Opaque","data":{"b":"x"},"immutable":true,"metadata":{"managedFields":[{"fieldsV1":{"f:data":{"f:b":{}}}}]},"kind":"Secret"}',
      '{"type":"Opaque","data":{"b":"KioqKioq"},"immutable":true,"metadata":{"managedFields":[{"fieldsV1":{"f:data":{"f:b":{}}}}]},"kind":"Secret"}',
    ],
  ]
  for (const [claim, text, expected] of cases) test(claim, () => assert.equal(masked(text), expected))

  test('says that it changed a Secret, and not that it kept one', () => {
    const changed = maskSecrets.apply(secret('{"data":{"a":"x"}}'))
    assert.equal(changed.kind === 'changed' && changed.action, 'masked')
    assert.equal(maskSecrets.apply(secret('{"data":null}')).kind, 'unchanged')
  })

  test('keeps the facts of the object', () => {
    const object = secret('{"data":{"a":"x"}}')
    const result = maskSecrets.apply(object)
    assert.ok(result.kind === 'changed')
    assert.deepEqual({ ...result.object, bytes: null }, { ...object, bytes: null })
  })

  const withheld: ReadonlyArray<readonly [string, RawObject, string]> = [
    [
      'a list of Secrets',
      secret('{"kind":"List","items":[{"data":{"a":"hunter2"}}]}', { kind: 'List' }),
      'unexpected-kind',
    ],
    ['a Secret of another version', secret('{"data":{"a":"hunter2"}}', { apiVersion: 'v2' }), 'unexpected-kind'],
    ['broken JSON', secret('{"data":{"a":"hunter2"}'), 'policy-failed'],
    ['bytes that are no object', secret('["hunter2"]'), 'policy-failed'],
    [
      'bytes that are not UTF-8',
      { ...secret(''), bytes: Buffer.from('{"data":{"a":"hunter2\xff"}}', 'latin1') },
      'policy-failed',
    ],
  ]
  for (const [what, object, reason] of withheld) {
    test(`withholds ${what} without quoting it`, () => {
      const result = maskSecrets.apply(object)
      assert.ok(result.kind === 'withheld')
      assert.equal(result.reason, reason)
      assert.ok(!JSON.stringify(result).includes('hunter2'))
    })
  }
})
