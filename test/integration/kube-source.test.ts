// needs: control-plane
// A real kube-apiserver through the client and the HTTP source: discovery, lists, watches, and each way they end.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { hasCode } from '../../src/base/errors.ts'
import { silentLogger } from '../../src/base/log.ts'
import { everything, findResource, type Catalogue } from '../../src/kube/catalogue.ts'
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts'
import { loadCredentials, type CredentialsOptions } from '../../src/kube/credentials.ts'
import { discover } from '../../src/kube/discovery.ts'
import { readClusterId } from '../../src/kube/identity.ts'
import { statusError } from '../../src/kube/status-error.ts'
import { apiVersionOf, resourceName } from '../../src/object/resource.ts'
import { createHttpSource } from '../../src/watch/http-source.ts'
import type { ListFrame, ListRequest, ListWatch, WatchFrame, WatchRequest } from '../../src/watch/source.ts'
import { CART_DEFINITION } from '../support/cluster-objects.ts'
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { collect } from '../unit/kube/collect.ts'

let plane: ControlPlane
let client: KubeClient
let catalogue: Catalogue
const life = new AsyncDisposableStack()
const signal = AbortSignal.timeout(240_000)

function clientOf(options: Partial<CredentialsOptions>): KubeClient {
  const credentials = loadCredentials({ env: {}, ...options })
  return createKubeClient({ credentials, userAgent: 'kubedelta/test', clock: systemClock, log: silentLogger })
}

before(async () => {
  plane = life.use(await startControlPlane())
  client = life.use(clientOf({ kubeconfig: plane.kubeconfig }))
  await plane.kubectl(['create', 'namespace', 'shop'])
  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(CART_DEFINITION) })
  await plane.kubectl(['wait', '--for=condition=Established', 'crd/carts.shop.example.com'])
  await plane.kubectl(['apply', '-n', 'shop', '-f', '-'], { stdin: manifests(0, 7) })
  catalogue = await discover(client, signal)
})

after(() => life.disposeAsync())

/** Config maps and carts, as one List. */
function manifests(from: number, to: number): string {
  const names = Array.from({ length: to - from }, (_, index) => `n${from + index}`)
  const items = names.flatMap((name) => [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, labels: { app: name } },
      data: { text: 'ü "quoted" \\ \u2028 <tag>' },
    },
    {
      apiVersion: 'shop.example.com/v1',
      kind: 'Cart',
      metadata: { name },
      spec: { big: 9_007_199_254_740_991, list: [{ kind: 'x' }, null], kind: 'inner' },
    },
  ])
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

function sourceOf(
  resource: string,
  more: { readonly client?: KubeClient; readonly labelSelector?: string } = {},
): ListWatch {
  return createHttpSource({ client, resource: findResource(catalogue, resource), namespace: 'shop', ...more })
}

async function list(
  source: ListWatch,
  request: ListRequest,
): Promise<{
  readonly objects: ReadonlyMap<string, string>
  readonly page: ListFrame & { readonly kind: 'page' }
}> {
  const frames = (await collect(source.list(request, signal))).flat()
  const page = frames.at(-1)
  assert.ok(page?.kind === 'page')
  const items = frames.filter((frame) => frame.kind === 'item').map(({ object }) => object)
  return { page, objects: new Map(items.map((object) => [object.name, object.bytes.toString()])) }
}

/** The frames of a watch up to and with the first that is `last`; then the watch is left. */
async function watchUntil(
  source: ListWatch,
  request: Omit<WatchRequest, 'timeoutSeconds'>,
  last: (frame: WatchFrame) => boolean,
): Promise<readonly WatchFrame[]> {
  const seen: WatchFrame[] = []
  for await (const frames of source.watch({ timeoutSeconds: 60, ...request }, signal)) {
    seen.push(...frames)
    if (frames.some(last)) break
  }
  return seen
}

function rejectsWith(...codes: ReadonlyArray<Parameters<typeof hasCode>[1]>): (error: unknown) => boolean {
  return (error) => hasCode(error, ...codes)
}

describe('discovery', () => {
  for (const name of ['carts', 'cart', 'Cart', 'ct', 'carts.shop.example.com', 'ct.v1.shop.example.com']) {
    test(`finds a custom resource as ${name}`, () => {
      assert.equal(resourceName(findResource(catalogue, name)), 'carts.shop.example.com')
    })
  }

  test('finds what kubectl finds for a name of several groups', async () => {
    for (const name of ['events', 'ev', 'deploy', 'Node', 'crd', 'cm', 'ns', 'clusterrole', 'sa']) {
      const found = findResource(catalogue, name)
      const { stderr } = await plane.kubectl(['get', name, '-v=6'])
      const scope = found.namespaced ? '/namespaces/default' : ''
      const path = `${found.group === '' ? '/api/' : '/apis/'}${apiVersionOf(found)}${scope}/${found.resource}?`
      assert.ok(stderr.includes(path), `${name}: ${path} in ${stderr}`)
    }
  })

  test('gives everything that can be watched, but no secrets, leases or core events', async () => {
    const { stdout } = await plane.kubectl(['api-resources', '--verbs=list,watch', '-o', 'name'])
    const expected = new Set(stdout.trim().split('\n'))
    for (const left of ['secrets', 'leases.coordination.k8s.io', 'events']) expected.delete(left)
    assert.deepEqual(everything(catalogue).map(resourceName).toSorted(), [...expected].toSorted())
  })

  test('tells the cluster by the UID of kube-system, or its signing keys', async () => {
    const { stdout } = await plane.kubectl(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])
    assert.equal(await readClusterId(client, signal), stdout)
    const grant = ['create', 'clusterrolebinding', 'issuer', '--clusterrole=system:service-account-issuer-discovery']
    const token = await plane.tokenFor('reader', 'shop')
    await plane.kubectl([...grant, '--serviceaccount=shop:reader'])
    await using reader = clientOf({ kubeconfig: plane.kubeconfigFor('reader', token) })
    assert.match(await readClusterId(reader, signal), /^jwks:[0-9a-f]{64}$/)
  })
})

for (const resource of ['configmaps', 'carts.shop.example.com']) {
  describe(resource, () => {
    test('LIST and WATCH give the same bytes of one resourceVersion', async () => {
      const source = sourceOf(resource)
      const { objects } = await list(source, { resourceVersion: '' })
      const request = { resourceVersion: '', sendInitialEvents: true }
      const frames = await watchUntil(source, request, (frame) => frame.kind === 'bookmark' && frame.initialEventsEnd)
      const added = frames.flatMap((frame) => (frame.kind === 'added' ? [frame.object] : []))
      assert.ok(added.length >= 7)
      assert.deepEqual(new Map(added.map((object) => [object.name, object.bytes.toString()])), objects)
    })

    test('pages hold everything once', async () => {
      const source = sourceOf(resource)
      const names: string[] = []
      let token = ''
      let pages = 0
      do {
        const { objects, page } = await list(source, {
          resourceVersion: '',
          limit: 3,
          ...(token && { continue: token }),
        })
        names.push(...objects.keys())
        token = page.continue
        pages += 1
      } while (token !== '')
      const whole = await list(source, { resourceVersion: '' })
      assert.deepEqual(names, [...whole.objects.keys()])
      assert.equal(pages, Math.ceil(names.length / 3))
    })

    test('changes after a list are watched in order', async () => {
      const source = sourceOf(resource)
      const { page } = await list(source, { resourceVersion: '' })
      await plane.kubectl(['label', resource, 'n0', '-n', 'shop', 'step=one'])
      await plane.kubectl(['label', resource, 'n0', '-n', 'shop', 'step=two', '--overwrite'])
      await plane.kubectl(['delete', resource, 'n1', '-n', 'shop'])
      const frames = await watchUntil(source, page, (frame) => frame.kind === 'deleted')
      const told = frames.map((frame) => ('object' in frame ? `${frame.kind} ${frame.object.name}` : frame.kind))
      assert.deepEqual(
        told.filter((kind) => kind !== 'bookmark'),
        ['modified n0', 'modified n0', 'deleted n1'],
      )
    })
  })
}

test('a selector is the scope of list and watch', async () => {
  const source = sourceOf('cm', { labelSelector: 'app in (n2,n3)' })
  const { objects } = await list(source, { resourceVersion: '' })
  assert.deepEqual([...objects.keys()], ['n2', 'n3'])
  const request = { resourceVersion: '', sendInitialEvents: true }
  const frames = await watchUntil(source, request, (frame) => frame.kind === 'bookmark')
  assert.deepEqual(
    frames.map(({ kind }) => kind),
    ['added', 'added', 'bookmark'],
  )
})

test('a selector that the apiserver refuses is a refusal of the server', async () => {
  const source = createHttpSource({ client, resource: findResource(catalogue, 'cm'), fieldSelector: 'data.x=1' })
  await assert.rejects(list(source, { resourceVersion: '' }), rejectsWith('server'))
})

test('a resourceVersion that is not reached yet is too large: a refusal of a list, an event of a watch', async () => {
  const source = sourceOf('cm')
  await assert.rejects(list(source, { resourceVersion: '999999999' }), rejectsWith('too-large-resource-version'))
  const [frame] = await watchUntil(source, { resourceVersion: '999999999', sendInitialEvents: true }, () => true)
  assert.ok(frame?.kind === 'error')
  assert.equal(statusError(frame.error, 'Cannot watch').code, 'too-large-resource-version')
})

test('a user without rights is forbidden, with the verb and the user in the message', async () => {
  await using nobody = clientOf({ kubeconfig: plane.userKubeconfig('plain1') })
  const source = sourceOf('cm', { client: nobody })
  await assert.rejects(
    list(source, { resourceVersion: '' }),
    (error) =>
      hasCode(error, 'forbidden') &&
      /^Cannot list configmaps in shop: .*cannot list resource "configmaps"/.test(error.message),
  )
  const watching = watchUntil(source, { resourceVersion: '1' }, () => true)
  await assert.rejects(watching, rejectsWith('forbidden'))
})

test('a token that the apiserver does not know is unauthorized', async () => {
  await using stranger = clientOf({ kubeconfig: plane.kubeconfigFor('stranger', 'no-such-token') })
  await assert.rejects(list(sourceOf('cm', { client: stranger }), { resourceVersion: '' }), rejectsWith('unauthorized'))
})

test('a resource that is not served is not found', async () => {
  const resource = { ...findResource(catalogue, 'ct'), version: 'v2' }
  const source = createHttpSource({ client, resource })
  await assert.rejects(list(source, { resourceVersion: '' }), rejectsWith('not-found'))
})

test('an unknown CA is named as such', async () => {
  await using distrustful = clientOf({ server: plane.server })
  await assert.rejects(
    discover(distrustful, signal),
    (error) => hasCode(error, 'unreachable') && /not trusted.*--certificate-authority FILE/.test(error.message),
  )
})

test('a proxy of the kubeconfig tunnels to the apiserver', async () => {
  const tunnels: string[] = []
  const proxy = createServer()
  proxy.on('connect', (request, socket, head) => {
    tunnels.push(request.url ?? '')
    const upstream = connect(Number(new URL(plane.server).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.write(head)
      upstream.pipe(socket).pipe(upstream)
    })
    // Either end of a tunnel goes when the other does.
    upstream.on('error', () => socket.destroy())
    socket.on('error', () => upstream.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  assert.ok(typeof address === 'object' && address !== null)
  using folder = temporaryFolder('proxy')
  const kubeconfig = join(folder.path, 'kubeconfig')
  const cluster = {
    server: plane.server,
    'certificate-authority': plane.caFile,
    'proxy-url': `http://127.0.0.1:${address.port}`,
  }
  const config = {
    'current-context': 'x',
    clusters: [{ name: 'x', cluster }],
    users: [{ name: 'x', user: { token: plane.token } }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  }
  writeFileSync(kubeconfig, JSON.stringify(config))
  {
    await using proxied = clientOf({ kubeconfig })
    const { objects } = await list(sourceOf('cm', { client: proxied }), { resourceVersion: '' })
    assert.ok(objects.size > 0)
  }
  proxy.close()
  assert.deepEqual(tunnels, [new URL(plane.server).host])
})

test('an open watch ends with its apiserver, the next one is refused, and one from before the restart has expired', async () => {
  const source = sourceOf('cm')
  let killed = false
  for await (const frames of source.watch(
    { resourceVersion: '', timeoutSeconds: 300, sendInitialEvents: true },
    signal,
  )) {
    if (killed || !frames.some((frame) => frame.kind === 'bookmark')) continue
    killed = true
    await plane.killApiserver()
  }
  assert.ok(killed)
  await assert.rejects(
    watchUntil(source, { resourceVersion: '1' }, () => true),
    (error) => hasCode(error, 'unreachable') && error.fields['refused'] === true,
  )
  await plane.startApiserver()
  const [frame] = await watchUntil(source, { resourceVersion: '1' }, () => true)
  assert.ok(frame?.kind === 'error')
  assert.equal(statusError(frame.error, 'Cannot watch').code, 'expired')
})
