// needs: kafka, control-plane
// examples/audit, run as its README says: who changed what, and patches that lead from each state to the next.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { startSimulatedCluster, type Json } from '../../src/testing/index.ts'
import { mergePatch } from '../../src/testing/simulated/merge-patch.ts'
import { startStory } from '../support/bridge-story.ts'
import { CLUSTER } from '../support/bridge-process.ts'
import { bridgeCluster } from '../support/bridged-cluster.ts'
import { deployment, secret } from '../support/cluster-objects.ts'
import { readmeCommands, startExample } from '../support/example-process.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { isRecord, readTopic, type KubeObject } from '../support/topic-lines.ts'

const [, follow = '', past = ''] = readmeCommands('audit')

const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('audit'))

after(() => life.disposeAsync())

test('names who changed what on a real cluster, from the topics alone', { timeout: 120_000 }, async () => {
  await using story = await startStory()
  const { plane } = story
  const url = `kafka://${story.kafka.brokers}`
  await using bridge = await story.bridge(['-r', 'deployments.apps,secrets', '-n', 'default'])
  await using example = startExample(commandOf(follow, url, 'deployments.apps secrets'))
  for (const resource of ['deployments.apps', 'secrets'])
    await example.line((line) => line === `audit: following ${resource}`)
  const told = async (part: string): Promise<string> => {
    const line = await example.line((line) => line.includes(part))
    assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /)
    return line.slice(line.indexOf(' ') + 1)
  }
  await plane.kubectl(['create', '-f', '-', '--field-manager=till'], { stdin: JSON.stringify(deployment('cart', 1)) })
  assert.equal(await told('ADDED'), 'deployments.apps default/cart ADDED by till (Update)')
  await plane.kubectl(['scale', 'deployment', 'cart', '--replicas=3'])
  assert.equal(
    await told('"replicas":3'),
    'deployments.apps default/cart UPDATED by kubectl (Update scale) {"metadata":{"generation":2},"spec":{"replicas":3}}',
  )
  const labeled = ['label', 'deployment', 'cart', 'team=blue', '--field-manager=painter']
  await plane.kubectl(labeled)
  assert.match(await told('blue'), /UPDATED by painter \(Update\) \{"metadata":\{"labels":\{"team":"blue"\}\}\}$/)
  await plane.kubectl(['label', 'deployment', 'cart', 'team-'])
  // Whoever only takes fields away owns none, and is not named.
  assert.match(await told('null'), /UPDATED by unknown \{"metadata":\{"labels":\{"team":null\}\}\}$/)
  await plane.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(secret('key', { password: 'hunter2' })) })
  await told('secrets default/key ADDED')
  await plane.kubectl(['patch', 'secret', 'key', '-p', '{"stringData":{"token":"hunter3"}}', '--field-manager=thief'])
  assert.match(await told('secrets default/key UPDATED'), /by thief \(Update\) \{"data":\{"token":"KioqKioq"\}\}$/)
  await plane.kubectl(['delete', 'deployment', 'cart'])
  assert.equal(await told('DELETED'), 'deployments.apps default/cart DELETED by unknown')
  example.interrupt()
  await example.ended
  await bridge.stop()
})

describe('of a directory', () => {
  test('patches lead from each state to the next, as JSON', { timeout: 120_000 }, async () => {
    const url = `file:${join(folder.path, 'log')}`
    await using cluster = await startSimulatedCluster({ bookmarkMs: 5 })
    await using bridged = await bridgeCluster(cluster, { url, resources: ['pods'] })
    const lives = cluster.life({ nodes: 2, deployments: 4 })
    lives.populate()
    for (let round = 0; round < 5; round += 1) {
      for (let step = 0; step < 100; step += 1) lives.step()
      // Changes of one object in one turn are one record.
      await bridged.settled()
    }

    await using example = startExample(commandOf(past, url, 'pods'))
    const { code, stderr } = await example.ended
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    const told = example.lines.map((line): Told => JSON.parse(line))
    const records = (await readTopic({ brokers: 'localhost:1', resource: 'pods', args: ['--from', url] })).filter(
      isRecord,
    )
    assert.deepEqual(
      told.map(({ op, key, resourceVersion }) => `${op} ${key} ${resourceVersion}`),
      records.map(({ op, key, resourceVersion }) => `${op} ${key} ${resourceVersion}`),
    )
    const states = new Map<string, Json>()
    for (const [index, { op, key, patch }] of told.entries()) {
      const after = op === 'DELETED' ? null : mergePatch(states.get(key) ?? {}, patch)
      states.set(key, after)
      const { object } = records[index] ?? {}
      assert.deepEqual(after, op === 'DELETED' || object === null || object === undefined ? null : bare(object), key)
    }
    assert.ok(told.some(({ op }) => op === 'UPDATED') && told.some(({ op }) => op === 'DELETED'))
  })
})

interface Told {
  readonly op: string
  readonly key: string
  readonly resourceVersion: string
  readonly patch: Json
}

/** As the patches see it. */
function bare(object: KubeObject): unknown {
  const { resourceVersion: _resourceVersion, ...metadata } = object.metadata
  return { ...object, metadata }
}

function commandOf(command: string, url: string, resources: string): string {
  return command
    .replace('kafka://localhost:9092', url)
    .replace('--cluster dev', `--cluster ${CLUSTER}`)
    .replace('deployments.apps configmaps', resources)
}
