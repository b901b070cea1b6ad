// needs: control-plane
// A cluster whose history is not what it was: an apiserver that lags behind its etcd, an etcd restored to an older state.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { RecordDecoder } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { fromHeaders, isReservedKey } from '../../src/record/control.ts'
import { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import { CLUSTER } from '../support/bridge-process.ts'
import { configMap } from '../support/cluster-objects.ts'
import { startControlPlane, type AnotherApiserver, type ControlPlane } from '../support/control-plane.ts'
import { startLiveBridge, type LiveBridge } from '../support/live-bridge.ts'
import { startPausableProxy, type PausableProxy } from '../support/pausable-proxy.ts'
import { ready } from '../support/ready.ts'
import { clusterState, type Version } from '../support/topic-lines.ts'

const TOPIC = `kubedelta.${CLUSTER}.configmaps`
const NAMESPACE = 'history'

let plane: ControlPlane
const life = new AsyncDisposableStack()

before(async () => {
  plane = life.use(await startControlPlane())
  await plane.kubectl(['create', 'namespace', NAMESPACE])
})

after(() => life.disposeAsync())

describe('an apiserver that is cut off from its etcd', () => {
  let lagging: AnotherApiserver
  let proxy: PausableProxy
  const own = new AsyncDisposableStack()

  before(async () => {
    proxy = own.use(await startPausableProxy(Number(new URL(plane.etcdEndpoint).port)))
    lagging = own.use(await plane.startAnother(`http://127.0.0.1:${proxy.port}`))
  })

  after(() => own.disposeAsync())

  test('takes no key of the topic back, and is followed once it has caught up', async () => {
    const log = new MemoryTopicLog()
    await put('lagged', 'one')
    await ready(async () => assert.equal((await stale()).data.step, 'one'), { what: 'an apiserver that is up to date' })
    proxy.pause()
    await put('lagged', 'two')
    {
      await using bridge = await start(log)
      await untilEqual(bridge, log)
    }
    const before = log.records(TOPIC).length
    assert.equal((await stale()).data.step, 'one', 'the apiserver shows what was')
    const bridge = await start(log, lagging.kubeconfig)
    try {
      const isRefused = async (): Promise<void> => assert.ok(bridge.said.includes('asking again after a while'))
      await ready(isRefused, { what: 'a refusal: Too large resource version' })
      assert.deepEqual(states(log).slice(valuesBefore(log, before)), [])
      proxy.resume()
      await put('lagged', 'three')
      await untilEqual(bridge, log)
      const steps = states(log).flatMap(({ key, step }) => (key.endsWith('/lagged') ? [step] : []))
      assert.deepEqual(steps, ['two', 'three'])
    } finally {
      proxy.resume()
      await bridge[Symbol.asyncDispose]()
    }
  })

  async function stale(): Promise<{ readonly data: { readonly step: string } }> {
    const { status, body } = await lagging.request(
      `/api/v1/namespaces/${NAMESPACE}/configmaps/lagged?resourceVersion=0`,
    )
    assert.equal(status, 200, body)
    return JSON.parse(body)
  }
})

for (const state of ['runs', 'is down'] as const) {
  test(`an etcd that is restored while the bridge ${state}: a new history, of which the topic comes to be the equal`, async () => {
    const log = new MemoryTopicLog()
    for (const name of ['same', 'changed', 'gone']) await put(name, 'before')
    plane.saveEtcd()
    await using bridges = new AsyncDisposableStack()
    const bridge = await start(log)
    bridges.use(bridge)
    await untilEqual(bridge, log)
    await grow()
    for (const step of ['one', 'two', 'three']) await put('changed', step)
    await remove('gone')
    await put('lost', 'later')
    await untilEqual(bridge, log)
    const reached = states(log).at(-1)?.resourceVersion ?? ''
    await ready(async () => assert.ok(BigInt(lastProgress(log)) >= BigInt(reached)), {
      what: 'progress of the history that will be no more',
    })
    const before = log.records(TOPIC).length
    const progress = lastProgress(log)
    if (state === 'is down') await bridge[Symbol.asyncDispose]()
    await plane.restoreEtcd()
    // The same resourceVersions come once more, for other contents.
    await put('changed', 'otherwise')
    const next = state === 'runs' ? bridge : bridges.use(await start(log))
    await untilEqual(next, log)
    assert.ok(next.said.includes('a new history begins: the cluster is older than it was before'), next.said.join('\n'))
    const since = states(log).slice(valuesBefore(log, before))
    assert.deepEqual(
      since.flatMap(({ key, op, step }) => (key.endsWith('.crt') ? [] : [`${op} ${key} ${step}`])).toSorted(),
      [`ADDED ${NAMESPACE}/gone before`, `DELETED ${NAMESPACE}/lost later`, `UPDATED ${NAMESPACE}/changed otherwise`],
    )
    await ready(async () => assert.ok(BigInt(lastProgress(log)) < BigInt(progress)), {
      what: 'progress of the new history',
    })
    await next[Symbol.asyncDispose]()
    // The next start knows the new history as its own.
    await put('changed', 'after')
    await using again = await start(log)
    await untilEqual(again, log)
    assert.deepEqual(
      again.said.filter((line) => line.includes('history') || line.includes('asking again')),
      [],
    )
    for (const name of ['same', 'changed', 'gone']) await remove(name)
  })
}

test('an etcd that is restored and comes to the same resourceVersions with other contents: these are on the topic', async () => {
  const log = new MemoryTopicLog()
  const names = Array.from({ length: 8 }, (_, n) => `twice-${n}`)
  for (const name of names) await put(name, 'before')
  plane.saveEtcd()
  await grow()
  for (const name of names) {
    await put(name, 'once')
    // Room for what the apiserver writes by itself the second time.
    await growTo((await current()) + 5n)
  }
  {
    await using bridge = await start(log)
    await untilEqual(bridge, log)
  }
  const held = stateOf(log)
  const highest = await current()
  const before = log.records(TOPIC).length
  await plane.restoreEtcd()
  for (const name of names) {
    await growTo(BigInt(held.get(`${NAMESPACE}/${name}`)?.resourceVersion ?? '0') - 1n)
    await put(name, 'again')
  }
  await growTo(highest + 1n)
  const cluster = await clusterState(plane, 'configmaps', ['-n', NAMESPACE])
  const twice = names.map((name) => `${NAMESPACE}/${name}`).filter((key) => isSame(cluster.get(key), held.get(key)))
  assert.ok(twice.length > 0, 'objects with the uid and resourceVersion that the topic holds')
  await using bridge = await start(log)
  await untilEqual(bridge, log)
  const since = states(log).slice(valuesBefore(log, before))
  for (const key of twice) {
    assert.deepEqual(
      since.flatMap((state) => (state.key === key ? [[state.op, state.resourceVersion, state.step]] : [])),
      [['UPDATED', held.get(key)?.resourceVersion, 'again']],
    )
  }
  assert.ok(!bridge.said.some((line) => line.includes('history')), 'nothing but the contents tells')
  for (const name of names) await remove(name)
})

async function start(log: MemoryTopicLog, kubeconfig = plane.kubeconfig): Promise<LiveBridge> {
  return startLiveBridge({
    log,
    credentials: { kubeconfig },
    resource: 'configmaps',
    namespace: NAMESPACE,
    tooLargeRetryMs: 4_000,
  })
}

/** Creates or replaces. */
async function put(name: string, step: string): Promise<void> {
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`
  const body = configMap(name, { step })
  const made = await plane.request(path, { method: 'POST', body })
  const { status } = made.status === 409 ? await plane.request(`${path}/${name}`, { method: 'PUT', body }) : made
  assert.ok(status === 200 || status === 201, made.body)
}

/** Lets the cluster's resourceVersion grow by more than the start of an apiserver does. */
async function grow(): Promise<void> {
  const path = '/api/v1/namespaces/default/configmaps'
  for (let round = 0; round < 50; round++) {
    const bodies = Array.from({ length: 20 }, (_, n) => configMap(`grow-${round}-${n}`))
    await Promise.all(bodies.map((body) => plane.request(path, { method: 'POST', body })))
  }
}

/** Lets it grow by small steps until it is there; it may be already. */
async function growTo(resourceVersion: bigint): Promise<void> {
  for (let left = resourceVersion - (await current()); left > 0n; left = resourceVersion - (await current())) {
    await Promise.all(
      Array.from({ length: left > 40n ? 20 : 1 }, async (_, n) => {
        const path = `/api/v1/namespaces/default/configmaps/grow-0-${n}`
        const headers = { 'content-type': 'application/merge-patch+json' }
        const body = { data: { at: randomUUID() } }
        const { status, body: answer } = await plane.request(path, { method: 'PATCH', body, headers })
        if (status !== 404) return assert.equal(status, 200, answer)
        const created = configMap(`grow-0-${n}`)
        await plane.request('/api/v1/namespaces/default/configmaps', { method: 'POST', body: created })
      }),
    )
  }
}

/** The cluster's resourceVersion now. */
async function current(): Promise<bigint> {
  const { body } = await plane.request(`/api/v1/namespaces/${NAMESPACE}/configmaps?limit=1`)
  const { metadata }: { readonly metadata: { readonly resourceVersion: string } } = JSON.parse(body)
  return BigInt(metadata.resourceVersion)
}

function isSame(a: Version | undefined, b: Version | undefined): boolean {
  return a !== undefined && a.uid === b?.uid && a.resourceVersion === b.resourceVersion
}

async function remove(name: string): Promise<void> {
  const { status } = await plane.request(`/api/v1/namespaces/${NAMESPACE}/configmaps/${name}`, { method: 'DELETE' })
  assert.equal(status, 200)
}

async function untilEqual(bridge: LiveBridge, log: MemoryTopicLog): Promise<void> {
  const wanted = await clusterState(plane, 'configmaps', ['-n', NAMESPACE])
  await ready(
    async () => {
      assert.ok(bridge.health().length > 0 && bridge.health().every(({ synced }) => synced))
      assert.deepEqual(stateOf(log), wanted)
    },
    { what: 'a topic that equals the cluster' },
  )
}

const decoder = new RecordDecoder(new SchemaStore())

interface State extends Version {
  readonly key: string
  readonly op: string
  readonly step: string
}

/** What stands on the topic but control records and tombstones, in order. */
function states(log: MemoryTopicLog): readonly State[] {
  return log.records(TOPIC).flatMap(({ key, value }) => {
    if (value === null) return []
    const { op, uid, resourceVersion, object } = decoder.decode(value)
    const { data }: { data?: { step?: string } } = JSON.parse(String(object))
    return [{ key: key.toString(), op, uid, resourceVersion, step: data?.step ?? '' }]
  })
}

/** How many of the first records carry a value. */
function valuesBefore(log: MemoryTopicLog, count: number): number {
  return log
    .records(TOPIC)
    .slice(0, count)
    .filter(({ value }) => value !== null).length
}

function stateOf(log: MemoryTopicLog): ReadonlyMap<string, Version> {
  const state = new Map<string, Version>()
  const deleted = new Set<string>()
  for (const { key, op, uid, resourceVersion } of states(log)) {
    if (op === 'DELETED') deleted.add(key)
    else deleted.delete(key)
    state.set(key, { uid, resourceVersion })
  }
  for (const key of deleted) state.delete(key)
  return state
}

function lastProgress(log: MemoryTopicLog): string {
  const controls = log.records(TOPIC).flatMap(({ key, headers }) => {
    return isReservedKey(key.toString()) ? (fromHeaders(key.toString(), headers) ?? []) : []
  })
  const last = controls.findLast((control) => control.kind === 'progress')
  return last?.kind === 'progress' ? last.resourceVersion : ''
}
