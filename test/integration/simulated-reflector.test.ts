// The real client, source and reflector follow a simulated cluster: what each fault does, and that the end is always the same.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { findResource } from '../../src/kube/catalogue.ts'
import { discover } from '../../src/kube/discovery.ts'
import { readClusterId } from '../../src/kube/identity.ts'
import { startSimulatedCluster, type SimulatedCluster, type WatchStrike } from '../../src/testing/simulated/cluster.ts'
import type { SimulatedFault } from '../../src/testing/simulated/faults.ts'
import { isJsonObject, itemsAt, parseJson, textAt, type JsonObject } from '../../src/testing/simulated/json.ts'
import { createHttpSource } from '../../src/watch/http-source.ts'
import { clientOf, differences, follow } from '../property/simulated-replica.ts'

const signal = AbortSignal.timeout(240_000)

async function started(options: { readonly minor?: number } = {}): Promise<SimulatedCluster> {
  return startSimulatedCluster({ seed: 11, bookmarkMs: 10, ...options })
}

function configMap(name: string, color: string): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { color } }
}

for (const minor of [26, 29, 31, 36]) {
  test(`a reflector follows a cluster of 1.${minor}`, async () => {
    await using cluster = await started({ minor })
    const life = cluster.life()
    life.populate()
    await using replica = await follow(cluster, 'pods')
    await replica.caughtUp(cluster)
    assert.ok(replica.objects.size > 5)
    for (let step = 0; step < 200; step += 1) life.step()
    await replica.caughtUp(cluster)
    assert.deepEqual(differences(replica, cluster, 'pods'), [])
    assert.deepEqual(replica.lists, ['initial'])
  })
}

test('a custom resource is served once it is defined, and gone with its definition', async () => {
  await using cluster = await started()
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'carts.shop.example.com' },
    spec: {
      group: 'shop.example.com',
      scope: 'Namespaced',
      names: { plural: 'carts', kind: 'Cart' },
      versions: [{ name: 'v1', served: true, storage: true }],
    },
  }
  cluster.create(definition)
  cluster.create({
    apiVersion: 'shop.example.com/v1',
    kind: 'Cart',
    metadata: { name: 'a' },
    zeta: 1,
    alpha: [{ b: 1, a: 2 }],
  })
  await using replica = await follow(cluster, 'carts.shop.example.com')
  await replica.caughtUp(cluster)
  assert.deepEqual(differences(replica, cluster, 'carts.shop.example.com'), [])
  cluster.delete({ resource: 'customresourcedefinitions.apiextensions.k8s.io', name: 'carts.shop.example.com' })
  await replica.objectsGone()
  await using client = clientOf(cluster)
  const catalogue = await discover(client, signal)
  assert.throws(
    () => findResource(catalogue, 'carts'),
    (error) => hasCode(error, 'unknown-resource'),
  )
})

const FAULTS: ReadonlyArray<readonly [claim: string, fault: SimulatedFault, verb: 'list' | 'watch']> = [
  ['a refused list', { kind: 'refuse', code: 500 }, 'list'],
  ['a throttled list', { kind: 'refuse', code: 429, retryAfterSeconds: 1 }, 'list'],
  ['a list that is cut off', { kind: 'cut' }, 'list'],
  ['a corrupt list', { kind: 'corrupt' }, 'list'],
  ['a list whose connection is reset', { kind: 'reset' }, 'list'],
  ['a stale list', { kind: 'stale', changes: 3 }, 'list'],
  ['a watch that does not open', { kind: 'refuse', code: 503 }, 'watch'],
  ['a watch that ends with 410', { kind: 'error-event', code: 410 }, 'watch'],
  ['a corrupt watch', { kind: 'corrupt' }, 'watch'],
  ['a slow watch', { kind: 'slow', delayMs: 5 }, 'watch'],
]

describe('a reflector gets over', () => {
  for (const [claim, fault, verb] of FAULTS) {
    test(claim, async () => {
      // Lists and watches are separate requests where nothing streams lists.
      await using cluster = await started({ minor: 31 })
      for (const name of ['a', 'b', 'c', 'd']) cluster.create(configMap(name, 'blue'))
      cluster.fail(fault, { verb, resource: 'configmaps' })
      await using replica = await follow(cluster, 'configmaps')
      await replica.caughtUp(cluster)
      cluster.patch({ resource: 'configmaps', namespace: 'default', name: 'a' }, { data: { color: 'red' } })
      await replica.caughtUp(cluster)
      assert.equal(cluster.pendingFaults, 0)
      assert.deepEqual(differences(replica, cluster, 'configmaps'), [])
    })
  }

  const strikes: readonly WatchStrike[] = [
    { kind: 'drop' },
    { kind: 'close' },
    { kind: 'corrupt' },
    { kind: 'error-event', code: 410 },
    { kind: 'error-event', code: 500 },
  ]
  for (const strike of strikes) {
    test(`an open watch that is struck by ${JSON.stringify(strike)}`, async () => {
      await using cluster = await started()
      cluster.create(configMap('a', 'blue'))
      await using replica = await follow(cluster, 'configmaps')
      await replica.caughtUp(cluster)
      assert.equal(cluster.openWatches('configmaps'), 1)
      cluster.strikeWatches(strike, 'configmaps')
      cluster.create(configMap('b', 'blue'))
      await replica.caughtUp(cluster)
      assert.deepEqual(differences(replica, cluster, 'configmaps'), [])
    })
  }

  test('an apiserver that goes down and comes back', async () => {
    await using cluster = await started()
    cluster.create(configMap('a', 'blue'))
    await using replica = await follow(cluster, 'configmaps')
    await replica.caughtUp(cluster)
    await cluster.goDown()
    cluster.create(configMap('b', 'blue'))
    cluster.expireHistory()
    await cluster.listen()
    await replica.caughtUp(cluster)
    assert.deepEqual(differences(replica, cluster, 'configmaps'), [])
    assert.deepEqual(replica.lists, ['initial', 'expired'])
  })

  test('a forgotten event, once it lists again', async () => {
    await using cluster = await started()
    cluster.create(configMap('a', 'blue'))
    await using replica = await follow(cluster, 'configmaps')
    await replica.caughtUp(cluster)
    cluster.forgetNext('configmaps')
    cluster.patch({ resource: 'configmaps', namespace: 'default', name: 'a' }, { data: { color: 'red' } })
    await replica.caughtUp(cluster)
    assert.deepEqual(differences(replica, cluster, 'configmaps'), ['default/a'])
    cluster.strikeWatches({ kind: 'error-event', code: 410 })
    await replica.listed(2)
    assert.deepEqual(differences(replica, cluster, 'configmaps'), [])
  })
})

test('a token to go on with expires with the history, and names another that goes on', async () => {
  await using cluster = await started()
  for (const name of ['a', 'b', 'c']) cluster.create(configMap(name, 'blue'))
  const path = '/api/v1/configmaps?limit=2'
  const [, first] = await ask(cluster, path)
  cluster.delete({ resource: 'configmaps', namespace: 'default', name: 'c' })
  cluster.create(configMap('d', 'blue'))
  cluster.expireHistory()
  const [code, status] = await ask(cluster, `${path}&continue=${textAt(first, 'metadata', 'continue')}`)
  assert.deepEqual([code, textAt(status, 'reason')], [410, 'Expired'])
  const [, rest] = await ask(cluster, `${path}&continue=${textAt(status, 'metadata', 'continue')}`)
  assert.deepEqual(
    itemsAt(rest, 'items').map((item) => textAt(item, 'metadata', 'name')),
    ['d'],
  )
})

async function ask(cluster: SimulatedCluster, path: string): Promise<readonly [status: number, body: JsonObject]> {
  const answer = await fetch(`${cluster.url}${path}`, { signal })
  const body = parseJson(await answer.text())
  assert.ok(isJsonObject(body))
  return [answer.status, body]
}

test('a slow reader holds back its watch and misses nothing', async () => {
  await using cluster = await started()
  cluster.create({ ...configMap('large', ''), data: { text: 'x'.repeat(500_000) } })
  await using client = clientOf(cluster)
  const source = createHttpSource({ client, resource: findResource(await discover(client, signal), 'configmaps') })
  const { resourceVersion } = cluster
  const versions: string[] = []
  for await (const frames of source.watch({ resourceVersion, timeoutSeconds: 60 }, signal)) {
    // The first frame is a bookmark; what comes now does not fit the socket's buffers.
    if (versions.length === 0 && frames.some(({ kind }) => kind === 'bookmark')) {
      for (let step = 0; step < 40; step += 1) {
        cluster.patch({ resource: 'configmaps', namespace: 'default', name: 'large' }, { data: { step: String(step) } })
        versions.push(cluster.resourceVersion)
      }
    }
    for (const frame of frames)
      if (frame.kind === 'modified') assert.equal(versions.shift(), frame.object.resourceVersion)
    if (frames.some(({ kind }) => kind === 'modified') && versions.length === 0) break
  }
})

test('the identity of a cluster is its own', async () => {
  await using cluster = await started()
  await using client = clientOf(cluster)
  const id = await readClusterId(client, signal)
  cluster.fail({ kind: 'refuse', code: 403 }, { verb: 'get', resource: 'namespaces' })
  assert.match(await readClusterId(client, signal), /^jwks:/)
  assert.equal(await readClusterId(client, signal), id)
})
