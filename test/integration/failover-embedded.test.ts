// needs: control-plane
// Bridges that share a directory: one writes, the others stand by or are refused.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { kubedelta, CLUSTER, startBridge, type BridgeProcess } from '../support/bridge-process.ts'
import { configMap } from '../support/cluster-objects.ts'
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { assertLives, clusterState, followTopic, isRecord, type TopicFollower } from '../support/topic-lines.ts'
import { assertEpochsRise } from '../support/candidates.ts'

let plane: ControlPlane
const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('failover-embedded'))
const log = `file:${join(folder.path, 'log')}`
/** Nothing listens there: the `--to` or `--from` given last wins. */
const brokers = 'localhost:1'
const timing = ['--leader-elect-lease-duration', '3s', '--leader-elect-renew-deadline', '2s']
const elected = [
  '--leader-elect',
  '--leader-elect-namespace',
  'default',
  ...timing,
  '--leader-elect-retry-period',
  '500ms',
]

before(async () => {
  plane = life.use(await startControlPlane())
})

after(() => life.disposeAsync())

test('a second bridge without election ends with 1, names the first one, and changes nothing', async () => {
  await using topic = await prepare('alone')
  const { bridge, follower, flags } = topic
  const before = follower.lines.length
  const where = ['--to', log, '--cluster', CLUSTER, '--kubeconfig', plane.kubeconfig]
  const { code, stderr } = await kubedelta(['run', ...where, ...flags, '--metrics-listen', '127.0.0.1:0'])
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^kubedelta: Cannot write to topic alone\..*: wanted to be its only writer: process \d+ on .* writes to /m,
  )
  assert.equal(follower.lines.length, before)
  await bridge.stop()
})

test('a standby takes over from a leader that is told to end, and from one that is killed', async () => {
  await using topic = await prepare('elected', elected)
  const { bridge: first, follower, flags, create } = topic
  await using second = await open(flags)
  assert.match((await second.get('/readyz?verbose')).text, /leader-election ok: standby of /)
  await first.stop()
  await leads(second)
  await create('b')
  await untilWhole(follower, 'elected')
  await using third = await open(flags)
  await second.kill()
  await leads(third)
  await create('c')
  await untilWhole(follower, 'elected')
  assert.deepEqual(new Set(follower.lines.filter(isRecord).map(({ epoch }) => epoch)), new Set([1, 2, 3]))
  await third.stop()
})

test('a new leader waits until a frozen one has ended, since that holds the lock', async () => {
  await using topic = await prepare('frozen', [...elected, '--leader-elect-name', 'frozen'])
  const { bridge: first, follower, flags, create } = topic
  await using second = await open(flags)
  first.signal('SIGSTOP')
  await says(second, 'waiting for the former leader to end')
  await create('b')
  first.signal('SIGCONT')
  assert.equal(await first.exited, 'exit code 1')
  assert.match(first.output(), /lease-lost|holds it now/)
  await leads(second)
  await untilWhole(follower, 'frozen')
  await second.stop()
})

interface Prepared extends AsyncDisposable {
  readonly bridge: BridgeProcess
  readonly follower: TopicFollower
  readonly flags: readonly string[]
  readonly create: (name: string) => Promise<void>
}

/** A bridge over a namespace of its own with one ConfigMap, and its topic. */
async function prepare(namespace: string, more: readonly string[] = []): Promise<Prepared> {
  await using stack = new AsyncDisposableStack()
  await plane.kubectl(['create', 'namespace', namespace])
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const create = async (name: string): Promise<void> => {
    const { status, body } = await plane.request(path, { method: 'POST', body: configMap(name) })
    assert.equal(status, 201, body)
  }
  await create('a')
  const flags = ['-r', 'configmaps', '-n', namespace, '--prefix', namespace, ...more]
  const bridge = stack.use(await open(flags))
  if (more.length > 0) await leads(bridge)
  const args = ['--from', log, '--control']
  const follower = stack.use(followTopic({ brokers, resource: 'configmaps', prefix: namespace, args }))
  await untilWhole(follower, namespace)
  const own = stack.move()
  return { bridge, follower, flags, create, [Symbol.asyncDispose]: () => own.disposeAsync() }
}

async function open(flags: readonly string[]): Promise<BridgeProcess> {
  const bridge = await startBridge({ brokers, kubeconfig: plane.kubeconfig, args: ['--to', log, ...flags] })
  await bridge.ready()
  return bridge
}

async function leads(bridge: BridgeProcess): Promise<void> {
  await ready(
    async () => {
      const { status, text } = await bridge.get('/readyz?verbose')
      if (status !== 200 || !text.includes('leader-election ok: leading')) throw new Error(text)
    },
    { what: 'a leader' },
  )
}

async function says(bridge: BridgeProcess, text: string): Promise<void> {
  await ready(
    async () => {
      if (!bridge.output().includes(text)) throw new Error(bridge.output())
    },
    { what: `the log line '${text}'` },
  )
}

async function untilWhole(follower: TopicFollower, namespace: string): Promise<void> {
  await follower.untilEqual(await clusterState(plane, 'configmaps', ['-n', namespace]))
  assertLives(follower.lines)
  assertEpochsRise(follower.lines)
}
