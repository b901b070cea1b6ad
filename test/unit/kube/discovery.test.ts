import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { discover } from '../../../src/kube/discovery.ts'
import { apiVersionOf } from '../../../src/object/resource.ts'
import type { Catalogue } from '../../../src/kube/catalogue.ts'
import { fakeClient, type FakeAnswer } from './fake-client.ts'

const { signal } = new AbortController()

const AGGREGATED: Readonly<Record<string, FakeAnswer>> = {
  '/api': {
    json: {
      kind: 'APIGroupDiscoveryList',
      items: [
        {
          metadata: { creationTimestamp: null },
          versions: [
            {
              version: 'v1',
              freshness: 'Current',
              resources: [
                {
                  resource: 'pods',
                  responseKind: { group: '', version: 'v1', kind: 'Pod' },
                  scope: 'Namespaced',
                  singularResource: 'pod',
                  shortNames: ['po'],
                  verbs: ['list', 'watch'],
                  subresources: [{ subresource: 'status', verbs: ['get'] }],
                },
                { resource: 'nodes', responseKind: { kind: 'Node' }, scope: 'Cluster', verbs: ['list', 'watch'] },
                { resource: 'holders', responseKind: null, scope: 'Cluster', subresources: [] },
              ],
            },
          ],
        },
      ],
    },
  },
  '/apis': {
    json: {
      kind: 'APIGroupDiscoveryList',
      items: [
        {
          metadata: { name: 'autoscaling' },
          versions: ['v2', 'v1'].map((version) => ({
            version,
            freshness: 'Current',
            resources: [{ resource: 'hpas', responseKind: { kind: 'HPA' }, scope: 'Namespaced', verbs: ['list'] }],
          })),
        },
        {
          metadata: { name: 'metrics.k8s.io' },
          versions: [
            {
              version: 'v1beta1',
              freshness: 'Stale',
              resources: [{ resource: 'old', responseKind: { kind: 'Old' }, scope: 'Cluster' }],
            },
          ],
        },
      ],
    },
  },
}

const PLAIN: Readonly<Record<string, FakeAnswer>> = {
  '/api': { json: { kind: 'APIVersions', versions: ['v1'] } },
  '/api/v1': {
    json: {
      kind: 'APIResourceList',
      resources: [
        { name: 'pods', singularName: '', namespaced: true, kind: 'Pod', verbs: ['list', 'watch'], shortNames: ['po'] },
        { name: 'pods/status', singularName: '', namespaced: true, kind: 'Pod', verbs: ['get'] },
      ],
    },
  },
  '/apis': {
    json: {
      kind: 'APIGroupList',
      groups: [
        {
          name: 'autoscaling',
          versions: [{ version: 'v1' }, { version: 'v2' }],
          preferredVersion: { version: 'v2' },
        },
        { name: 'metrics.k8s.io', versions: [{ version: 'v1beta1' }] },
        { name: 'gone.example.com', versions: [{ version: 'v1' }] },
      ],
    },
  },
  '/apis/autoscaling/v1': { json: { resources: [{ name: 'hpas', kind: 'HPA', namespaced: true, verbs: ['list'] }] } },
  '/apis/autoscaling/v2': { json: { resources: [{ name: 'hpas', kind: 'HPA', namespaced: true, verbs: ['list'] }] } },
  '/apis/metrics.k8s.io/v1beta1': { error: new KubedeltaError('server', 'Cannot GET: 503') },
}

function names(catalogue: Catalogue): readonly string[] {
  return catalogue.resources.map((resource) => `${apiVersionOf(resource)} ${resource.resource}`)
}

describe('discovery, aggregated and plain alike', () => {
  for (const [form, answers, core] of [
    ['aggregated', AGGREGATED, ['v1 pods', 'v1 nodes']],
    ['plain', PLAIN, ['v1 pods']],
  ] as const) {
    test(`${form}: gives the preferred version first and no subresources`, async () => {
      const catalogue = await discover(fakeClient(answers), signal)
      assert.deepEqual(names(catalogue), [...core, 'autoscaling/v2 hpas', 'autoscaling/v1 hpas'])
      assert.deepEqual(catalogue.resources[0], {
        group: '',
        version: 'v1',
        resource: 'pods',
        kind: 'Pod',
        namespaced: true,
        singular: 'pod',
        shortNames: ['po'],
        verbs: ['list', 'watch'],
      })
    })

    test(`${form}: names a group whose server does not answer`, async () => {
      assert.deepEqual((await discover(fakeClient(answers), signal)).unreachableGroups, ['metrics.k8s.io'])
    })
  }
})

test('aggregated discovery takes two requests', async () => {
  const client = fakeClient(AGGREGATED)
  await discover(client, signal)
  assert.deepEqual(client.asked.map(({ path }) => path).toSorted(), ['/api', '/apis'])
  assert.match(client.asked[0]?.request.accept ?? '', /;v=v2;as=APIGroupDiscoveryList,.*,application\/json$/)
})

for (const code of ['unauthorized', 'forbidden', 'throttled', 'unreachable'] as const) {
  test(`discovery fails where the apiserver itself refuses a group, rather than that it has none: ${code}`, async () => {
    const error = new KubedeltaError(code, 'Cannot GET')
    await assert.rejects(discover(fakeClient({ ...PLAIN, '/apis/autoscaling/v1': { error } }), signal), error)
  })
}

test('discovery of something that is no apiserver says so', async () => {
  const client = fakeClient({ ...AGGREGATED, '/apis': { json: { hello: 'world' } } })
  await assert.rejects(
    discover(client, signal),
    (error) => hasCode(error, 'server') && error.message.includes('https://fake/apis'),
  )
})
