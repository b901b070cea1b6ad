import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { scopeText } from '../../../src/record/scope.ts'

const pods = { group: '', resource: 'pods' }
const everything = { resource: pods, namespaces: [], labelSelector: '', fieldSelector: '' }

test('a scope without limits selects everything', () => {
  assert.equal(scopeText(everything), 'pods; namespaces: *; labels: *; fields: *')
})

test('equal selections give equal text, in whatever order and notation they were written', () => {
  const one = scopeText({
    resource: { group: 'apps', resource: 'deployments' },
    namespaces: ['web', 'shop', 'web'],
    labelSelector: ' tier in (web, api),app == cart',
    fieldSelector: 'status.phase!=Failed,metadata.name==a',
  })
  const other = scopeText({
    resource: { group: 'apps', resource: 'deployments' },
    namespaces: ['shop', 'web'],
    labelSelector: 'app=cart,tier in (api,web)',
    fieldSelector: 'metadata.name=a,status.phase!=Failed',
  })
  assert.equal(one, other)
  assert.match(one, /^deployments\.apps; namespaces: shop,web; labels: app=cart,tier in \(api,web\); fields: /)
})

test('other selections give other text', () => {
  const texts = [
    everything,
    { ...everything, resource: { group: 'metrics.k8s.io', resource: 'pods' } },
    { ...everything, namespaces: ['shop'] },
    { ...everything, labelSelector: 'app' },
    { ...everything, labelSelector: '!app' },
    { ...everything, fieldSelector: 'metadata.name=app' },
  ].map(scopeText)
  assert.equal(new Set(texts).size, texts.length)
})

test('a selector that does not parse is refused', () => {
  assert.throws(
    () => scopeText({ ...everything, labelSelector: 'app in' }),
    (error) => hasCode(error, 'bad-selector'),
  )
})
