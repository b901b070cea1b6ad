// needs: kafka, control-plane, openssl
// Credentials that are renewed while the bridge runs: a client certificate, what an exec plugin hands out.

import assert from 'node:assert/strict'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { configMap } from '../support/cluster-objects.ts'
import { kubeconfigText } from '../support/control-plane-config.ts'
import { CertificateAuthority, type CertificateFiles } from '../support/kafka-certificates.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { assertLives, clusterState } from '../support/topic-lines.ts'

let story: BridgeStory
let folder: string
let authorities: readonly [first: CertificateAuthority, second: CertificateAuthority]
const life = new AsyncDisposableStack()

/** A cluster that knows users by certificate, of whom `bridge` may read ConfigMaps; so may its ServiceAccount. */
before(async () => {
  folder = life.use(temporaryFolder('renewed')).path
  authorities = [
    await CertificateAuthority.create(folder, 'first'),
    await CertificateAuthority.create(folder, 'second'),
  ]
  trust(authorities)
  story = life.use(await startStory({ plane: { apiserverArgs: [`--client-ca-file=${trusted()}`] } }))
  const { plane } = story
  const { kubectl } = plane
  await kubectl(['create', 'clusterrole', 'read', '--verb=get,list,watch', '--resource=configmaps,namespaces'])
  const subjects = ['--user=bridge', '--serviceaccount=default:bridge']
  await kubectl(['create', 'clusterrolebinding', 'read', '--clusterrole=read', ...subjects])
  const kubeconfig = plane.kubeconfigFor('account', await plane.tokenFor('bridge', 'default'))
  await ready(() => kubectl(['get', 'configmaps,namespaces', '-A'], { kubeconfig }), { what: 'the permissions' })
})

after(() => life.disposeAsync())

describe('a client certificate', () => {
  test('that is replaced while the old one is valid is shown from then on, once its key stands there too', async () => {
    show(await authorities[0].issue({ name: 'bridge' }))
    await using bridge = await startShowing()
    const { cert, key } = await authorities[1].issue({ name: 'bridge' })
    trust([authorities[1]])
    // Between the two renames of whoever renews it.
    copyFileSync(cert, shown().certificate)
    await restart()
    await ready(async () => assert.match(bridge.output(), /key values mismatch/), {
      what: 'a certificate without its key',
    })
    assert.equal((await bridge.get('/livez')).status, 200)
    await makeConfigMap('between')
    copyFileSync(key, shown().key)
    await assertEqual()
    assert.doesNotMatch(bridge.output(), /Unauthorized/)
    await bridge.stop()
  })

  test('that is no longer believed degrades what is read by it until a valid one stands there', async () => {
    show(await authorities[1].issue({ name: 'bridge' }))
    await using bridge = await startShowing()
    trust([authorities[0]])
    await restart()
    await until(bridge, /^\[-\]configmaps failed: degraded: .*Unauthorized/m)
    await makeConfigMap('while-refused')
    show(await authorities[0].issue({ name: 'bridge' }))
    await until(bridge, /^\[\+\]configmaps ok$/m)
    await assertEqual()
    await bridge.stop()
  })

  function startShowing(): Promise<BridgeProcess> {
    const user = { 'client-certificate': shown().certificate, 'client-key': shown().key }
    return story.bridge(['-r', 'configmaps'], { kubeconfig: kubeconfigOf(user) })
  }

  function show({ cert, key }: CertificateFiles): void {
    copyFileSync(cert, shown().certificate)
    copyFileSync(key, shown().key)
  }

  function shown(): { readonly certificate: string; readonly key: string } {
    return { certificate: join(folder, 'shown.pem'), key: join(folder, 'shown.key') }
  }
})

test('an exec plugin is asked again when its token has expired, and when it was revoked before', async () => {
  const plugin = writePlugin()
  plugin.handsOut(await story.plane.tokenFor('bridge', 'default'), new Date(Date.now() + 1_000))
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin.path, interactiveMode: 'Never' }
  await using bridge = await story.bridge(['-r', 'configmaps'], { kubeconfig: kubeconfigOf({ exec }) })

  plugin.handsOut(await story.plane.tokenFor('bridge', 'default'), new Date(Date.now() + 3_600_000))
  await restart()
  await makeConfigMap('expired')
  await assertEqual()
  const renewed = plugin.runs()
  assert.ok(renewed >= 2, `${renewed} runs`)
  assert.doesNotMatch(bridge.output(), /Unauthorized/)

  await restart()
  await makeConfigMap('not-expired')
  await assertEqual()
  assert.equal(plugin.runs(), renewed)

  await story.plane.kubectl(['delete', 'serviceaccount', 'bridge'])
  plugin.handsOut(await story.plane.tokenFor('bridge', 'default'), new Date(Date.now() + 3_600_000))
  await restart()
  await makeConfigMap('revoked')
  await assertEqual()
  assert.ok(plugin.runs() > renewed)
  await bridge.stop()
})

interface Plugin {
  readonly path: string
  handsOut(token: string, expires: Date): void
  runs(): number
}

/** A plugin that prints what it was given, and notes each run. */
function writePlugin(): Plugin {
  const [path, answer, notes] = ['plugin', 'plugin.json', 'plugin.runs'].map((name) => join(folder, name))
  assert.ok(path !== undefined && answer !== undefined && notes !== undefined)
  writeFileSync(path, `#!/bin/sh\necho run >> '${notes}'\ncat '${answer}'\n`, { mode: 0o700 })
  return {
    path,
    handsOut(token, expires) {
      const status = { token, expirationTimestamp: expires.toISOString() }
      const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }
      writeFileSync(answer, JSON.stringify(credential), { mode: 0o600 })
    },
    runs: () => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').length : 0),
  }
}

function kubeconfigOf(user: object): string {
  const { server, caFile } = story.plane
  const config: { users: object[] } = JSON.parse(kubeconfigText(server, caFile, 'bridge', ''))
  config.users = [{ name: 'bridge', user }]
  const path = join(folder, 'kubeconfig')
  writeFileSync(path, JSON.stringify(config))
  return path
}

/** Whose certificates the apiserver believes, from its next start at the latest. */
function trust(some: readonly CertificateAuthority[]): void {
  writeFileSync(trusted(), some.map(({ text }) => text).join(''))
}

function trusted(): string {
  return join(folder, 'trusted.pem')
}

/** As a crash: it ends all connections and watches, and forgets which tokens it has believed. */
async function restart(): Promise<void> {
  await story.plane.killApiserver()
  await story.plane.startApiserver()
}

async function makeConfigMap(name: string): Promise<void> {
  await story.create('/api/v1/namespaces/default/configmaps', [configMap(name)])
}

async function assertEqual(): Promise<void> {
  await using topic = story.follow('configmaps')
  await topic.untilEqual(await clusterState(story.plane, 'configmaps'))
  assertLives(topic.lines)
}

async function until(bridge: BridgeProcess, text: RegExp): Promise<void> {
  const what = `/readyz?verbose to say ${text.source}`
  await ready(async () => assert.match((await bridge.get('/readyz?verbose')).text, text), { what })
}
