import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import type { Resource } from '../../../src/object/resource.ts'
import { createHttpSource } from '../../../src/watch/http-source.ts'
import type { ListRequest, WatchRequest } from '../../../src/watch/source.ts'
import { collect } from '../kube/collect.ts'
import { fakeClient, type FakeClient } from '../kube/fake-client.ts'

const { signal } = new AbortController()

const configMaps: Resource = {
  group: '',
  version: 'v1',
  resource: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
  singular: 'configmap',
  shortNames: ['cm'],
  verbs: ['list', 'watch'],
}
const deployments: Resource = { ...configMaps, group: 'apps', resource: 'deployments', kind: 'Deployment' }

const PATH = '/api/v1/configmaps'
const LIST = '{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"next"},"items":['
const A = '{"metadata":{"name":"a","namespace":"shop","uid":"1","resourceVersion":"5"}}'

function listing(...chunks: ReadonlyArray<string | Error>): FakeClient {
  return fakeClient({ [PATH]: { chunks } })
}

function queryOf(client: FakeClient): Readonly<Record<string, string>> {
  const query = client.asked[0]?.request.query ?? {}
  return Object.fromEntries(Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1])))
}

describe('LIST asks', () => {
  const table: ReadonlyArray<readonly [claim: string, request: ListRequest, query: Record<string, string>]> = [
    ['consistently', { resourceVersion: '' }, {}],
    ['for anything cached', { resourceVersion: '0', limit: 500 }, { resourceVersion: '0', limit: '500' }],
    ['not older than, without a match or a limit', { resourceVersion: '9', limit: 0 }, { resourceVersion: '9' }],
    [
      'for a further page by its token alone',
      { resourceVersion: '9', limit: 5, continue: 't' },
      { limit: '5', continue: 't' },
    ],
  ]
  for (const [claim, request, query] of table) {
    test(claim, async () => {
      const client = listing(`${LIST}]}`)
      await collect(createHttpSource({ client, resource: configMaps }).list(request, signal))
      assert.deepEqual(queryOf(client), query)
    })
  }
})

describe('WATCH asks', () => {
  const always = { watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: '300' }
  const table: ReadonlyArray<readonly [claim: string, request: WatchRequest, query: Record<string, string>]> = [
    ['from a resourceVersion', { resourceVersion: '9', timeoutSeconds: 300 }, { ...always, resourceVersion: '9' }],
    [
      'for initial events',
      { resourceVersion: '', timeoutSeconds: 300, sendInitialEvents: true },
      { ...always, sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' },
    ],
    [
      'for initial events not older than',
      { resourceVersion: '9', timeoutSeconds: 300, sendInitialEvents: true },
      { ...always, resourceVersion: '9', sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' },
    ],
  ]
  for (const [claim, request, query] of table) {
    test(claim, async () => {
      const client = listing()
      await collect(createHttpSource({ client, resource: configMaps }).watch(request, signal))
      assert.deepEqual(queryOf(client), query)
      assert.equal(client.asked[0]?.request.silenceMs, 310_000)
    })
  }
})

test('a scope is part of path, query and name', async () => {
  const path = '/apis/apps/v1/namespaces/shop/deployments'
  const client = fakeClient({ [path]: { chunks: ['{"metadata":{"resourceVersion":"7"},"items":[]}'] } })
  const source = createHttpSource({
    client,
    resource: deployments,
    namespace: 'shop',
    labelSelector: 'app=cart',
    fieldSelector: 'metadata.name=a',
  })
  await collect(source.list({ resourceVersion: '' }, signal))
  assert.equal(client.asked[0]?.path, path)
  assert.deepEqual(queryOf(client), { labelSelector: 'app=cart', fieldSelector: 'metadata.name=a' })
  assert.equal(source.name, 'deployments.apps in shop')
  assert.equal(client.asked[0]?.request.action, 'Cannot list deployments.apps in shop')
})

test('a namespace for a cluster-scoped resource is misuse', () => {
  const resource = { ...configMaps, namespaced: false }
  assert.throws(() => createHttpSource({ client: listing(), resource, namespace: 'shop' }), TypeError)
})

test('list yields items as they come and the page last', async () => {
  const source = createHttpSource({ client: listing(LIST, A, ']}'), resource: configMaps })
  const frames = (await collect(source.list({ resourceVersion: '' }, signal))).flat()
  assert.deepEqual(
    frames.map((frame) => (frame.kind === 'item' ? frame.object.bytes.toString() : frame)),
    [
      '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"shop","uid":"1","resourceVersion":"5"}}',
      { kind: 'page', resourceVersion: '7', continue: 'next' },
    ],
  )
})

test('a list that is cut is a failure, so that nothing counts as vanished', async () => {
  const cut = new KubedeltaError('unreachable', 'Cannot list: reset')
  const source = createHttpSource({ client: listing(LIST, A, cut), resource: configMaps })
  await assert.rejects(collect(source.list({ resourceVersion: '' }, signal)), cut)
})

test('a list that ends early is corrupt', async () => {
  const source = createHttpSource({ client: listing(LIST, A), resource: configMaps })
  await assert.rejects(collect(source.list({ resourceVersion: '' }, signal)), (error) => hasCode(error, 'corrupt'))
})

const EVENT = `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1",${A.slice(1)}}\n`

for (const [how, end] of [
  ['closed', []],
  ['reset', [new KubedeltaError('unreachable', 'Cannot watch: reset')]],
  ['closed within an event', [EVENT.slice(0, 40)]],
] as const) {
  test(`a watch that is ${how} ends without an error`, async () => {
    const source = createHttpSource({ client: listing(EVENT, ...end), resource: configMaps })
    const frames = await collect(source.watch({ resourceVersion: '1', timeoutSeconds: 300 }, signal))
    assert.deepEqual(
      frames.flat().map(({ kind }) => kind),
      ['added'],
    )
  })
}

test('a corrupt frame fails the watch', async () => {
  const source = createHttpSource({ client: listing(EVENT, '{"type":}\n'), resource: configMaps })
  const watching = collect(source.watch({ resourceVersion: '1', timeoutSeconds: 300 }, signal))
  await assert.rejects(watching, (error) => hasCode(error, 'corrupt'))
})

test('a watch that cannot be opened fails with the reason', async () => {
  const error = new KubedeltaError('unreachable', 'Cannot watch: refused', { fields: { refused: true } })
  const source = createHttpSource({ client: fakeClient({ [PATH]: { error } }), resource: configMaps })
  await assert.rejects(collect(source.watch({ resourceVersion: '1', timeoutSeconds: 300 }, signal)), error)
})
