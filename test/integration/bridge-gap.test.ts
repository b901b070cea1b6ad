// needs: kafka, control-plane
// A watch that is cut for so long that the apiserver has forgotten where it stood: what happened meanwhile still arrives.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { startCutProxy } from '../support/cut-proxy.ts'
import { cart, CART_DEFINITION, configMap } from '../support/cluster-objects.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  isRecord,
  lifeOf,
  shortOf,
  type TopicLine,
} from '../support/topic-lines.ts'

const RESOURCES = ['configmaps', 'carts.shop.example.com']

let story: BridgeStory
let bridge: BridgeProcess
const life = new AsyncDisposableStack()
const before410 = new Map<string, readonly TopicLine[]>()
const after410 = new Map<string, readonly TopicLine[]>()

before(async () => {
  story = life.use(await startStory())
  const { plane } = story
  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(CART_DEFINITION) })
  await plane.kubectl(['wait', '--for=condition=Established', 'crd/carts.shop.example.com'])
  const names = ['same', 'changed', 'gone', 'reborn', 'reborn-twice']
  await story.create(
    '/api/v1/namespaces/default/configmaps',
    names.map((name) => configMap(name)),
  )
  await story.create('/apis/shop.example.com/v1/namespaces/default/carts', names.map(cart))
  const proxy = life.use(await startCutProxy(Number(new URL(plane.server).port)))
  const folder = life.use(temporaryFolder('gap'))
  const kubeconfig = join(folder.path, 'kubeconfig')
  const direct = readFileSync(plane.kubeconfig, 'utf8')
  writeFileSync(kubeconfig, direct.replace(plane.server, `https://127.0.0.1:${proxy.port}`))
  bridge = life.use(await story.bridge(['-r', RESOURCES.join(','), '-n', 'default'], { kubeconfig }))
  for (const resource of RESOURCES) before410.set(resource, await story.read(resource))

  // Idle connections have been closed by then: a watch that was to be opened on one of them would end in a reset, which is followed by
  // a list without asking where the watch stood.
  await proxy.untilConnections(RESOURCES.length)
  await proxy.cut()
  // Frozen, it does not come back later and later.
  bridge.signal('SIGSTOP')
  for (const resource of RESOURCES) await change(resource)
  await plane.killApiserver()
  await plane.startApiserver()
  await proxy.restore()
  bridge.signal('SIGCONT')

  for (const resource of RESOURCES) {
    await using topic = story.follow(resource)
    await topic.untilEqual(await clusterState(plane, resource, ['-n', 'default']))
  }
})

after(() => life.disposeAsync())

test('the watch was answered 410', async () => {
  for (const resource of RESOURCES) {
    const relists = await bridge.metric('kubedelta_relists_total', { resource, reason: 'expired' })
    assert.ok(relists >= 1, `${resource}: ${relists}\n${bridge.output()}`)
  }
})

test('the bridge ends with 0 and its topics equal the cluster', async () => {
  await bridge.stop()
  for (const resource of RESOURCES) {
    const lines = await story.read(resource)
    after410.set(resource, lines.slice(before410.get(resource)?.length))
    assertSameState(lines, await clusterState(story.plane, resource, ['-n', 'default']))
    assertLives(lines)
  }
})

for (const resource of RESOURCES) {
  test(`of the ${resource}, the last state of what was changed arrives once`, async () => {
    const { resourceVersion = '' } = (await clusterState(story.plane, resource)).get('default/changed') ?? {}
    assert.deepEqual(lifeOf(since(resource), 'default/changed'), [`UPDATED RELIST@${resourceVersion}`])
  })

  test(`of the ${resource}, what was deleted arrives as such, with the last state known`, () => {
    const last = recordOf(before410.get(resource) ?? [], 'default/gone')
    assert.deepEqual(lifeOf(since(resource), 'default/gone'), [
      `DELETED RELIST@${last.resourceVersion} finalStateUnknown`,
      'tombstone',
    ])
    assert.deepEqual(recordOf(since(resource), 'default/gone').object, last.object)
  })

  for (const name of ['reborn', 'reborn-twice']) {
    test(`of the ${resource}, ${name} arrives as the end of the old one and a new one`, async () => {
      const last = recordOf(before410.get(resource) ?? [], `default/${name}`)
      const now = (await clusterState(story.plane, resource)).get(`default/${name}`)
      assert.deepEqual(lifeOf(since(resource), `default/${name}`), [
        `DELETED RELIST@${last.resourceVersion} finalStateUnknown`,
        'tombstone',
        `ADDED RELIST@${now?.resourceVersion}`,
      ])
      const [deleted, , added] = since(resource).filter(({ key }) => key === `default/${name}`)
      assert.ok(deleted !== undefined && isRecord(deleted) && added !== undefined && isRecord(added))
      assert.deepEqual(deleted.object, last.object)
      assert.deepEqual([deleted.uid, added.uid], [last.uid, now?.uid])
      assert.equal(added.offset, deleted.offset + 2)
    })
  }

  test(`of the ${resource}, what is new arrives once, and nothing else does`, () => {
    const others = since(resource).filter(({ key }) => !/changed|gone|reborn/.test(key))
    assert.deepEqual(
      others.map((line) => shortOf(line).replace(/@.*/, '')),
      ['ADDED RELIST default/new'],
    )
  })
}

async function change(resource: string): Promise<void> {
  const { plane } = story
  const make = (name: string): Promise<unknown> => {
    const object = resource === 'configmaps' ? configMap(name) : cart(name)
    return plane.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(object) })
  }
  for (const step of ['one', 'two', 'three']) {
    await plane.kubectl(['label', resource, 'changed', `step=${step}`, '--overwrite'])
  }
  await plane.kubectl(['delete', resource, 'gone', 'reborn', 'reborn-twice'])
  for (const name of ['reborn', 'reborn-twice', 'new', 'passing']) await make(name)
  await plane.kubectl(['label', resource, 'reborn', 'step=one'])
  await plane.kubectl(['delete', resource, 'passing', 'reborn-twice'])
  await make('reborn-twice')
}

function since(resource: string): readonly TopicLine[] {
  return after410.get(resource) ?? []
}

function recordOf(lines: readonly TopicLine[], key: string) {
  const found = lines.filter(isRecord).find((line) => line.key === key)
  assert.ok(found !== undefined, key)
  return found
}
