import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { everything, findResource, listableResources, type Catalogue } from '../../../src/kube/catalogue.ts'
import { apiVersionOf, resourceName, type Resource } from '../../../src/object/resource.ts'

function resource(apiVersion: string, plural: string, kind: string, more: Partial<Resource> = {}): Resource {
  const [version = '', group = ''] = apiVersion.split('/').toReversed()
  return {
    group,
    version,
    resource: plural,
    kind,
    namespaced: true,
    singular: kind.toLowerCase(),
    shortNames: [],
    verbs: ['get', 'list', 'watch'],
    ...more,
  }
}

const catalogue: Catalogue = {
  resources: [
    resource('v1', 'pods', 'Pod', { shortNames: ['po'] }),
    resource('v1', 'secrets', 'Secret'),
    resource('v1', 'events', 'Event', { shortNames: ['ev'] }),
    resource('v1', 'bindings', 'Binding', { verbs: ['create'] }),
    resource('v1', 'componentstatuses', 'ComponentStatus', { verbs: ['get', 'list'] }),
    resource('apps/v1', 'deployments', 'Deployment', { shortNames: ['deploy'] }),
    resource('events.k8s.io/v1', 'events', 'Event', { shortNames: ['ev'] }),
    resource('autoscaling/v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', { shortNames: ['hpa'] }),
    resource('autoscaling/v1', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', { shortNames: ['hpa'] }),
    resource('coordination.k8s.io/v1', 'leases', 'Lease'),
    resource('metrics.k8s.io/v1beta1', 'pods', 'PodMetrics', { verbs: ['get', 'list'] }),
    resource('shop.example.com/v1', 'carts', 'Cart', { shortNames: ['ct'] }),
    resource('old.example.com/v1', 'legacies', 'Legacy', { verbs: ['list', 'watch'] }),
    resource('old.example.com/v1beta1', 'relics', 'Relic'),
  ],
  unreachableGroups: [],
}

describe('a resource is found by each name that kubectl takes', () => {
  const table: ReadonlyArray<readonly [text: string, found: string]> = [
    ['pods', 'v1 pods'],
    ['pod', 'v1 pods'],
    ['Pod', 'v1 pods'],
    ['po', 'v1 pods'],
    ['PODS', 'v1 pods'],
    ['deployments.apps', 'apps/v1 deployments'],
    ['deployment.apps', 'apps/v1 deployments'],
    ['deploy.apps', 'apps/v1 deployments'],
    ['deployments.v1.apps', 'apps/v1 deployments'],
    ['Deployment.v1.apps', 'apps/v1 deployments'],
    ['hpa', 'autoscaling/v2 horizontalpodautoscalers'],
    ['hpa.v1.autoscaling', 'autoscaling/v1 horizontalpodautoscalers'],
    ['horizontalpodautoscalers.autoscaling', 'autoscaling/v2 horizontalpodautoscalers'],
    ['events', 'v1 events'],
    ['events.events.k8s.io', 'events.k8s.io/v1 events'],
    ['events.v1.events.k8s.io', 'events.k8s.io/v1 events'],
    ['pods.v1.', 'v1 pods'],
    ['ct', 'shop.example.com/v1 carts'],
    ['carts.shop.example.com', 'shop.example.com/v1 carts'],
    ['relic', 'old.example.com/v1beta1 relics'],
  ]
  for (const [text, expected] of table) {
    test(`${text} is ${expected}`, () => {
      const found = findResource(catalogue, text)
      assert.equal(`${apiVersionOf(found)} ${found.resource}`, expected)
    })
  }

  test('a plural wins over a short name of another group', () => {
    const shadow = resource('v1', 'shadows', 'Shadow', { shortNames: ['deployments'] })
    const found = findResource({ ...catalogue, resources: [shadow, ...catalogue.resources] }, 'deployments')
    assert.equal(resourceName(found), 'deployments.apps')
  })
})

describe('an unknown resource is refused with what may have been meant', () => {
  const table: ReadonlyArray<readonly [text: string, suggestions: readonly string[]]> = [
    ['deploymnts', ['deployments.apps']],
    ['deployments.app', ['deployments.apps']],
    ['crat', ['carts.shop.example.com']],
    ['pods.shop.example.com', ['pods']],
    ['xyz', []],
    ['', []],
  ]
  for (const [text, suggestions] of table) {
    test(`${JSON.stringify(text)}: ${suggestions.join(', ') || 'nothing near'}`, () => {
      assert.throws(
        () => findResource(catalogue, text),
        (error) => {
          assert.ok(hasCode(error, 'unknown-resource'))
          assert.deepEqual(error.fields['suggestions'], suggestions)
          assert.match(error.message, /: see kubectl api-resources$/)
          return true
        },
      )
    })
  }

  test('groups that discovery could not reach are named', () => {
    const partial = { ...catalogue, unreachableGroups: ['metrics.example.com'] }
    assert.throws(() => findResource(partial, 'gauges'), /could not reach metrics\.example\.com, which may serve it/)
  })
})

test('a resource that cannot be watched is refused with its verbs', () => {
  assert.throws(
    () => findResource(catalogue, 'componentstatuses'),
    (error) => hasCode(error, 'usage') && error.message.endsWith('current value is get, list'),
  )
})

test('listable resources are those with list and watch, each once in its preferred version', () => {
  const names = listableResources(catalogue).map((entry) => `${apiVersionOf(entry)} ${entry.resource}`)
  assert.ok(names.includes('autoscaling/v2 horizontalpodautoscalers'))
  assert.ok(names.includes('old.example.com/v1beta1 relics'))
  for (const absent of ['autoscaling/v1 horizontalpodautoscalers', 'v1 bindings', 'v1 componentstatuses']) {
    assert.ok(!names.includes(absent), absent)
  }
})

describe('everything', () => {
  function names(given: Catalogue, exclude: readonly string[] = []): readonly string[] {
    return everything(given, { exclude }).map(resourceName)
  }

  test('leaves out secrets, leases and the core events that events.k8s.io serves', () => {
    const all = names(catalogue)
    for (const absent of ['secrets', 'leases.coordination.k8s.io', 'events']) assert.ok(!all.includes(absent), absent)
    for (const present of ['pods', 'events.events.k8s.io']) assert.ok(all.includes(present), present)
  })

  test('keeps core events where there are no others', () => {
    const resources = catalogue.resources.filter(({ group }) => group !== 'events.k8s.io')
    assert.ok(names({ ...catalogue, resources }).includes('events'))
  })

  test('leaves out what is excluded, by any name', () => {
    const left = names(catalogue, ['deploy', 'carts.shop.example.com'])
    assert.ok(!left.includes('deployments.apps') && !left.includes('carts.shop.example.com'))
  })

  test('excludes events under both of their names', () => {
    for (const name of ['events', 'ev', 'events.events.k8s.io']) {
      assert.ok(!names(catalogue, [name]).some((left) => left.startsWith('events')), name)
    }
  })

  test('refuses an exclusion that names nothing', () => {
    assert.throws(
      () => names(catalogue, ['cartz']),
      (error) => hasCode(error, 'unknown-resource'),
    )
  })
})
