// needs: control-plane
// Informers and uncached reads on a real apiserver: what they hold equals what kubectl lists, built-in and custom.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { silentLogger } from '../../src/base/log.ts'
import { informerFactory } from '../../src/watch/informer-factory.ts'
import type { InformerFactory } from '../../src/watch/informer-factory.ts'
import type { ResourceEvent } from '../../src/watch/resource-client.ts'
import { configMap, deployment } from '../support/cluster-objects.ts'
import { startControlPlane } from '../support/control-plane.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import { assertEqualsKubectl, kubectlList, runFactory, until } from '../support/informers.ts'
import type { AnyObject } from '../support/informers.ts'

const signal = AbortSignal.timeout(240_000)
const life = new AsyncDisposableStack()
let plane: ControlPlane

before(async () => {
  plane = life.use(await startControlPlane())
  for (const namespace of ['shop', 'web']) {
    await plane.kubectl(['create', 'namespace', namespace])
    await apply(namespace, deployment('cart', 2), configMap('cart'), configMap('till'))
  }
  await serve('carts')
  await apply('shop', cart('c1'), cart('c2'))
})

after(() => life.disposeAsync())

async function apply(namespace: string, ...objects: readonly object[]): Promise<void> {
  const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  await plane.kubectl(['apply', '-n', namespace, '-f', '-'], { stdin })
}

/** Makes the apiserver serve a custom resource of group shop.example.com. */
async function serve(plural: string): Promise<void> {
  const kind = `${plural.charAt(0).toUpperCase()}${plural.slice(1, -1)}`
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.shop.example.com` },
    spec: {
      group: 'shop.example.com',
      scope: 'Namespaced',
      names: { plural, singular: plural.slice(0, -1), kind },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  }
  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(definition) })
  await plane.kubectl(['wait', '--for=condition=Established', `crd/${plural}.shop.example.com`])
}

function cart(name: string, kind = 'Cart'): object {
  return { apiVersion: 'shop.example.com/v1', kind, metadata: { name }, spec: { items: [name] } }
}

/** A factory that is over when the test is; its informers run. */
async function withFactory(story: (factory: InformerFactory) => Promise<void>): Promise<void> {
  await using run = runFactory(plane.kubeconfig)
  await story(run.factory)
}

describe('informers', () => {
  for (const resource of ['deployments.apps', 'cm', 'carts.shop.example.com', 'clusterroles']) {
    for (const watchList of [true, false]) {
      test(`${resource} equal what kubectl lists, ${watchList ? 'streamed' : 'in pages'}`, async () => {
        await withFactory(async (factory) => {
          const informer = factory.informer<AnyObject>(resource, { watchList })
          await informer.whenLive(signal)
          await assertEqualsKubectl(informer, plane, resource)
        })
      })
    }
  }

  test('what changes after the first list is in the cache, with the order of a life in the handlers', async () => {
    await withFactory(async (factory) => {
      const informer = factory.informer<AnyObject>('configmaps', { namespace: 'shop', labels: 'app=story' })
      const calls: string[] = []
      informer.addHandler({
        onAdd: ({ metadata }) => void calls.push(`add ${metadata.name}`),
        onUpdate: (before, now) => void calls.push(`update ${before.metadata.uid === now.metadata.uid}`),
        onDelete: ({ metadata }, { finalStateUnknown }) =>
          void calls.push(`delete ${metadata.name} ${finalStateUnknown}`),
      })
      await informer.whenLive(signal)
      await apply('shop', configMap('story'))
      await apply('shop', configMap('story', { step: '1' }))
      await until(informer, () => calls.length === 2, signal)
      await assertEqualsKubectl(informer, plane, 'configmaps', ['-n', 'shop', '-l', 'app=story'])
      await plane.kubectl(['delete', 'configmap', 'story', '-n', 'shop'])
      await until(informer, () => calls.length === 3, signal)
      assert.deepEqual(calls, ['add story', 'update true', 'delete story false'])
      assert.equal(informer.size(), 0)
    })
  })

  test('a selection is what kubectl selects', async () => {
    await withFactory(async (factory) => {
      const informer = factory.informer<AnyObject>('configmaps', {
        labels: 'app in (cart)',
        fields: 'metadata.name!=x',
      })
      await informer.whenLive(signal)
      await assertEqualsKubectl(informer, plane, 'configmaps', ['-A', '-l', 'app=cart'])
      assert.equal(informer.size(), 2)
    })
  })

  test('the same resource under two names is one informer and one watch', async () => {
    await withFactory(async (factory) => {
      const first = factory.informer<AnyObject>('deploy', { namespace: 'shop' })
      const second = factory.informer<AnyObject>('deployments.apps', { namespace: 'shop' })
      assert.equal(first, second)
      await second.whenLive(signal)
      assert.equal(first.size(), 1)
    })
  })

  test('a resource that is not served ends the run, and names what was meant', async () => {
    await using factory = informerFactory({ kubeconfig: plane.kubeconfig, log: silentLogger })
    const informer = factory.informer<AnyObject>('deploymets')
    const isTold = (error: unknown): boolean =>
      hasCode(error, 'unknown-resource') && error.message.includes('deployments.apps')
    const running = assert.rejects(factory.run(signal), isTold)
    await assert.rejects(informer.whenLive(signal), isTold)
    await running
  })

  test('a resource that is served since the factory looked is found', async () => {
    await withFactory(async (factory) => {
      await factory.informer('configmaps').whenLive(signal)
      await serve('tills')
      await apply('shop', cart('t1', 'Till'))
      const informer = factory.informer<AnyObject>('tills')
      await informer.whenLive(signal)
      await assertEqualsKubectl(informer, plane, 'tills')
    })
  })

  test('a namespace for what has none ends the run', async () => {
    await using factory = informerFactory({ kubeconfig: plane.kubeconfig, log: silentLogger })
    factory.informer('nodes', { namespace: 'shop' })
    await assert.rejects(factory.run(signal), TypeError)
  })

  test('a missing permission reaches the watch error handler', async () => {
    await using factory = informerFactory({ kubeconfig: plane.userKubeconfig('plain1'), log: silentLogger })
    factory.informer('configmaps', {
      watchErrorHandler: (error) => {
        throw error
      },
    })
    await assert.rejects(factory.run(signal), (error) => hasCode(error, 'forbidden'))
  })

  test('a kubeconfig that is not there ends the run', async () => {
    await using factory = informerFactory({ kubeconfig: `${plane.kubeconfig}.absent`, log: silentLogger })
    factory.informer('configmaps')
    await assert.rejects(factory.run(signal), (error) => hasCode(error, 'usage'))
  })
})

describe('uncached reads', () => {
  test('get gives one object as kubectl does, and undefined where there is none', async () => {
    await withFactory(async ({ client }) => {
      for (const [resource, key] of [
        ['deploy', 'shop/cart'],
        ['carts', 'shop/c1'],
        ['clusterroles', 'view'],
      ] as const) {
        const listed = await kubectlList(plane, resource)
        assert.deepEqual(await client.get<AnyObject>(resource, key, { signal }), listed.get(key))
      }
      assert.equal(await client.get('cm', 'shop/absent', { signal }), undefined)
    })
  })

  test('get wants the kind of key that the resource has', async () => {
    await withFactory(async ({ client }) => {
      await assert.rejects(client.get('cm', 'cart', { signal }), /wanted namespace\/name: current value is "cart"/)
      await assert.rejects(client.get('nodes', 'shop/n', { signal }), /wanted a name without namespace/)
      await assert.rejects(client.get('nonsense', 'n', { signal }), (error) => hasCode(error, 'unknown-resource'))
    })
  })

  test('list gives all that kubectl lists, whatever the size of a page', async () => {
    await withFactory(async ({ client }) => {
      const listed = await kubectlList(plane, 'clusterroles')
      for (const pageSize of [7, 500]) {
        const { items, resourceVersion } = await client.list<AnyObject>('clusterroles', { pageSize, signal })
        assert.deepEqual(items.map(({ metadata }) => metadata.name).toSorted(), [...listed.keys()].toSorted())
        assert.match(resourceVersion, /^[1-9]/)
        assert.ok(items.every(({ kind }) => kind === 'ClusterRole'))
      }
      const { items } = await client.list<AnyObject>('cm', { namespace: 'shop', labels: 'app=cart', signal })
      assert.deepEqual(
        items.map(({ metadata }) => metadata.name),
        ['cart'],
      )
    })
  })

  test('watch goes on from a list', async () => {
    await withFactory(async ({ client }) => {
      const selection = { namespace: 'web', labels: 'app=watched', signal }
      const { resourceVersion } = await client.list('cm', selection)
      await apply('web', configMap('watched'))
      await plane.kubectl(['delete', 'configmap', 'watched', '-n', 'web'])
      const events: Array<ResourceEvent<AnyObject>> = []
      for await (const event of client.watch<AnyObject>('cm', { ...selection, resourceVersion })) {
        events.push(event)
        if (event.kind === 'deleted') break
      }
      assert.deepEqual(
        events.map((event) => `${event.kind} ${'object' in event ? event.object.metadata.name : ''}`),
        ['added watched', 'deleted watched'],
      )
    })
  })

  // Last, since the apiserver forgets with it what the other tests watched.
  test('a watch from before a restart of the apiserver has expired', async () => {
    await plane.restartApiserver()
    await withFactory(async ({ client }) => {
      const watching = client.watch('cm', { resourceVersion: '1', signal, timeoutSeconds: 5 })
      await assert.rejects(
        async () => {
          for await (const event of watching) assert.fail(event.kind)
        },
        (error) => hasCode(error, 'expired'),
      )
    })
  })
})
