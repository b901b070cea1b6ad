// needs: control-plane, helm
// A bridge with nothing but the rights that the chart gives its ServiceAccount: enough, and with any one less a clear end.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startBridge, kubedelta, CLUSTER, type BridgeProcess } from '../support/bridge-process.ts'
import { CHART, manifestsOf, NAMESPACE } from '../support/chart.ts'
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts'
import { helm } from '../support/helm.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { assertSameState, clusterState, readTopic } from '../support/topic-lines.ts'

const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('chart-rights'))

let plane: ControlPlane

/** An installed release: what its pod would start with. */
interface Installed {
  readonly name: string
  /** The configuration file of its ConfigMap. */
  readonly config: string
  /** Where its records go. */
  readonly to: string
  readonly token: string
  /** Path of a kubeconfig with the token of its ServiceAccount. */
  readonly kubeconfig: string
  /** What helm said. */
  readonly notes: string
}

before(async () => {
  plane = life.use(await startControlPlane())
  for (const namespace of ['shop', 'web']) {
    await plane.kubectl(['create', 'namespace', namespace])
    await plane.kubectl(['create', 'configmap', 'settings', '-n', namespace])
    await plane.kubectl(['create', 'deployment', 'cart', '--image=cart', '-n', namespace])
  }
})

after(() => life.disposeAsync())

describe('a bridge of two resources', () => {
  const resources = ['configmaps', 'deployments.apps']
  let release: Installed

  before(async () => {
    release = await install('chosen', { resources })
    await untilAllowed(release, '/api/v1/configmaps')
  })

  test('has rights enough to publish all of them, and knows the cluster by its UID', async () => {
    await using bridge = await open(release)
    const { stdout: uid } = await plane.kubectl(['get', 'ns', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])
    assert.ok(bridge.output().includes(`"clusterId":"${uid}"`), bridge.output())
    await bridge.stop()
    for (const resource of resources) {
      assertSameState(await readTopic({ ...topicOf(release), resource }), await clusterState(plane, resource))
    }
  })

  test('may do nothing else', async () => {
    const paths = ['/api/v1/secrets', '/api/v1/namespaces', '/api/v1/namespaces/kube-system/configmaps/absent']
    assert.deepEqual(await Promise.all(paths.map((path) => status(release, path))), [403, 403, 403])
  })

  for (const [resource, collection] of [
    ['configmaps', '/api/v1/configmaps'],
    ['deployments.apps', '/apis/apps/v1/deployments'],
  ] as const) {
    for (const verb of ['list', 'watch'] as const) {
      test(`that may not ${verb} ${resource} ends with 2 and says so`, async () => {
        const path = verb === 'list' ? collection : `${collection}?watch=1&timeoutSeconds=1`
        await using _ = await without(release, { resource, verb, path })
        const { code, stderr } = await run(release)
        const [plural] = resource.split('.')
        assert.match(
          stderr,
          new RegExp(`^kubedelta: Cannot ${verb} ${resource}: .*:chosen" cannot ${verb} resource "${plural}"`, 'm'),
        )
        assert.equal(code, 2)
      })
    }
  }

  test('that may no longer read kube-system refuses its own topics, with the ways out', async () => {
    await using _ = await without(release, {
      resource: 'namespaces',
      verb: 'get',
      path: '/api/v1/namespaces/kube-system',
    })
    const { code, stderr } = await run(release)
    assert.match(
      stderr,
      /^kubedelta: Cannot write to topic .*: it belongs to the cluster 'test' with id .*--adopt-topic$/m,
    )
    assert.equal(code, 2)
  })
})

test('a bridge of some namespaces has rights in these alone', async () => {
  const release = await install('confined', { clusterId: 'id', namespace: ['shop'], resources: ['configmaps'] })
  await untilAllowed(release, '/api/v1/namespaces/shop/configmaps')
  const paths = ['/api/v1/configmaps', '/api/v1/namespaces/web/configmaps', '/api/v1/namespaces/kube-system']
  assert.deepEqual(await Promise.all(paths.map((path) => status(release, path))), [403, 403, 403])
  const { stdout } = await plane.kubectl(['get', 'clusterroles', '-o', 'name'])
  assert.ok(!stdout.includes('confined'))
  await using bridge = await open(release)
  await bridge.stop()
  const topic = await readTopic({ ...topicOf(release), resource: 'configmaps' })
  assertSameState(topic, await clusterState(plane, 'configmaps', ['-n', 'shop']))
})

test("a bridge of '*' may list all that Kubernetes serves but Secrets, and helm's notes say what is left", async () => {
  const release = await install('whole', {})
  await untilAllowed(release, '/apis/apps/v1/deployments')
  assert.match(release.notes, /config\.resources has '\*': .*custom resources/)
  await using bridge = await open(release)
  const { text } = await bridge.get('/readyz?verbose')
  const { stdout } = await plane.kubectl(['api-resources', '--verbs=list,watch', '-o', 'name'])
  const left = ['secrets', 'leases.coordination.k8s.io', 'events']
  const wanted = stdout
    .trim()
    .split('\n')
    .filter((name) => !left.includes(name))
  const shown = [...text.matchAll(/^\[\+\](\S+) ok/gm)].map(([, name = '']) => name).filter((name) => name !== 'topics')
  assert.deepEqual(shown.toSorted(), wanted.toSorted())
  assert.doesNotMatch(text, /^\[-\]/m)
  assert.equal(await status(release, '/api/v1/secrets'), 403)
  await bridge.stop()
})

test('bridges that elect the one that writes may do so, and one that may not ends with 2', async () => {
  const release = await install('elected', { resources: ['configmaps'] }, { replicas: 2 })
  await untilAllowed(release, '/api/v1/configmaps')
  const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/kubedelta-${CLUSTER}`
  await untilStatus(release, path, 404)
  await using bridge = await open(release)
  assert.match((await bridge.get('/readyz?verbose')).text, /\[\+\]leader-election ok: leading/)
  await bridge.stop()
  await plane.kubectl(['delete', 'rolebinding', `${NAMESPACE}:elected:leader-election`, '-n', NAMESPACE])
  await untilStatus(release, path, 403)
  const { code, stderr } = await run(release)
  assert.match(stderr, /^kubedelta: Cannot read Lease .*:elected" cannot get resource "leases"/m)
  assert.equal(code, 2)
})

/** Installs the chart for real; without controllers no pod comes of it, and the bridge is started here in its place. */
async function install(name: string, config: object, more: object = {}): Promise<Installed> {
  const { kubectl } = plane
  const to = `file:${join(folder.path, name)}`
  const values = join(folder.path, `${name}-values.json`)
  writeFileSync(values, JSON.stringify({ to, cluster: CLUSTER, fullnameOverride: name, config, ...more }))
  const flags = ['-n', NAMESPACE, '--create-namespace', '-f', values]
  const installed = await helm(['install', name, CHART, ...flags], { home: folder, kubeconfig: plane.kubeconfig })
  assert.equal(installed.code, 0, installed.stderr)
  const path = 'jsonpath={.data.kubedelta\\.yaml}'
  const { stdout } = await kubectl(['get', 'configmap', name, '-n', NAMESPACE, '-o', path])
  const file = join(folder.path, `${name}.yaml`)
  writeFileSync(file, stdout)
  const created = await kubectl(['create', 'token', name, '-n', NAMESPACE])
  const token = created.stdout.trim()
  const kubeconfig = plane.kubeconfigFor(name, token)
  return { name, config: file, to, token, kubeconfig, notes: installed.stdout }
}

async function open({ config, to, kubeconfig }: Installed): Promise<BridgeProcess> {
  // Nothing listens at that broker: the `--to` given last wins.
  const bridge = await startBridge({ brokers: 'localhost:1', kubeconfig, args: ['--to', to, '--config', config] })
  await bridge.ready()
  return bridge
}

/** Runs a bridge that is to end by itself. */
function run({ config, kubeconfig }: Installed): ReturnType<typeof kubedelta> {
  return kubedelta(['run', '--config', config, '--kubeconfig', kubeconfig, '--metrics-listen', '127.0.0.1:0'])
}

function topicOf({ to }: Installed) {
  return { brokers: 'localhost:1', args: ['--from', to] }
}

async function status({ token }: Installed, path: string): Promise<number> {
  return (await plane.request(path, { token })).status
}

/** The authorizer follows roles and bindings by a watch of its own. */
async function untilAllowed(release: Installed, path: string): Promise<void> {
  await untilStatus(release, path, 200)
}

async function untilStatus(release: Installed, path: string, wanted: 200 | 403 | 404): Promise<void> {
  const answer = async (): Promise<void> => assert.equal(await status(release, path), wanted)
  await ready(answer, { what: `${wanted} for ${path}` })
}

interface Right {
  /** plural[.group] */
  readonly resource: string
  readonly verb: string
  /** A request that needs the right. */
  readonly path: string
}

/** Takes one right out of the release's ClusterRole until disposed. */
async function without(release: Installed, { resource, verb, path }: Right): Promise<AsyncDisposable> {
  const { kubectl } = plane
  const name = `${NAMESPACE}:${release.name}`
  const { stdout } = await kubectl(['get', 'clusterrole', name, '-o', 'yaml'])
  const [role] = manifestsOf(stdout)
  assert.ok(role?.kind === 'ClusterRole')
  const [plural, group = ''] = resource.split('.')
  const rules = role.rules.map((rule) =>
    rule.apiGroups.includes(group) && rule.resources.includes(plural ?? '') && rule.verbs.includes(verb)
      ? { ...rule, verbs: rule.verbs.filter((each) => each !== verb) }
      : rule,
  )
  assert.notDeepEqual(rules, role.rules)
  const patch = (rules: object): Promise<unknown> =>
    kubectl(['patch', 'clusterrole', name, '--type=merge', '-p', JSON.stringify({ rules })])
  await patch(rules.filter(({ verbs }) => verbs.length > 0))
  await untilStatus(release, path, 403)
  return {
    async [Symbol.asyncDispose]() {
      await patch(role.rules)
      await untilStatus(release, path, 200)
    },
  }
}
