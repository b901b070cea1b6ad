// needs: kafka, control-plane
// A whole cluster on its topics: what is there at the start, and what happens afterwards.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { cart, CART_DEFINITION, configMap, deployment, pod, secret } from '../support/cluster-objects.ts'
import { assertLives, assertSameState, clusterState, isRecord, lifeOf } from '../support/topic-lines.ts'

const RESOURCES = ['pods', 'deployments.apps', 'configmaps', 'secrets', 'carts.shop.example.com'] as const
const FORMATS = ['json', 'avro'] as const

let story: BridgeStory
const bridges = new Map<string, BridgeProcess>()
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
  const { plane } = story
  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(CART_DEFINITION) })
  for (const namespace of ['shop', 'back']) await plane.kubectl(['create', 'namespace', namespace])
  await plane.kubectl(['wait', '--for=condition=Established', 'crd/carts.shop.example.com'])
  const names = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `n${index}`)
  for (const namespace of ['shop', 'back']) {
    const core = `/api/v1/namespaces/${namespace}`
    await story.create(
      `${core}/pods`,
      names(1_000).map((name) => pod(name, namespace)),
    )
    await story.create(
      `${core}/configmaps`,
      names(20).map((name) => configMap(name)),
    )
    await story.create(
      `${core}/secrets`,
      names(20).map((name) => secret(name, { password: `of-${name}` })),
    )
    await story.create(
      `/apis/apps/v1/namespaces/${namespace}/deployments`,
      names(20).map((name) => deployment(name, 2)),
    )
    await story.create(`/apis/shop.example.com/v1/namespaces/${namespace}/carts`, names(20).map(cart))
  }
  for (const format of FORMATS) {
    const args = ['-r', RESOURCES.join(','), '--format', format, '--prefix', format]
    bridges.set(format, life.use(await story.bridge(args)))
  }
})

after(() => life.disposeAsync())

describe('a cluster as it is at the start', () => {
  for (const resource of RESOURCES) {
    test(`has its ${resource} on their topics, by uid and resourceVersion`, async () => {
      const state = await clusterState(story.plane, resource)
      assert.ok(state.size >= (resource === 'pods' ? 2_000 : 40))
      for (const format of FORMATS) {
        await using topic = story.follow(resource, { prefix: format })
        await topic.untilEqual(state)
        assert.equal(topic.lines.length, state.size)
        assert.ok(topic.lines.every((line) => isRecord(line) && line.op === 'ADDED' && line.initial))
      }
    })
  }

  test('has no value of a Secret on its topics, but the keys', async () => {
    for (const format of FORMATS) {
      const secrets = (await story.read('secrets', { prefix: format })).filter(isRecord)
      assert.deepEqual(
        new Set(secrets.map(({ object }) => JSON.stringify(object?.['data']))),
        new Set(['{"password":"KioqKioq"}']),
      )
    }
  })
})

for (const resource of ['configmaps', 'deployments.apps', 'carts.shop.example.com']) {
  test(`what kubectl does to one of the ${resource} follows in order`, async () => {
    const { plane } = story
    const object =
      { configmaps: configMap('life'), 'deployments.apps': deployment('life', 0) }[resource] ?? cart('life')
    const create = (): Promise<unknown> =>
      plane.kubectl(['create', '-n', 'shop', '-f', '-'], { stdin: JSON.stringify(object) })
    await create()
    await plane.kubectl(['label', resource, 'life', '-n', 'shop', 'step=one'])
    await plane.kubectl(['label', resource, 'life', '-n', 'shop', 'step=two', '--overwrite'])
    await plane.kubectl(['delete', resource, 'life', '-n', 'shop'])
    await create()
    const state = await clusterState(plane, resource)
    for (const format of FORMATS) {
      await using topic = story.follow(resource, { prefix: format })
      await topic.untilEqual(state)
      assert.deepEqual(
        lifeOf(topic.lines, 'shop/life').map((line) => line.replace(/@.*/, '')),
        ['ADDED WATCH', 'UPDATED WATCH', 'UPDATED WATCH', 'DELETED WATCH', 'tombstone', 'ADDED WATCH'],
      )
      assertLives(topic.lines)
    }
  })
}

test('a bridge with --resync publishes what is unchanged again, as RESYNC, and nothing else', async () => {
  await using bridge = await story.bridge(['-r', 'configmaps', '--prefix', 'resync', '--resync', '5s'])
  const state = await clusterState(story.plane, 'configmaps')
  await using topic = story.follow('configmaps', { prefix: 'resync' })
  await topic.until((lines) => lines.length >= 3 * state.size, 'two resyncs')
  await bridge.stop()
  const lines = await story.read('configmaps', { prefix: 'resync' })
  assertSameState(lines, state)
  assertLives(lines)
  const counts = new Set<number>()
  for (const [key, { resourceVersion }] of state) {
    const [first, ...resyncs] = lifeOf(lines, key)
    assert.equal(first, `ADDED LIST@${resourceVersion}`)
    assert.deepEqual(new Set(resyncs), new Set([`UPDATED RESYNC@${resourceVersion}`]))
    counts.add(resyncs.length)
  }
  // The stop may have come amid one more, which is the last of some and not of others.
  const least = Math.min(...counts)
  assert.ok(least >= 2 && [...counts].every((count) => count - least <= 1), [...counts].join())
})

test('bridges end with 0 when they are told to, and leave topics that equal the cluster', async () => {
  for (const bridge of bridges.values()) await bridge.stop()
  for (const resource of RESOURCES) {
    const state = await clusterState(story.plane, resource)
    for (const format of FORMATS) {
      const lines = await story.read(resource, { prefix: format })
      assertSameState(lines, state)
      assertLives(lines)
    }
  }
})
