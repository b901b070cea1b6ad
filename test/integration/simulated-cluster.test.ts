// needs: control-plane
// One table of requests goes to the simulated cluster and to a real apiserver; the answers must be the same but for a list of known differences.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { differences, Side, type Answered, type Ask, type ComparedRequest } from './simulated-compare.ts'
import { KNOWN_DIFFERENCES, STORIES } from './simulated-requests.ts'

let plane: ControlPlane
let cluster: SimulatedCluster
let sides: { readonly simulated: Side; readonly real: Side }
const life = new AsyncDisposableStack()
const used = new Set<RegExp>()

before(async () => {
  plane = life.use(await startControlPlane())
  cluster = life.use(await startSimulatedCluster({ seed: 1 }))
  const askReal: Ask = ({ path, headers, ...request }) => {
    // Node frames the body of a DELETE only if it is told its length.
    const length =
      request.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(JSON.stringify(request.body))) }
    return plane.request(path, { ...request, headers: { ...headers, ...length } })
  }
  sides = { simulated: new Side(askSimulated), real: new Side(askReal) }
})

after(() => life.disposeAsync())

const askSimulated: Ask = async ({ path, method = 'GET', body, headers }) => {
  const answer = await fetch(new URL(path, cluster.url), {
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: await answer.text() }
}

describe('the simulated cluster answers as a real apiserver does', () => {
  for (const [story, requests] of Object.entries(STORIES)) {
    test(story, async () => {
      const found: string[] = []
      for (const batch of batches(requests)) {
        const each = await Promise.all(
          batch.map(async (request) => {
            const { simulated, real } = await both(request)
            return differences(request.name, simulated, real)
          }),
        )
        found.push(...each.flat())
      }
      assert.deepEqual(found.filter(isUnknown), [])
    })
  }

  test('discovery', async () => {
    for (const path of ['/api/v1', '/apis/apps/v1', '/apis/batch/v1', '/apis/apiextensions.k8s.io/v1']) {
      const { simulated, real } = await both({ name: path, path })
      const served = new Map(resourcesOf(real).map((resource) => [resource.name, resource]))
      for (const { name, ...facts } of resourcesOf(simulated)) {
        const { storageVersionHash: _hash, name: _name, ...wanted } = served.get(name) ?? { name }
        assert.deepEqual(facts, wanted, name)
      }
    }
  })

  for (const path of ['/api', '/apis']) {
    test(`aggregated discovery of ${path}`, async () => {
      const request = {
        name: path,
        path,
        headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' },
      }
      const { simulated, real } = await both(request)
      const served = new Map(discoveredOf(real))
      for (const [name, facts] of discoveredOf(simulated)) assert.deepEqual(facts, served.get(name), name)
    })
  }

  test('a watch from before what is remembered', async () => {
    // A watch cache begins empty.
    await plane.restartApiserver()
    cluster.expireHistory()
    const path = '/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1&resourceVersion={old}'
    const { simulated, real } = await both({ name: 'watch', path })
    assert.deepEqual(differences('watch', simulated, real), [])
    assert.match(simulated.body, /"type":"ERROR".*"reason":"Expired".*"code":410/)
  })

  test('every known difference is still one', () => {
    const stale = KNOWN_DIFFERENCES.filter(({ pattern }) => !used.has(pattern)).map(({ why }) => why)
    assert.deepEqual(stale, [])
  })
})

describe('kubectl', () => {
  test('creates, reads, changes and deletes objects of a simulated cluster', async () => {
    using folder = temporaryFolder('simulated')
    const kubeconfig = join(folder.path, 'kubeconfig')
    writeFileSync(kubeconfig, cluster.kubeconfig)
    const kubectl = async (args: readonly string[], stdin = ''): Promise<string> =>
      (await plane.kubectl(args, { kubeconfig, stdin })).stdout.trim()
    const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { color: 'blue' } }
    assert.equal(await kubectl(['create', '-f', '-'], JSON.stringify(manifest)), 'configmap/settings created')
    const renewed = { ...manifest, data: { color: 'red' } }
    assert.equal(
      await kubectl(['apply', '--overwrite', '-f', '-'], JSON.stringify(renewed)),
      'configmap/settings configured',
    )
    assert.equal(await kubectl(['label', 'cm', 'settings', 'app=shop']), 'configmap/settings labeled')
    assert.equal(await kubectl(['get', 'cm', '-l', 'app=shop', '-o', 'jsonpath={.items[*].data.color}']), 'red')
    assert.match(await kubectl(['get', 'namespaces']), /^NAME +AGE\ndefault /)
    // Newer ones say from which namespace.
    assert.match(await kubectl(['delete', 'cm', 'settings']), /^configmap "settings" deleted/)
    assert.equal(await kubectl(['get', 'cm', '-o', 'name']), '')
    assert.match(await kubectl(['api-resources', '-o', 'name']), /^deployments.apps$/m)
    assert.match(await kubectl(['version']), /^Server Version: v1.36.0$/m)
  })
})

async function both(request: ComparedRequest): Promise<{ readonly simulated: Answered; readonly real: Answered }> {
  const [simulated, real] = await Promise.all([sides.simulated.send(request), sides.real.send(request)])
  return { simulated, real }
}

function isUnknown(difference: string): boolean {
  const known = KNOWN_DIFFERENCES.find(({ pattern }) => pattern.test(difference))
  if (known !== undefined) used.add(known.pattern)
  return known === undefined
}

/** Requests that may be sent at once: those that only read, and give nothing to later ones. */
function batches(requests: readonly ComparedRequest[]): readonly ComparedRequest[][] {
  const together: ComparedRequest[][] = []
  let reading: ComparedRequest[] | undefined
  for (const request of requests) {
    const isReading = request.method === undefined && request.keep === undefined
    if (isReading && reading !== undefined) reading.push(request)
    else together.push((reading = [request]))
    if (!isReading) reading = undefined
  }
  return together
}

function resourcesOf({ body }: Answered): ReadonlyArray<Readonly<Record<string, unknown>> & { readonly name: string }> {
  return JSON.parse(body).resources
}

/** `group/version/resource` -> what aggregated discovery says of it, without the subresources that are not simulated. */
function discoveredOf({ body }: Answered): ReadonlyArray<readonly [string, unknown]> {
  const document: Discovered = JSON.parse(body)
  return document.items.flatMap(({ metadata, versions }) =>
    versions.flatMap(({ version, freshness, resources }) =>
      resources.map(({ subresources = [], ...facts }) => {
        const status = subresources.filter(({ subresource }) => subresource === 'status')
        return [`${metadata.name ?? ''}/${version}/${facts.resource}`, { freshness, ...facts, status }] as const
      }),
    ),
  )
}

interface Discovered {
  readonly items: ReadonlyArray<{
    readonly metadata: { readonly name?: string }
    readonly versions: ReadonlyArray<{
      readonly version: string
      readonly freshness: string
      readonly resources: ReadonlyArray<{
        readonly resource: string
        readonly subresources?: ReadonlyArray<{ readonly subresource: string }>
      }>
    }>
  }>
}
