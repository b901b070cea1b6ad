// needs: kafka, control-plane
// What -r '*' carries while collections come, go and come back, and groups are out of reach.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { assertEpochsRise } from '../support/candidates.ts'
import { cart } from '../support/cluster-objects.ts'
import { ready } from '../support/ready.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  isRecord,
  lifeOf,
  shortOf,
  stateOf,
  type TopicLine,
} from '../support/topic-lines.ts'

const GROUP = 'shop.example.com'
/** Leaves what the apiserver changes by itself out, so that there is little to carry. */
const ARGS = ['-r', '*', '--exclude', 'clusterroles,clusterrolebindings,roles,rolebindings,flowschemas']

let story: BridgeStory
let bridge: BridgeProcess
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
  await define('carts')
  await define('baskets')
  await create('baskets', 'left')
  bridge = life.use(await story.bridge(ARGS))
})

after(() => life.disposeAsync())

test('a collection that is defined while the bridge runs has its topic, its objects and its check', async () => {
  await define('orders')
  await create('orders', 'first')
  await until('/readyz?verbose', /^\[\+\]orders\.shop\.example\.com ok$/m)
  await using topic = story.follow(`orders.${GROUP}`)
  await topic.untilEqual(await clusterState(story.plane, `orders.${GROUP}`))
  await create('orders', 'second')
  await topic.untilEqual(await clusterState(story.plane, `orders.${GROUP}`))
  assertLives(topic.lines)
  assert.deepEqual(
    (await story.read(`orders.${GROUP}`, { args: ['--control'] })).map(shortOf).slice(0, 3).at(0),
    'fence',
    'it was fenced before anything was written',
  )
  assert.equal((await bridge.get('/readyz')).status, 200)
  assert.equal(await bridge.metric('kubedelta_synced', { resource: `orders.${GROUP}` }), 1)
})

test('a collection that goes takes its objects with it, and comes back with other ones', async () => {
  await create('carts', 'again')
  await using topic = story.follow(`carts.${GROUP}`)
  await topic.until((lines) => stateOf(lines).has('default/again'), 'the first cart')
  await drop('carts')
  await topic.until((lines) => stateOf(lines).size === 0, 'the deletes')
  await define('carts')
  await create('carts', 'again')
  await topic.untilEqual(await clusterState(story.plane, `carts.${GROUP}`))
  assertLives(topic.lines)
  const uids = topic.lines.filter(isRecord).flatMap(({ op, uid }) => (op === 'ADDED' ? [uid] : []))
  assert.equal(new Set(uids).size, 2)
  await until('/readyz?verbose', /^\[\+\]carts\.shop\.example\.com ok$/m)
})

test('of a collection that went while the bridge was down, the objects are deleted with their last state', async () => {
  await bridge.stop()
  const before = await story.read(`baskets.${GROUP}`)
  await drop('baskets')
  bridge = life.use(await story.bridge(ARGS))
  await using topic = story.follow(`baskets.${GROUP}`)
  await topic.until((lines) => lines.length > before.length && stateOf(lines).size === 0, 'the deletes')
  const [first] = before.filter(isRecord)
  assert.deepEqual(lifeOf(since(topic.lines, before), 'default/left'), [
    `DELETED RECOVERY@${first?.resourceVersion} finalStateUnknown`,
    'tombstone',
  ])
  assert.deepEqual(since(topic.lines, before).find(isRecord)?.object, first?.object)
  await until('/readyz?verbose', /^\[\+\]baskets\.shop\.example\.com ok$/m)
  await define('baskets')
  await create('baskets', 'left')
  await topic.untilEqual(await clusterState(story.plane, `baskets.${GROUP}`))
  assertLives(topic.lines)
})

test('a group out of reach loses nothing, shows as degraded, and is carried when it is back', async () => {
  const unreachable = 'down.example.com'
  await story.plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(aggregated(unreachable)) })
  await until(
    '/readyz?verbose',
    new RegExp(`^\\[-\\]\\*\\.${unreachable} failed: degraded: discovery could not reach`, 'm'),
  )
  assert.equal(await bridge.metric('kubedelta_synced', { resource: `*.${unreachable}` }), 0)
  assert.equal((await bridge.get('/readyz')).status, 200)
  await story.plane.kubectl(['delete', 'apiservice', `v1.${unreachable}`])
  await until('/readyz?verbose', new RegExp(`^(?![^]*${unreachable})`))
})

test('objects in another version of their collection are updates, when the first one is no longer served', async () => {
  await using topic = story.follow(`orders.${GROUP}`)
  const state = await clusterState(story.plane, `orders.${GROUP}`)
  await topic.untilEqual(state)
  const before = [...topic.lines]
  await define('orders', ['v1', 'v2'])
  await create('orders', 'third')
  await topic.until((lines) => stateOf(lines).has('default/third'), 'an order')
  await define('orders', ['v2'])
  const inV2 = (lines: readonly TopicLine[]): readonly TopicLine[] =>
    since(lines, before).filter((line) => isRecord(line) && line.version === 'v2')
  await topic.until((lines) => inV2(lines).length === 3, 'all orders in v2')
  assert.deepEqual(
    inV2(topic.lines)
      .map((line) => shortOf(line).replace(/@.*/, ''))
      .toSorted(),
    ['first', 'second', 'third'].map((name) => `UPDATED RECOVERY default/${name}`),
  )
  for (const line of inV2(topic.lines)) assert.ok(isRecord(line) && line.object?.apiVersion === `${GROUP}/v2`)
  assert.equal(topic.lines.filter((line) => isRecord(line) && line.op === 'DELETED').length, 0)
  assertSameState(topic.lines, await clusterState(story.plane, `orders.${GROUP}`))
})

test('a collection that is defined while a standby waits is its own when it takes over, with the differences alone', async () => {
  await bridge.stop()
  const times = [
    '--leader-elect-lease-duration=3s',
    '--leader-elect-renew-deadline=2s',
    '--leader-elect-retry-period=500ms',
  ]
  const elected = [...ARGS, '--prefix=elected', '--leader-elect', '--leader-elect-namespace=default', ...times]
  await using leader = await story.bridge(elected)
  await using standby = await story.bridge(elected)
  await define('parcels')
  for (const name of ['same', 'changed', 'gone']) await create('parcels', name)
  await using topic = story.follow(`parcels.${GROUP}`, { prefix: 'elected', args: ['--control'] })
  await topic.untilEqual(await clusterState(story.plane, `parcels.${GROUP}`))
  const before = [...topic.lines]
  await leader.kill()
  await story.plane.kubectl(['label', `parcels.${GROUP}`, 'changed', 'color=blue'])
  await story.plane.kubectl(['delete', `parcels.${GROUP}`, 'gone'])
  await topic.untilEqual(await clusterState(story.plane, `parcels.${GROUP}`))
  assertLives(topic.lines)
  assertEpochsRise(topic.lines)
  const names = since(topic.lines, before)
    .filter(isRecord)
    .map((line) => `${line.op} ${line.key}`)
  assert.deepEqual(names.toSorted(), ['DELETED default/gone', 'UPDATED default/changed'])
  await ready(async () => assert.equal(await standby.metric('kubedelta_synced', { resource: `parcels.${GROUP}` }), 1), {
    what: 'the collection to be synced',
  })
  await standby.stop()
})

async function define(plural: string, versions: readonly string[] = ['v1']): Promise<void> {
  const { kubectl } = story.plane
  await kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(definition(plural, versions)) })
  await kubectl(['wait', '--for=condition=Established', `crd/${plural}.${GROUP}`])
}

async function drop(plural: string): Promise<void> {
  await story.plane.kubectl(['delete', 'crd', `${plural}.${GROUP}`, '--wait=true'])
}

async function create(plural: string, name: string): Promise<void> {
  const object = { ...cart(name), kind: kindOf(plural) }
  // Discovery and the handler of a new collection lag behind its definition.
  await ready(
    async () => {
      const path = `/apis/${GROUP}/v1/namespaces/default/${plural}`
      const { status, body } = await story.plane.request(path, { method: 'POST', body: object })
      if (status !== 201) throw new Error(body)
    },
    { what: `a collection of ${plural}` },
  )
}

function kindOf(plural: string): string {
  return `${plural.charAt(0).toUpperCase()}${plural.slice(1, -1)}`
}

function definition(plural: string, versions: readonly string[]): object {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { plural, singular: plural.slice(0, -1), kind: kindOf(plural) },
      versions: ['v1', ...versions.filter((name) => name !== 'v1')].map((name) => {
        return { name, served: versions.includes(name), storage: name === 'v1', schema }
      }),
    },
  }
}

/** A group whose server is not there. */
function aggregated(group: string): object {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `v1.${group}` },
    spec: {
      group,
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 10,
      insecureSkipTLSVerify: true,
      service: { name: 'nobody', namespace: 'default' },
    },
  }
}

async function until(path: string, text: RegExp): Promise<void> {
  await ready(async () => assert.match((await bridge.get(path)).text, text), {
    what: `${path} to say ${text.source}`,
  })
}

function since(lines: readonly TopicLine[], before: readonly TopicLine[]): readonly TopicLine[] {
  return lines.slice(before.length)
}
