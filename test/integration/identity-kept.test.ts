// needs: kafka
// A leader that is older than delete.retention.ms, its fence long compacted away: consumers and bridges still find whose the topic is.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect } from '../../src/connect/connect.ts'
import { topicCache } from '../../src/consumer/topic-cache.ts'
import type { Control } from '../../src/record/control.ts'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { textAt, type JsonObject } from '../../src/testing/simulated/json.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { setTopicConfig } from '../conformance/kafka-operator.ts'
import { readAll, STORY_MS } from '../conformance/log-content.ts'
import { CLUSTER, kubedelta, startBridge, type BridgeProcess } from '../support/bridge-process.ts'
import { dice } from '../support/dice.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { RestlessObjects } from '../support/restless-objects.ts'
import { appendedIn, differences, entryOf, epochOf, sorted, type Entry } from '../support/topic-differences.ts'

const TOPIC = `kubedelta.${CLUSTER}.configmaps`
const FIT = { 'cleanup.policy': 'compact', 'delete.retention.ms': '86400000' }
/** Each record may end a segment, and a tombstone goes a second after it was first cleaned. */
const FORGETFUL = {
  'cleanup.policy': 'compact',
  'delete.retention.ms': '1000',
  'segment.ms': '1',
  'min.cleanable.dirty.ratio': '0.001',
}

const signal = AbortSignal.timeout(2 * STORY_MS)
const life = new AsyncDisposableStack()
let kafka: KafkaCluster
let log: TopicLog
let cluster: SimulatedCluster
let objects: RestlessObjects
let where: readonly string[]
let leader: BridgeProcess
let first: Control

before(async () => {
  kafka = life.use(await startKafka())
  log = life.use(await connect(`kafka://${kafka.brokers}`, { signal }))
  cluster = life.use(await startSimulatedCluster({ seed: 5, bookmarkMs: 200 }))
  const kubeconfig = join(life.use(temporaryFolder('identity')).path, 'kubeconfig')
  writeFileSync(kubeconfig, cluster.kubeconfig, { mode: 0o600 })
  where = ['--to', `kafka://${kafka.brokers}`, '--cluster', CLUSTER, '--kubeconfig', kubeconfig, '-r', 'configmaps']
  objects = new RestlessObjects(cluster, { resource: 'configmaps', chance: dice(5, 'identity') })
  objects.create(20)
  leader = life.use(await openBridge())
  first = controlsOf(await entries())[0] ?? assert.fail('no fence')
  await setTopicConfig(kafka, TOPIC, FORGETFUL)
  await ready(
    async () => {
      // Only a segment behind which others stand is cleaned.
      objects.changeOne()
      const kinds = controlsOf(await entries()).map(({ kind }) => kind)
      assert.ok(!kinds.includes('fence'), kinds.join(', '))
    },
    { what: 'a topic without its fence', timeoutMs: STORY_MS },
  )
})

after(() => life.disposeAsync())

test('the fence is gone, and progress of the same stream and epoch stands there', async () => {
  const controls = controlsOf(await entries())
  const progress = controls.find(({ kind }) => kind === 'progress')
  assert.ok(progress?.kind === 'progress' && progress.synced, JSON.stringify(controls))
  const identityOf = ({ clusterId, streamId, epoch, holder }: Control) => ({ clusterId, streamId, epoch, holder })
  assert.deepEqual(identityOf(progress), identityOf(first))
})

test('a consumer that comes only now is live, with what the cluster holds', async () => {
  const stop = new AbortController()
  const cache = topicCache<JsonObject>({ from: log, cluster: CLUSTER, resource: 'configmaps' })
  const running = cache.run(stop.signal)
  await Promise.race([cache.waitForResourceVersion(cluster.resourceVersion, signal), running])
  const versionOf = (object: JsonObject): string => textAt(object, 'metadata', 'resourceVersion')
  assert.deepEqual(cache.list().map(versionOf).toSorted(), objects.all.map(versionOf).toSorted())
  stop.abort()
  await running
})

test('a bridge of another cluster is refused, and the leader has not noticed', async () => {
  await setTopicConfig(kafka, TOPIC, FIT)
  const probes = ['--metrics-listen', '127.0.0.1:0']
  const { code, stderr } = await kubedelta(['run', ...where, ...probes, '--cluster-id', 'another'])
  assert.equal(code, 2, stderr)
  assert.match(stderr, /belongs to the cluster/)
  objects.changeOne()
  const wanted = cluster.resourceVersion
  await ready(
    async () => {
      const reached = controlsOf(await entries()).findLast((control) => control.kind === 'progress')
      assert.ok(Number(reached?.resourceVersion) >= Number(wanted), `${reached?.resourceVersion}`)
    },
    { what: 'progress of the leader' },
  )
})

test('the next bridge goes on with the stream, and publishes exactly the differences', async () => {
  await leader.kill()
  objects.change()
  const held = await entries()
  await using next = await openBridge()
  await next.stop()
  const all = await entries()
  const own = all.filter((entry) => epochOf(entry) > first.epoch)
  const [fence] = controlsOf(own)
  assert.deepEqual([fence?.streamId, fence?.epoch], [first.streamId, first.epoch + 1])
  const wanted = differences(held, objects.all, (object) => object)
  assert.deepEqual(sorted(appendedIn(own)), sorted(wanted))
})

async function openBridge(): Promise<BridgeProcess> {
  const kubeconfig = where[where.indexOf('--kubeconfig') + 1] ?? ''
  const bridge = await startBridge({ brokers: kafka.brokers, kubeconfig, args: ['-r', 'configmaps'] })
  await bridge.ready()
  return bridge
}

async function entries(): Promise<readonly Entry[]> {
  return (await readAll(log, TOPIC)).map(entryOf)
}

function controlsOf(of: readonly Entry[]): readonly Control[] {
  return of.flatMap((entry) => (entry.kind === 'control' ? entry.control : []))
}
