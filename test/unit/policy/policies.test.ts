import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RawObject } from '../../../src/object/raw-object.ts'
import { policyFor } from '../../../src/policy/policies.ts'
import { withholdingFailures } from '../../../src/policy/policy.ts'

const facts = { namespace: 'shop', name: 'db', uid: 'u', resourceVersion: '1' }
const secret: RawObject = { bytes: Buffer.from('{"data":{"a":"hunter2"}}'), apiVersion: 'v1', kind: 'Secret', ...facts }

test('Secrets are masked, other resources are published as they are', () => {
  for (const [group, resource, text] of [
    ['', 'secrets', 'mask-secrets/v1'],
    ['', 'configmaps', 'none'],
    ['example.com', 'secrets', 'none'],
  ] as const) {
    assert.equal(policyFor({ group, resource }).text, text)
  }
  assert.equal(policyFor({ group: '', resource: 'secrets' }).apply(secret).kind, 'changed')
  assert.equal(policyFor({ group: '', resource: 'pods' }).apply(secret).kind, 'unchanged')
})

test('an object at which a policy throws is withheld, and the error is not shown', () => {
  const failing = withholdingFailures({
    text: 'failing/v1',
    apply: (object) => {
      throw new Error(object.bytes.toString())
    },
  })
  const result = failing.apply(secret)
  assert.ok(result.kind === 'withheld')
  assert.equal(result.reason, 'policy-failed')
  assert.ok(!JSON.stringify(result).includes('hunter2'))
})
