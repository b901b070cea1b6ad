import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { topicName } from '../../../src/record/topic-name.ts'

const pods = { group: '', resource: 'pods' }
const deployments = { group: 'apps', resource: 'deployments' }

test('a topic is named after prefix, cluster, resource and group', () => {
  assert.equal(topicName({ cluster: 'prod', resource: pods }), 'kubedelta.prod.pods')
  assert.equal(topicName({ cluster: 'prod', resource: deployments }), 'kubedelta.prod.deployments.apps')
  assert.equal(topicName({ prefix: 'team-a.k8s', cluster: 'eu-1', resource: pods }), 'team-a.k8s.eu-1.pods')
})

test('a name of 249 characters is the longest', () => {
  const longest = topicName({ prefix: 'p'.repeat(239), cluster: 'prod', resource: pods })
  assert.equal(longest.length, 249)
  assert.throws(
    () => topicName({ prefix: 'p'.repeat(240), cluster: 'prod', resource: pods }),
    (error) => hasCode(error, 'usage'),
  )
})

const refused = [
  { prefix: '' },
  { prefix: 'a_b' },
  { prefix: '.a' },
  { prefix: 'a.' },
  { prefix: 'a..b' },
  { prefix: 'a/b' },
  { prefix: 'é' },
  { cluster: '' },
  { cluster: 'Prod' },
  { cluster: 'a.b' },
  { cluster: 'a_b' },
  { cluster: '-a' },
  { cluster: 'a-' },
  { cluster: 'a'.repeat(64) },
  { resource: { group: 'a_b', resource: 'pods' } },
]
for (const options of refused) {
  test(`a topic name is refused for ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => topicName({ cluster: 'prod', resource: pods, ...options }),
      (error) => hasCode(error, 'usage'),
    )
  })
}
