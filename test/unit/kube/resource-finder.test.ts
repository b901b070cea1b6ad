import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { lazyClient } from '../../../src/kube/lazy-client.ts'
import { ResourceFinder } from '../../../src/kube/resource-finder.ts'
import { fakeClient, type FakeAnswer } from './fake-client.ts'

const { signal } = new AbortController()

/** Discovery of a cluster that serves these resources of the core group. */
function serving(...plurals: readonly string[]): Record<string, FakeAnswer> {
  const resources = plurals.map((resource) => ({ resource, responseKind: { kind: resource }, scope: 'Namespaced' }))
  return {
    '/api': { json: { kind: 'APIGroupDiscoveryList', items: [{ versions: [{ version: 'v1', resources }] }] } },
    '/apis': { json: { kind: 'APIGroupDiscoveryList', items: [] } },
  }
}

test('those who ask together share one discovery, whoever asks later needs none', async () => {
  const client = fakeClient(serving('pods', 'nodes'))
  const finder = new ResourceFinder(client)
  const found = await Promise.all(['pods', 'nodes', 'pods'].map((name) => finder.find(name, signal)))
  assert.deepEqual(
    found.map(({ resource }) => resource),
    ['pods', 'nodes', 'pods'],
  )
  await finder.find('nodes', signal)
  assert.deepEqual(
    client.asked.map(({ path }) => path),
    ['/api', '/apis'],
  )
})

test('what is served since is found by asking again', async () => {
  const answers = serving('pods')
  const client = fakeClient(answers)
  const finder = new ResourceFinder(client)
  await assert.rejects(finder.find('carts', signal), (error) => hasCode(error, 'unknown-resource'))
  Object.assign(answers, serving('pods', 'carts'))
  assert.equal((await finder.find('carts', signal)).resource, 'carts')
  assert.equal(client.asked.length, 4)
})

test('one who gives up leaves the others their turn', async () => {
  const finder = new ResourceFinder(fakeClient(serving('pods')))
  const first = finder.find('pods', signal)
  const gaveUp = assert.rejects(finder.find('pods', AbortSignal.abort(new Error('enough'))), /enough/)
  assert.equal((await finder.find('pods', signal)).resource, 'pods')
  await Promise.all([first, gaveUp])
})

test('a lazy client is opened by the first request, and a failure to open it is a rejection', async () => {
  let opened = 0
  const lazy = lazyClient(() => {
    opened += 1
    return fakeClient({ '/version': { json: { major: '1' } } })
  })
  await lazy[Symbol.asyncDispose]()
  assert.equal(opened, 0)
  assert.deepEqual(await lazy.get('/version', { signal }), { major: '1' })
  assert.equal(lazy.server, 'https://fake')
  assert.equal(opened, 1)
  const broken = lazyClient(() => {
    throw new Error('no credentials')
  })
  await assert.rejects(broken.get('/version', { signal }), /no credentials/)
  await assert.rejects(broken.stream('/version', { signal }), /no credentials/)
})
