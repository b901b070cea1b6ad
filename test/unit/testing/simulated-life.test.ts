import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { SimulatedCluster } from '../../../src/testing/simulated/cluster.ts'
import { itemsAt, textAt, type JsonObject } from '../../../src/testing/simulated/json.ts'

const RESOURCES = [
  'namespaces',
  'nodes',
  'pods',
  'events',
  'deployments.apps',
  'replicasets.apps',
  'jobs.batch',
  'secrets',
]

/** A cluster that nobody listens to. */
function cluster(seed: number, clock = new ManualClock()): SimulatedCluster {
  return new SimulatedCluster({ seed, clock })
}

function everything(of: SimulatedCluster): ReadonlyMap<string, readonly JsonObject[]> {
  return new Map(RESOURCES.map((resource) => [resource, of.objects(resource)]))
}

test('the same seed lives the same life', () => {
  const [first, second, other] = [7, 7, 8].map((seed) => {
    const target = cluster(seed)
    const life = target.life()
    for (let step = 0; step < 500; step += 1) life.step()
    return everything(target)
  })
  assert.deepEqual(first, second)
  assert.notDeepEqual(first, other)
})

test('each step changes something, and all that a cluster sees comes to pass', () => {
  const target = cluster(3)
  const life = target.life()
  const seen = new Set<string>()
  for (let step = 0; step < 3_000; step += 1) {
    const before = target.resourceVersion
    life.step()
    assert.notEqual(target.resourceVersion, before, `step ${step}`)
    for (const event of target.objects('events')) seen.add(textAt(event, 'reason'))
    for (const node of target.objects('nodes')) seen.add(textAt(itemsAt(node, 'status', 'conditions')[0], 'status'))
    for (const namespace of target.objects('namespaces'))
      seen.add(textAt(namespace, 'metadata', 'name').split('-')[0] ?? '')
    for (const job of target.objects('jobs.batch')) seen.add(textAt(job, 'kind'))
  }
  for (const wanted of ['Evicted', 'BackOff', 'Unknown', 'preview', 'Job']) assert.ok(seen.has(wanted), wanted)
})

test('whatever is owned has an owner', () => {
  const target = cluster(5)
  const life = target.life()
  for (let step = 0; step < 1_000; step += 1) life.step()
  const uids = new Set([...everything(target).values()].flat().map((object) => textAt(object, 'metadata', 'uid')))
  for (const object of target.objects('pods')) {
    const [owner] = itemsAt(object, 'metadata', 'ownerReferences')
    assert.ok(uids.has(textAt(owner, 'uid')), textAt(object, 'metadata', 'name'))
  }
})

test('pods are as large as was asked for', () => {
  const target = cluster(1)
  target.life({ podBytes: 6_000 }).populate()
  const sizes = target.objects('pods').map((object) => JSON.stringify(object).length)
  assert.ok(Math.min(...sizes) > 5_000 && Math.max(...sizes) < 7_500, sizes.join())
})

test('a life makes as many changes a second as its rate says', async () => {
  const clock = new ManualClock()
  const target = cluster(1, clock)
  const life = target.life({ rate: 10 })
  life.populate()
  const before = Number(target.resourceVersion)
  const stop = new AbortController()
  const running = life.run(stop.signal)
  await clock.advance(2_000)
  stop.abort()
  await running
  const changes = Number(target.resourceVersion) - before
  // Taking away what is in a namespace is one step and several changes.
  assert.ok(changes >= 20 && changes <= 30, String(changes))
  assert.equal(clock.sleepers, 0)
})

test('what users take away is not missed', () => {
  const target = cluster(2)
  const life = target.life()
  for (let step = 0; step < 300; step += 1) life.step()
  target.delete({ resource: 'namespaces', name: 'shop' })
  for (let step = 0; step < 300; step += 1) life.step()
  assert.deepEqual(
    target.objects('pods').filter((pod) => textAt(pod, 'metadata', 'namespace') === 'shop'),
    [],
  )
})
