// needs: kafka, control-plane
// One resourceVersion has one text: an object that was listed is published with the bytes that a watch would have brought.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { cart, CART_DEFINITION, configMap, deployment, pod } from '../support/cluster-objects.ts'
import { clusterState, isRecord, objectText, type TopicLine } from '../support/topic-lines.ts'

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  // Without WatchList the apiserver refuses to stream a list, so that what is listed comes from a LIST.
  story = life.use(await startStory({ plane: { apiserverArgs: ['--feature-gates=WatchList=false'] } }))
  await story.plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(CART_DEFINITION) })
  await story.plane.kubectl(['wait', '--for=condition=Established', 'crd/carts.shop.example.com'])
})

after(() => life.disposeAsync())

test('LIST and WATCH of one resourceVersion give the same bytes, of built-in kinds and custom resources', async () => {
  const resources = ['pods', 'configmaps', 'deployments.apps', 'carts.shop.example.com']
  const args = ['-r', resources.join(','), '-n', 'default', '--prefix']
  await using watching = await story.bridge([...args, 'watched'])
  const names = Array.from({ length: 10 }, (_, index) => `n${index}`)
  await story.create(
    '/api/v1/namespaces/default/pods',
    names.map((name) => pod(name, 'default')),
  )
  await story.create(
    '/api/v1/namespaces/default/configmaps',
    names.map((name) => configMap(name, { text: '<ü "\u2028' })),
  )
  await story.create(
    '/apis/apps/v1/namespaces/default/deployments',
    names.map((name) => deployment(name, 1)),
  )
  await story.create('/apis/shop.example.com/v1/namespaces/default/carts', names.map(cart))
  await using listing = await story.bridge([...args, 'listed'])
  assert.match(listing.output(), /list cannot be streamed, falling back to pages/)
  await watching.stop()
  await listing.stop()
  for (const resource of resources) {
    const state = await clusterState(story.plane, resource, ['-n', 'default'])
    const watched = textsOf(await story.read(resource, { prefix: 'watched' }), 'WATCH')
    const listed = textsOf(await story.read(resource, { prefix: 'listed' }), 'LIST')
    for (const key of names.map((name) => `default/${name}`)) {
      assert.ok(state.has(key) && listed.has(key))
      assert.equal(listed.get(key), watched.get(key))
    }
  }
})

/** The object of each key that was added for this cause. */
function textsOf(lines: readonly TopicLine[], cause: string): ReadonlyMap<string, string> {
  return new Map(
    lines
      .filter(isRecord)
      .filter((line) => line.op === 'ADDED' && line.cause === cause)
      .map((line) => [line.key, objectText(line)]),
  )
}
