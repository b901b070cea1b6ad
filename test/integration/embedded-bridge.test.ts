// needs: control-plane
// A bridge writes a real cluster to a directory: equal to the cluster, exactly the differences after SIGKILL, one writer.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { kubedelta, startBridge, type BridgeProcess } from '../support/bridge-process.ts'
import { configMap } from '../support/cluster-objects.ts'
import { startControlPlane, type ControlPlane } from '../support/control-plane.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  followTopic,
  isRecord,
  lifeOf,
  readTopic,
  shortOf,
  type TopicToRead,
} from '../support/topic-lines.ts'

let plane: ControlPlane
const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('embedded-bridge'))
const log = `file:${join(folder.path, 'log')}`
/** Nothing listens there: a flag that is given again, `--to` and `--from` below, wins over the one before. */
const brokers = 'localhost:1'
const namespace = 'shop'

before(async () => {
  plane = life.use(await startControlPlane())
  await plane.kubectl(['create', 'namespace', namespace])
})

after(() => life.disposeAsync())

test('the topic equals the cluster, a killed bridge loses nothing, and its next start publishes the differences', async () => {
  await createAll(['a', 'b', 'c', 'd', 'e'])
  {
    await using bridge = await openBridge(['-r', 'configmaps', '-n', namespace])
    await using topic = followTopic(topicOf('configmaps'))
    await topic.untilEqual(await clusterState(plane, 'configmaps', ['-n', namespace]))
    await plane.kubectl(['label', 'configmap', '-n', namespace, 'a', 'step=watched'])
    await topic.until((lines) => lifeOf(lines, 'shop/a').length === 2, 'the change to be followed live')
    await bridge.kill()
  }
  const first = await readTopic(topicOf('configmaps'))
  await plane.kubectl(['label', 'configmap', '-n', namespace, 'b', 'step=unseen'])
  await plane.kubectl(['delete', 'configmap', '-n', namespace, 'c', 'd'])
  await createAll(['f'])
  await using next = await openBridge(['-r', 'configmaps', '-n', namespace])
  await next.stop()
  const lines = await readTopic(topicOf('configmaps'))
  assert.deepEqual(lines.slice(0, first.length), first)
  assert.deepEqual(
    lines
      .slice(first.length)
      .map((line) => shortOf(line).replace(/@[0-9]+/, ''))
      .toSorted(),
    [
      'ADDED RECOVERY shop/f',
      'DELETED RECOVERY shop/c finalStateUnknown',
      'DELETED RECOVERY shop/d finalStateUnknown',
      'UPDATED RECOVERY shop/b',
      'tombstone shop/c',
      'tombstone shop/d',
    ],
  )
  for (const line of lines.filter(isRecord)) if (line.op === 'DELETED') assert.notEqual(line.object, null)
  assertLives(lines)
  assertSameState(lines, await clusterState(plane, 'configmaps', ['-n', namespace]))
})

test('a second bridge of the same resource is refused in one line, one of another resource is not', async () => {
  await using bridge = await openBridge(['-r', 'namespaces'])
  const again = ['run', '--to', log, '--cluster', 'test', '--kubeconfig', plane.kubeconfig, '-r', 'namespaces']
  const { code, stderr } = await kubedelta([...again, '--log-level', 'error', '--metrics-listen', '127.0.0.1:0'])
  assert.match(
    stderr,
    /^kubedelta: Cannot write to topic kubedelta\.test\.namespaces: wanted to be its only writer: process \d+ on \S+ writes to \S+: stop that one, or use another directory\n$/,
  )
  assert.equal(code, 1)
  await using other = await openBridge(['-r', 'serviceaccounts'])
  await other.stop()
  await bridge.stop()
})

test('the cluster of a directory needs no name, and its topics are planned without ACLs', async () => {
  const options = ['--to', log, '--kubeconfig', plane.kubeconfig, '-r', 'configmaps']
  const { code, stdout } = await kubedelta(['topics', 'plan', ...options, '-o', 'json'])
  assert.deepEqual(JSON.parse(stdout), {
    topics: [{ topic: 'kubedelta.kubernetes.configmaps', state: 'missing', partitions: 1, problems: [], warnings: [] }],
    partitions: 1,
    acls: [],
  })
  assert.equal(code, 1)
  const applied = await kubedelta(['topics', 'apply', ...options])
  assert.deepEqual(applied, { code: 0, stdout: 'kubedelta.kubernetes.configmaps: created\n', stderr: '' })
})

test('a directory that cannot be written ends the start with 2 and the reason', async () => {
  const options = ['--kubeconfig', plane.kubeconfig, '-r', 'configmaps', '--log-level', 'error']
  // Refused to everybody, the administrator included.
  const { code, stderr } = await kubedelta([
    'run',
    '--to',
    'file:/sys/kubedelta',
    ...options,
    '--metrics-listen',
    '127.0.0.1:0',
  ])
  assert.match(
    stderr,
    /^kubedelta: Cannot create topic \S+ in \/sys\/kubedelta: wanted a directory that this user may write to: .*\n$/,
  )
  assert.equal(code, 2)
})

async function openBridge(args: readonly string[]): Promise<BridgeProcess> {
  const bridge = await startBridge({ brokers, kubeconfig: plane.kubeconfig, args: ['--to', log, ...args] })
  try {
    await bridge.ready()
    return bridge
  } catch (error) {
    await bridge[Symbol.asyncDispose]()
    throw error
  }
}

function topicOf(resource: string): TopicToRead {
  return { brokers, resource, args: ['--from', log] }
}

async function createAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const { status, body } = await plane.request(path, { method: 'POST', body: configMap(name) })
    assert.equal(status, 201, body)
  }
}
