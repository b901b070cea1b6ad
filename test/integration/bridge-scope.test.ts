// needs: kafka, control-plane
// What a bridge selects: namespaces, labels, fields, everything; and what happens when an object or the selection changes.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connect } from '../../src/connect/connect.ts'
import { CLUSTER } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { configMap } from '../support/cluster-objects.ts'
import { ready } from '../support/ready.ts'
import { assertLives, assertSameState, clusterState, lifeOf, stateOf } from '../support/topic-lines.ts'

const NAMESPACES = ['shop', 'back', 'lab']

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
  for (const namespace of NAMESPACES) {
    await story.plane.kubectl(['create', 'namespace', namespace])
    const names = ['n0', 'n1', 'n2'].map((name) => configMap(name))
    await story.create(`/api/v1/namespaces/${namespace}/configmaps`, names)
  }
})

after(() => life.disposeAsync())

test('-n takes the objects of these namespaces alone', async () => {
  const { plane } = story
  await using bridge = await story.bridge(['-r', 'configmaps', '-n', 'shop', '-n', 'back', '--prefix', 'namespaces'])
  for (const namespace of NAMESPACES) await plane.kubectl(['create', 'configmap', 'later', '-n', namespace])
  await using topic = story.follow('configmaps', { prefix: 'namespaces' })
  const ofBoth = ['shop', 'back'].map((namespace) => clusterState(plane, 'configmaps', ['-n', namespace]))
  const state = new Map((await Promise.all(ofBoth)).flatMap((each) => [...each]))
  await topic.untilEqual(state)
  await bridge.stop()
  assert.deepEqual(
    new Set((await story.read('configmaps', { prefix: 'namespaces' })).map(({ key }) => key)),
    new Set(state.keys()),
  )
})

test('-l takes what matches; what leaves the selection is deleted, what comes back is added', async () => {
  const { plane } = story
  const choice = ['-l', 'app in (n0,n1)']
  await using bridge = await story.bridge(['-r', 'cm', ...choice, '--prefix', 'labels'])
  await plane.kubectl(['label', 'configmap', 'n0', '-n', 'shop', 'app=other', '--overwrite'])
  await plane.kubectl(['label', 'configmap', 'n0', '-n', 'shop', 'step=one'])
  await plane.kubectl(['label', 'configmap', 'n0', '-n', 'shop', 'app=n0', '--overwrite'])
  await using topic = story.follow('configmaps', { prefix: 'labels' })
  await topic.untilEqual(await clusterState(plane, 'configmaps', ['-A', ...choice]))
  await bridge.stop()
  assert.deepEqual(
    lifeOf(topic.lines, 'shop/n0').map((line) => line.replace(/@.*/, '')),
    ['ADDED LIST', 'DELETED WATCH', 'tombstone', 'ADDED WATCH'],
  )
  assertLives(topic.lines)
})

test('--field-selector takes what matches', async () => {
  const { plane } = story
  const choice = ['--field-selector', 'metadata.name!=n1,metadata.namespace=lab']
  await using bridge = await story.bridge(['-r', 'configmaps', ...choice, '--prefix', 'fields'])
  await bridge.stop()
  const state = await clusterState(plane, 'configmaps', ['-A', ...choice])
  assert.ok(state.has('lab/n0') && !state.has('lab/n1') && !state.has('shop/n0'))
  assertSameState(await story.read('configmaps', { prefix: 'fields' }), state)
})

test("-r '*' takes all that can be listed and watched, without Secrets, Leases, core events and what is excluded", async () => {
  const excluded = ['configmaps', 'deploy']
  await using bridge = await story.bridge(['-r', '*', '--exclude', excluded.join(), '--prefix', 'all'])
  await bridge.stop()
  const { stdout } = await story.plane.kubectl(['api-resources', '--verbs=list,watch', '-o', 'name'])
  const expected = new Set(stdout.trim().split('\n'))
  const left = ['secrets', 'leases.coordination.k8s.io', 'events', 'configmaps', 'deployments.apps']
  for (const resource of left) assert.ok(expected.delete(resource), resource)
  assert.deepEqual(await resourcesWithTopics('all'), [...expected].toSorted())
  for (const resource of ['namespaces', 'clusterroles.rbac.authorization.k8s.io']) {
    assertSameState(await story.read(resource, { prefix: 'all' }), await clusterState(story.plane, resource, []))
  }
})

test("-r '*' with a namespace takes what is namespaced alone", async () => {
  await using bridge = await story.bridge(['-r', '*', '-n', 'shop', '--prefix', 'namespaced'])
  await bridge.stop()
  const { stdout } = await story.plane.kubectl(['api-resources', '--namespaced', '--verbs=list,watch', '-o', 'name'])
  const expected = new Set(stdout.trim().split('\n'))
  for (const resource of ['secrets', 'leases.coordination.k8s.io', 'events']) assert.ok(expected.delete(resource))
  assert.deepEqual(await resourcesWithTopics('namespaced'), [...expected].toSorted())
})

test("what -r '*' may not list is shown as degraded, and the rest is ready", async () => {
  const { plane } = story
  const kubeconfig = plane.userKubeconfig('plain1')
  const rights = ['--verb=get,list,watch', '--resource=configmaps,namespaces']
  await plane.kubectl(['create', 'clusterrole', 'some', ...rights])
  await plane.kubectl(['create', 'clusterrolebinding', 'some', '--clusterrole=some', '--user=plain1'])
  // The authorizer follows the bindings by a watch of its own.
  await ready(() => plane.kubectl(['get', 'configmaps'], { kubeconfig }), { what: 'the permission of plain1' })
  await using bridge = await story.bridge(['-r', '*', '--prefix', 'partly'], { kubeconfig })
  const { text } = await bridge.get('/readyz?verbose')
  assert.match(text, /^\[\+\]configmaps ok$/m)
  assert.match(text, /^\[-\]nodes failed: degraded: Cannot list nodes: .*forbidden/m)
  assert.equal(await bridge.metric('kubedelta_synced', { resource: 'configmaps' }), 1)
  assert.equal(await bridge.metric('kubedelta_synced', { resource: 'nodes' }), 0)
  assert.equal((await bridge.get('/livez')).status, 200)
  await bridge.stop()
  assertSameState(await story.read('configmaps', { prefix: 'partly' }), await clusterState(plane, 'configmaps'))
})

test('--apply-scope-change deletes what is no longer selected and adds what is', async () => {
  const args = ['-r', 'configmaps', '--prefix', 'moved']
  await using first = await story.bridge([...args, '-n', 'shop', '-n', 'back'])
  await first.stop()
  const before = stateOf(await story.read('configmaps', { prefix: 'moved' }))
  await using second = await story.bridge([...args, '-n', 'back', '-n', 'lab', '--apply-scope-change'])
  await second.stop()
  const lines = await story.read('configmaps', { prefix: 'moved' })
  assertLives(lines)
  assert.deepEqual(lifeOf(lines, 'shop/n0').slice(1), [
    `DELETED SELECTOR@${before.get('shop/n0')?.resourceVersion} finalStateUnknown`,
    'tombstone',
  ])
  assert.equal(lifeOf(lines, 'back/n0').length, 1)
  assert.equal(lifeOf(lines, 'lab/n0').length, 1)
})

/** Resources, as kubectl names them, that have a topic of this prefix. */
async function resourcesWithTopics(prefix: string): Promise<readonly string[]> {
  const start = `${prefix}.${CLUSTER}.`
  const signal = AbortSignal.timeout(120_000)
  await using log = await connect(`kafka://${story.kafka.brokers}`, { signal })
  const topics = await log.admin.list(signal)
  return topics.flatMap((topic) => (topic.startsWith(start) ? topic.slice(start.length) : [])).toSorted()
}
