// needs: kafka, control-plane
// What controllers make of a change reaches the topics too: a Deployment that is scaled, its Pods that come and go.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { deployment } from '../support/cluster-objects.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  isRecord,
  stateOf,
  type TopicLine,
} from '../support/topic-lines.ts'

const RESOURCES = ['deployments.apps', 'replicasets.apps', 'pods']

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory({ plane: { controllerManager: true } }))
})

after(() => life.disposeAsync())

test('a Deployment that is scaled up and to 0 is followed by its own updates, its Pods by adds and deletes', async () => {
  const { plane } = story
  await plane.kubectl(['create', 'namespace', 'shop'])
  await plane.kubectl(['create', '-n', 'shop', '-f', '-'], { stdin: JSON.stringify(deployment('cart', 0)) })
  await using bridge = await story.bridge(['-r', RESOURCES.join(','), '-n', 'shop'])
  await using deployments = story.follow('deployments.apps')
  await using pods = story.follow('pods')

  await plane.kubectl(['scale', '-n', 'shop', 'deployment', 'cart', '--replicas=3'])
  await deployments.until((lines) => lines.filter(isUpdated).some(isScaledTo(3)), 'the update of the Deployment')
  await pods.until((lines) => lines.filter(isAdded).length === 3, 'three Pods')
  const running = stateOf(pods.lines)
  assert.equal(running.size, 3)

  await plane.kubectl(['scale', '-n', 'shop', 'deployment', 'cart', '--replicas=0'])
  await deployments.until((lines) => lines.filter(isUpdated).some(isScaledTo(0)), 'the update to 0')
  await pods.until((lines) => stateOf(lines).size === 0, 'no Pods')
  const deleted = pods.lines.filter(isRecord).filter(({ op }) => op === 'DELETED')
  assert.deepEqual(
    new Map(deleted.map(({ key, uid }) => [key, uid])),
    new Map([...running].map(([key, { uid }]) => [key, uid])),
  )
  assert.equal(deleted.length, 3)
  assert.equal(pods.lines.filter(isAdded).length, 3)

  await plane.kubectl(['wait', '-n', 'shop', 'deployment/cart', '--for=jsonpath={.status.observedGeneration}=3'])
  await bridge.stop()
  for (const resource of RESOURCES) {
    const lines = await story.read(resource)
    assertSameState(lines, await clusterState(plane, resource, ['-n', 'shop']))
    assertLives(lines)
  }
})

function isAdded(line: TopicLine): boolean {
  return isRecord(line) && line.op === 'ADDED'
}

function isUpdated(line: TopicLine): boolean {
  return isRecord(line) && line.op === 'UPDATED'
}

function isScaledTo(replicas: number): (line: TopicLine) => boolean {
  return (line) => isRecord(line) && JSON.stringify(line.object?.['spec']).startsWith(`{"replicas":${replicas},`)
}
