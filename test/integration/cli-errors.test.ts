// needs: kafka, control-plane
// Each mistake ends `kubedelta run` with one clear line, its exit code and no stack trace.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import kafkajs from 'kafkajs'
import { CLUSTER, kubedelta } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { reservePorts } from '../support/ports.ts'
import { ready } from '../support/ready.ts'

const OLD_NODE =
  "data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })"

let story: BridgeStory
const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('cli-errors'))
const broken = file('broken.yaml', 'qps: [1\n')
const unknownKey = file('unknown-key.yaml', 'qps: 10\nresuorces: [pods]\n')
let closedPort = 0

before(async () => {
  story = life.use(await startStory())
  const { kubectl } = story.plane
  await kubectl(['create', 'clusterrole', 'may-list', '--verb=get,list', '--resource=configmaps,namespaces'])
  await kubectl(['create', 'clusterrolebinding', 'may-list', '--clusterrole=may-list', '--user=plain2'])
  const kubeconfig = story.plane.userKubeconfig('plain2')
  // The authorizer follows the bindings by a watch of its own.
  await ready(() => kubectl(['get', 'configmaps'], { kubeconfig }), { what: 'the permission of plain2' })
  const reservation = life.use(await reservePorts(1))
  closedPort = reservation.ports[0] ?? 0
  for (const args of [
    ['--prefix', 'foreign', '--cluster-id', 'another-cluster'],
    ['--prefix', 'scoped', '-n', 'kube-system', '-l', 'app=cart'],
    ['--prefix', 'repartitioned'],
  ]) {
    await using bridge = await story.bridge(['-r', 'configmaps', ...args])
    await bridge.stop()
  }
  const admin = new kafkajs.Kafka({ brokers: [story.kafka.brokers], logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  const configEntries = [{ name: 'cleanup.policy', value: 'delete' }]
  await admin.createTopics({
    topics: [{ topic: `deleting.${CLUSTER}.configmaps`, configEntries }],
    waitForLeaders: true,
  })
  await admin.createPartitions({ topicPartitions: [{ topic: `repartitioned.${CLUSTER}.configmaps`, count: 2 }] })
  await admin.disconnect()
})

after(() => life.disposeAsync())

interface Case {
  readonly name: string
  /** Further flags; a flag that is given twice has its last value. */
  readonly args: () => readonly string[]
  readonly node?: readonly string[]
  readonly code: 1 | 2
  /** The line, `kubedelta: ` left out. */
  readonly line: RegExp
}

const cases: readonly Case[] = [
  {
    name: 'an unknown resource',
    args: () => ['-r', 'configmapz'],
    code: 2,
    line: /configmapz.*did you mean configmaps/,
  },
  {
    name: 'a bad label selector',
    args: () => ['-l', 'app==cart,,'],
    code: 2,
    line: /^Cannot parse label selector "app==cart,,": wanted /,
  },
  {
    name: 'a field selector that the resource does not know',
    args: () => ['--field-selector', 'spec.nodeName=node-1'],
    code: 2,
    line: /^Cannot list configmaps: .*spec\.nodeName/,
  },
  {
    name: 'an unreachable broker',
    args: () => ['--to', `kafka://127.0.0.1:${closedPort}`, '--startup-timeout', '2s'],
    code: 1,
    line: /^Cannot reach the Kafka broker 127\.0\.0\.1:[0-9]+: .*ECONNREFUSED/,
  },
  {
    name: 'an unreachable apiserver',
    args: () => ['--server', `https://127.0.0.1:${closedPort}`, '--startup-timeout', '2s'],
    code: 1,
    line: /https:\/\/127\.0\.0\.1:[0-9]+: connection refused/,
  },
  {
    name: 'a list that is forbidden',
    args: () => ['--kubeconfig', story.plane.userKubeconfig('plain1'), '--cluster-id', 'any'],
    code: 2,
    line: /^Cannot list configmaps: .*User "plain1" cannot list resource "configmaps"/,
  },
  {
    name: 'a watch that is forbidden where the list is not',
    args: () => ['--kubeconfig', story.plane.userKubeconfig('plain2'), '--prefix', 'unwatched'],
    code: 2,
    line: /^Cannot watch configmaps: .*User "plain2" cannot watch resource "configmaps"/,
  },
  {
    name: 'a cluster whose identity may not be read',
    args: () => ['--kubeconfig', story.plane.userKubeconfig('plain1')],
    code: 2,
    line: /^Cannot tell which cluster .*--cluster-id ID$/,
  },
  {
    name: 'a token that the apiserver does not know',
    args: () => ['--kubeconfig', story.plane.kubeconfigFor('stranger', 'no-such-token')],
    code: 2,
    line: /401|[Uu]nauthorized/,
  },
  {
    name: 'a topic with cleanup.policy=delete',
    args: () => ['--prefix', 'deleting'],
    code: 2,
    line: /^Cannot use topic deleting\.test\.configmaps: cleanup\.policy must be compact: current value is delete: .*cleanup\.policy=compact/,
  },
  {
    name: 'a topic of another cluster',
    args: () => ['--prefix', 'foreign'],
    code: 2,
    line: /^Cannot write to topic foreign\.test\.configmaps: it belongs to the cluster 'test' with id another-cluster: .*--adopt-topic$/,
  },
  {
    name: 'a topic of another scope',
    args: () => ['--prefix', 'scoped'],
    code: 2,
    line: /^Cannot write to topic scoped\.test\.configmaps: .*kube-system.*app.*--apply-scope-change/,
  },
  {
    name: 'a topic whose partition count has changed',
    args: () => ['--prefix', 'repartitioned'],
    code: 2,
    line: /^Cannot write to topic repartitioned\.test\.configmaps: it was written with 1 partitions: current value is 2; /,
  },
  {
    name: 'a topic of another partition count than asked',
    args: () => ['--prefix', 'scoped', '--partitions', 'cm=3'],
    code: 2,
    line: /^Cannot use topic scoped\.test\.configmaps: partitions must be 3: current value is 1: /,
  },
  {
    name: 'an unknown flag',
    args: () => ['--resorces', 'pods'],
    code: 2,
    line: /^Cannot read command line: unknown flag --resorces: did you mean --resources$/,
  },
  {
    name: 'a broken configuration file',
    args: () => ['--config', broken],
    code: 2,
    line: /^Cannot read configuration file: .*broken\.yaml:/,
  },
  {
    name: 'an unknown configuration key',
    args: () => ['--config', unknownKey],
    code: 2,
    line: /^Cannot read configuration file: .*unknown-key\.yaml:2:1: unknown key "resuorces": did you mean resources$/,
  },
  {
    name: 'an old Node',
    args: () => [],
    node: ['--import', OLD_NODE],
    code: 2,
    line: /^Cannot start: wanted Node\.js >= 22\.19: current value is 20\.20\.2: /,
  },
]

describe('kubedelta run says in one line what is wrong', () => {
  for (const { name, args, node = [], code, line } of cases) {
    test(name, async () => {
      const { brokers } = story.kafka
      const where = ['--to', `kafka://${brokers}`, '--cluster', CLUSTER, '--kubeconfig', story.plane.kubeconfig]
      const extra = args()
      const resources = extra.includes('-r') ? [] : ['-r', 'configmaps']
      const listen = ['--metrics-listen', '127.0.0.1:0']
      const ended = await kubedelta(['run', ...where, ...resources, ...listen, ...extra], node)
      const lines = ended.stderr.split('\n')
      assert.equal(lines.pop(), '')
      const last = lines.pop() ?? ''
      assert.match(last, /^kubedelta: /)
      assert.match(last.slice('kubedelta: '.length), line)
      for (const logged of lines) assert.equal(typeof JSON.parse(logged), 'object', logged)
      assert.doesNotMatch(ended.stderr, /\bat .*:[0-9]+:[0-9]+\)|node:internal/)
      assert.deepEqual({ code: ended.code, stdout: ended.stdout }, { code, stdout: '' })
    })
  }

  test('and a topic that was refused holds what it held', async () => {
    for (const prefix of ['foreign', 'scoped', 'repartitioned']) {
      const lines = await story.read('configmaps', { prefix, args: ['--control'] })
      const fences = lines.filter((entry) => entry.tombstone && entry.control === 'fence')
      assert.equal(fences.length, 1, prefix)
    }
  })
})

function file(name: string, text: string): string {
  const path = join(folder.path, name)
  writeFileSync(path, text)
  return path
}
