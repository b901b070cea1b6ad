// needs: control-plane
// examples/pods-service, run as its README says: right answers, no request at the apiserver, no start without data.

import assert from 'node:assert/strict'
import { Agent, get } from 'node:http'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { deployment, pod } from '../support/cluster-objects.ts'
import { startControlPlane } from '../support/control-plane.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import { readmeCommands, startExample } from '../support/example-process.ts'
import type { ExampleProcess } from '../support/example-process.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { startApiserverProxy } from '../support/apiserver-proxy.ts'
import type { ApiserverProxy } from '../support/apiserver-proxy.ts'

const READS = 10_000
const KAFKA = 'kafka://localhost:9092'
const [fromApiserver = '', bridge = '', fromTopics = ''] = readmeCommands('pods-service')
const NODE_IP = '10.0.0.7'

const life = new AsyncDisposableStack()
const agent = new Agent({ keepAlive: true, maxSockets: 8 })
let plane: ControlPlane
let proxy: ApiserverProxy
let service: ExampleProcess
const urls = { apiserver: '', topics: '' }
let url = ''

async function urlOf(serving: ExampleProcess): Promise<string> {
  return (await serving.line((line) => line.startsWith('serving '))).split(' on ')[1] ?? ''
}

before(async () => {
  plane = life.use(await startControlPlane())
  for (const namespace of ['shop', 'web']) {
    await plane.kubectl(['create', 'namespace', namespace])
    for (const name of ['cart', 'till']) {
      await plane.kubectl(['apply', '-n', namespace, '-f', '-'], { stdin: JSON.stringify(deployment(name, 1)) })
    }
    await createPod(namespace, 'agent', NODE_IP)
    await createPod(namespace, 'plain', namespace === 'shop' ? '10.1.0.1' : '10.1.0.2')
  }
  proxy = life.use(await startApiserverProxy(plane))
  service = life.use(startExample(fromApiserver, { KUBECONFIG: proxy.kubeconfig, PORT: '0' }))
  life.defer(() => agent.destroy())
  urls.apiserver = await urlOf(service)

  // The embedded log stands in for the Kafka of the README.
  const log = `file:${life.use(temporaryFolder('topics')).path}`
  const command = bridge.replace(KAFKA, log)
  const publishing = life.use(startExample(`${command} --metrics-listen 127.0.0.1:0`, { KUBECONFIG: plane.kubeconfig }))
  for (const resource of ['pods', 'deployments.apps']) {
    await publishing.line((line) => line.includes('"msg":"synced"') && line.includes(`"resource":"${resource}"`))
  }
  urls.topics = await urlOf(life.use(startExample(fromTopics.replace(KAFKA, log), { PORT: '0' })))
})

after(() => life.disposeAsync())

/** A pod of node-7 with the status that its kubelet would report. */
async function createPod(namespace: string, name: string, podIP: string): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods`
  const manifest: { readonly spec?: object } = pod(name, namespace)
  const spec = { ...manifest.spec, nodeName: 'node-7', hostNetwork: podIP === NODE_IP }
  const created = await plane.request(path, { method: 'POST', body: { ...manifest, spec } })
  assert.equal(created.status, 201, created.body)
  const status = {
    phase: 'Running',
    hostIP: NODE_IP,
    hostIPs: [{ ip: NODE_IP }],
    podIP,
    podIPs: [{ ip: podIP }],
  }
  const current: object = JSON.parse(created.body)
  const updated = await plane.request(`${path}/${name}/status`, { method: 'PUT', body: { ...current, status } })
  assert.equal(updated.status, 200, updated.body)
}

async function ask(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  return await new Promise((resolve, reject) => {
    get(`${url}${path}`, { agent }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(body) }), reject)
    }).once('error', reject)
  })
}

async function podsAt(path: string): Promise<string[]> {
  const { body } = await ask(path)
  assert.ok(Array.isArray(body))
  return body.map(({ namespace, name }: Record<string, string>) => `${namespace}/${name}`).toSorted()
}

for (const fed of ['apiserver', 'topics'] as const) {
  describe(`fed by ${fed}`, () => {
    before(() => {
      url = urls[fed]
    })

    test('pods of all namespaces and of one', async () => {
      assert.deepEqual(await podsAt('/pods'), ['shop/agent', 'shop/plain', 'web/agent', 'web/plain'])
      assert.deepEqual(await podsAt('/pods?namespace=shop'), ['shop/agent', 'shop/plain'])
      assert.deepEqual(await podsAt('/pods?namespace=absent'), [])
    })

    test('pods by IP: all of a node, one by its own, several by that of the node whose network they share', async () => {
      assert.deepEqual(await podsAt(`/pods?nodeIP=${NODE_IP}`), ['shop/agent', 'shop/plain', 'web/agent', 'web/plain'])
      assert.deepEqual(await podsAt('/pods?podIP=10.1.0.1'), ['shop/plain'])
      assert.deepEqual(await podsAt(`/pods?podIP=${NODE_IP}`), ['shop/agent', 'web/agent'])
    })

    test('names of the deployments of a namespace', async () => {
      const { body } = await ask('/deployments?namespace=web')
      assert.ok(Array.isArray(body))
      assert.deepEqual(body.map(String).toSorted(), ['cart', 'till'])
    })

    test('what it does not serve is not found', async () => {
      assert.equal((await ask('/secrets')).status, 404)
    })
  })
}

describe('fed by the apiserver alone', () => {
  before(() => {
    url = urls.apiserver
  })

  test(`no request reaches the apiserver over ${READS} reads`, async () => {
    const before = proxy.sent()
    assert.ok(before.connections > 0 && before.bytes > 0)
    const paths = ['/pods', '/pods?namespace=shop', `/pods?podIP=${NODE_IP}`, '/deployments?namespace=web']
    let next = 0
    async function read(): Promise<void> {
      while (next < READS) {
        const { status } = await ask(paths[next++ % paths.length] ?? '')
        assert.equal(status, 200)
      }
    }
    await Promise.all(Array.from({ length: 8 }, read))
    assert.deepEqual(proxy.sent(), before)
  })

  test('a change in the cluster is in the next answers', async () => {
    await createPod('shop', 'late', '10.1.0.9')
    for (;;) {
      const { body } = await ask('/pods?podIP=10.1.0.9')
      if (Array.isArray(body) && body.length === 1) break
    }
  })

  test('it ends without a complaint when it is told to', async () => {
    service.interrupt()
    assert.equal((await service.ended).stderr, '')
  })

  test('it refuses to start when its caches have not synced in 3 seconds', async () => {
    plane.pauseApiserver()
    try {
      await using late = startExample(fromApiserver, { KUBECONFIG: plane.kubeconfig, PORT: '0' })
      const { code, stderr } = await late.ended
      assert.equal(code, 1)
      assert.match(stderr, /pods-service: cannot serve: wanted pods and deployments within 3 s/)
      assert.ok(!late.lines.some((line) => line.startsWith('serving ')))
    } finally {
      plane.resumeApiserver()
    }
  })
})
