// needs: kafka, control-plane
// What the apiserver withdraws for a while: a permission, a token, an answer at all.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { kubeconfigText } from '../support/control-plane-config.ts'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { configMap } from '../support/cluster-objects.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { assertLives, clusterState, type TopicFollower } from '../support/topic-lines.ts'

let story: BridgeStory
let bridge: BridgeProcess
let tokenFile: string
const life = new AsyncDisposableStack()

/** A ServiceAccount that may read ConfigMaps and services, and a kubeconfig with its token in a file. */
before(async () => {
  story = life.use(await startStory())
  const { plane } = story
  const { kubectl } = plane
  await kubectl(['create', 'serviceaccount', 'bridge'])
  for (const resource of ['configmaps', 'services', 'namespaces']) {
    await kubectl(['create', 'clusterrole', resource, '--verb=get,list,watch', `--resource=${resource}`])
    await grant(resource)
  }
  const folder = life.use(temporaryFolder('permissions')).path
  tokenFile = join(folder, 'token')
  await writeToken()
  const config: { users: object[] } = JSON.parse(kubeconfigText(plane.server, plane.caFile, 'bridge', ''))
  config.users = [{ name: 'bridge', user: { tokenFile } }]
  const kubeconfig = join(folder, 'kubeconfig')
  writeFileSync(kubeconfig, JSON.stringify(config))
  await ready(() => kubectl(['get', 'services,configmaps,namespaces', '-A'], { kubeconfig }), {
    what: 'the permissions',
  })
  bridge = life.use(await story.bridge(['-r', 'configmaps,services'], { kubeconfig }))
})

after(() => life.disposeAsync())

test('a permission that is withdrawn leaves one resource degraded, and the other going on, until it is back', async () => {
  await story.plane.kubectl(['delete', 'clusterrolebinding', 'configmaps'])
  // An open watch outlasts the permission: it is refused when it is opened anew.
  await restart()
  await until(/^\[-\]configmaps failed: degraded: Cannot (list|watch) configmaps: .*forbidden/m)
  assert.equal((await bridge.get('/readyz')).status, 200)
  assert.equal(await bridge.metric('kubedelta_synced', { resource: 'configmaps' }), 0)
  await makeService('meanwhile')
  await using services = story.follow('services')
  await equals(services, 'services')
  await makeConfigMap('meanwhile')
  await grant('configmaps')
  await until(/^\[\+\]configmaps ok$/m)
  assert.equal(await bridge.metric('kubedelta_synced', { resource: 'configmaps' }), 1)
  await using topic = story.follow('configmaps')
  await equals(topic, 'configmaps')
})

test('a token that is revoked is replaced by the one that stands in its file', async () => {
  await story.plane.kubectl(['delete', 'serviceaccount', 'bridge'])
  await restart()
  await until(/^\[-\]configmaps failed: degraded: .*Unauthorized/m)
  await makeConfigMap('while-unauthorized')
  await story.plane.kubectl(['create', 'serviceaccount', 'bridge'])
  await writeToken()
  await until(/^\[\+\]configmaps ok$/m)
  await using topic = story.follow('configmaps')
  await equals(topic, 'configmaps')
})

test('an apiserver that stands still, crashes, or is restarted again and again costs no object', async () => {
  const { plane } = story
  await makeConfigMap('before-pause')
  plane.pauseApiserver()
  // Half-open connections: they are there, and nothing comes.
  assert.equal((await bridge.get('/livez')).status, 200)
  plane.resumeApiserver()
  await makeConfigMap('after-pause')
  for (const round of [1, 2]) {
    await plane.killApiserver()
    await plane.startApiserver()
    await makeConfigMap(`crash-${round}`)
    await plane.kubectl(['delete', 'configmap', round === 1 ? 'before-pause' : 'crash-1'])
  }
  await using topic = story.follow('configmaps')
  await equals(topic, 'configmaps')
  await bridge.stop()
})

/** As a crash: an apiserver that is told to end waits for its watches. */
async function restart(): Promise<void> {
  await story.plane.killApiserver()
  await story.plane.startApiserver()
}

async function grant(resource: string): Promise<void> {
  const role = `--clusterrole=${resource}`
  await story.plane.kubectl(['create', 'clusterrolebinding', resource, role, '--serviceaccount=default:bridge'])
}

async function writeToken(): Promise<void> {
  writeFileSync(tokenFile, await story.plane.tokenFor('bridge', 'default'))
}

async function makeConfigMap(name: string): Promise<void> {
  await story.create('/api/v1/namespaces/default/configmaps', [configMap(name)])
}

async function makeService(name: string): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } }
  await story.create('/api/v1/namespaces/default/services', [body])
}

async function equals(topic: TopicFollower, resource: string): Promise<void> {
  // After failures in a row a watch and the list behind it wait up to a minute each, as client-go's do.
  await topic.untilEqual(await clusterState(story.plane, resource), 150_000)
  assertLives(topic.lines)
}

async function until(text: RegExp): Promise<void> {
  const what = `/readyz?verbose to say ${text.source}`
  await ready(async () => assert.match((await bridge.get('/readyz?verbose')).text, text), { what })
}
