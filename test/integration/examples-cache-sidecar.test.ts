// needs: kafka
// examples/cache-sidecar, run as its README says: started again, it goes on from its snapshot and is equal to the cluster.

import assert from 'node:assert/strict'
import { readdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { at, textAt } from '../../src/base/fields.ts'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/index.ts'
import { CLUSTER } from '../support/bridge-process.ts'
import { bridgeCluster } from '../support/bridged-cluster.ts'
import { readmeCommands, startExample, type ExampleProcess } from '../support/example-process.ts'
import { startKafka } from '../support/kafka.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const [, command = ''] = readmeCommands('cache-sidecar')

const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('cache-sidecar'))

after(() => life.disposeAsync())

test('is warm the second time, from Kafka', { timeout: 120_000 }, async () => {
  await using kafka = await startKafka()
  await assertWarm(`kafka://${kafka.brokers}`, join(folder.path, 'of-kafka'))
})

test('is warm the second time, from a directory', { timeout: 120_000 }, async () => {
  await assertWarm(`file:${join(folder.path, 'log')}`, join(folder.path, 'of-directory'))
})

async function assertWarm(from: string, directory: string): Promise<void> {
  await using cluster = await startSimulatedCluster({ bookmarkMs: 5 })
  await using bridged = await bridgeCluster(cluster, { url: from, resources: ['pods'] })
  const lives = cluster.life({ nodes: 3, deployments: 8 })
  lives.populate()
  await bridged.settled()
  {
    await using cold = start(from, directory)
    assert.match(await live(cold), new RegExp(`^live: ${cluster.objects('pods').length} pods, warm: false, \\d+ ms$`))
    await assertEqual(cold, cluster)
    await end(cold)
  }
  // What happens meanwhile is what it reads of the topic.
  for (let step = 0; step < 300; step += 1) lives.step()
  await bridged.settled()
  {
    await using warm = start(from, directory)
    assert.match(await live(warm), new RegExp(`^live: ${cluster.objects('pods').length} pods, warm: true, \\d+ ms$`))
    await assertEqual(warm, cluster)
    await end(warm)
  }
  for (const name of readdirSync(directory)) truncateSync(join(directory, name), 100)
  await using again = start(from, directory)
  assert.match(await live(again), /, warm: false, /)
  await assertEqual(again, cluster)
  again.interrupt()
  assert.match((await again.ended).stderr, /"reason":"corrupt".*snapshot is not used, the topic is read from its start/)
}

function start(from: string, directory: string): ExampleProcess {
  const changed = command
    .replace('kafka://localhost:9092', from)
    .replace('--cluster dev', `--cluster ${CLUSTER}`)
    .replace('--directory cache', `--directory ${directory}`)
    .replace('--port 8080', '--port 0')
  return startExample(changed)
}

function live(sidecar: ExampleProcess): Promise<string> {
  return sidecar.line((line) => line.startsWith('live: '))
}

async function end(sidecar: ExampleProcess): Promise<void> {
  sidecar.interrupt()
  assert.equal((await sidecar.ended).stderr, '')
}

/** Each node's pods are what the cluster says, and it calls itself healthy. */
async function assertEqual(sidecar: ExampleProcess, cluster: SimulatedCluster): Promise<void> {
  const url = (await sidecar.line((line) => line.startsWith('listening on '))).replace('listening on ', '')
  const pods = cluster.objects('pods').map(summary)
  const nodes = new Set(pods.map(({ node }) => node))
  for (const node of nodes) {
    const answer: unknown = await (await fetch(`${url}/pods?node=${node ?? ''}`)).json()
    assert.deepEqual(sorted(answer), sorted(pods.filter((pod) => pod.node === node)))
  }
  assert.deepEqual(sorted(await (await fetch(`${url}/pods`)).json()), sorted(pods))
  const health = await fetch(`${url}/healthz`)
  const { state, pods: count, ageMs }: Record<string, unknown> = Object(await health.json())
  assert.deepEqual([health.status, state, count, typeof ageMs], [200, 'Live', pods.length, 'number'])
}

interface Summary {
  readonly namespace: string
  readonly name: string
  readonly node?: string
  readonly phase?: string
  readonly ip?: string
  readonly labels: unknown
}

/** A pod as the sidecar shows it; what it has not is left out of JSON. */
function summary(pod: unknown): Summary {
  const [node, phase, ip] = [
    ['spec', 'nodeName'],
    ['status', 'phase'],
    ['status', 'podIP'],
  ].map((path) => textAt(pod, ...path))
  return {
    namespace: textAt(pod, 'metadata', 'namespace'),
    name: textAt(pod, 'metadata', 'name'),
    ...(node && { node }),
    ...(phase && { phase }),
    ...(ip && { ip }),
    labels: at(pod, 'metadata', 'labels'),
  }
}

function sorted(summaries: unknown): readonly unknown[] {
  assert.ok(Array.isArray(summaries))
  return summaries.toSorted((a: Summary, b: Summary) =>
    `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1,
  )
}
