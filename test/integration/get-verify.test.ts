// needs: kafka, control-plane
// What get prints is what kubectl prints, and verify tells equal from different.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CLUSTER, kubedelta } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { ready } from '../support/ready.ts'

const RESOURCES = 'pods,services,nodes,deployments.apps,replicasets.apps,configmaps,crds,crontabs.stable.example.com'

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory({ plane: { controllerManager: true } }))
  const { plane } = story
  await plane.kubectl(['apply', '-f', '-'], {
    stdin: JSON.stringify({ kind: 'List', apiVersion: 'v1', items: OBJECTS }),
  })
  await plane.kubectl(['wait', '--for=condition=Established', 'crd/crontabs.stable.example.com'])
  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(CRON_TAB) })
  for (const [path, status] of STATUSES) {
    const headers = { 'content-type': 'application/merge-patch+json' }
    const answer = await plane.request(`${path}/status`, { method: 'PATCH', headers, body: { status } })
    assert.equal(answer.status, 200, answer.body)
  }
  await plane.kubectl(['wait', '-n', 'shop', 'deployment/web', '--for=jsonpath={.status.replicas}=2'])
  await plane.kubectl(['wait', '-n', 'shop', 'replicaset', '-l', 'app=web', '--for=jsonpath={.status.replicas}=2'])
  life.use(await story.bridge(['-r', RESOURCES]))
})

after(() => life.disposeAsync())

const SAME: readonly (readonly string[])[] = [
  ['pods', '-A'],
  ['pods', '-n', 'shop', '-o', 'wide'],
  ['pods', '-n', 'shop', '-l', 'app=cart'],
  ['pods', 'crashing', '-n', 'shop'],
  ['services', '-A'],
  ['services', '-n', 'shop', '-o', 'wide'],
  ['nodes'],
  ['nodes', '-o', 'wide'],
  ['deployments.apps', '-n', 'shop'],
  ['deployments.apps', '-n', 'shop', '-o', 'wide'],
  ['replicasets.apps', '-n', 'shop', '-o', 'wide'],
  ['crontabs.stable.example.com', '-n', 'shop'],
  ['crontabs.stable.example.com', '-n', 'shop', '-o', 'wide'],
  ['pods', '-n', 'shop', '-o', 'name'],
  ['deployments.apps', '-n', 'shop', '-o', 'name'],
  ['pods', 'running', '-n', 'shop', '-o', 'json'],
  ['pods', '-n', 'shop', '-o', 'json'],
  ['pods', '-n', 'shop', '-o', 'jsonpath={.items[*].metadata.name}'],
  ['pods', '-n', 'shop', '-o', 'jsonpath={range .items[*]}{.metadata.name}{"\\t"}{.status.phase}{"\\n"}{end}'],
  ['pods', '-n', 'shop', '-o', 'custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image,IP:.status.podIP'],
]

for (const args of SAME) {
  test(`get ${args.join(' ')} prints what kubectl prints`, async () => {
    const wanted = await story.plane.kubectl(['get', ...args])
    const got = await get(args)
    assert.equal(got.code, 0, got.stderr)
    assert.equal(comparable(got.stdout, args), comparable(wanted.stdout, args))
  })
}

test('get -o yaml prints a document that kubectl takes for the same objects', async () => {
  const { stdout } = await get(['configmaps', '-n', 'shop', '-o', 'yaml'])
  const args = ['get', '-f', '-', '-o', 'json']
  const again = await story.plane.kubectl(args, { stdin: stdout })
  const wanted = await story.plane.kubectl(['get', 'configmaps', '-n', 'shop', '-o', 'json'])
  assert.deepEqual(JSON.parse(again.stdout), JSON.parse(wanted.stdout))
})

test('get of an absent name ends with 1 and says so', async () => {
  const { code, stderr, stdout } = await get(['pods', 'nobody', '-n', 'shop'])
  assert.deepEqual({ code, stderr, stdout }, { code: 1, stderr: 'kubedelta: pods "nobody" not found\n', stdout: '' })
})

test('get of an empty namespace says what kubectl says', async () => {
  const { code, stderr } = await get(['pods'])
  assert.deepEqual({ code, stderr }, { code: 0, stderr: 'No resources found in default namespace.\n' })
})

test('verify tells equal topics by 0, a topic that lacks something by 1, one that does not come as far in time by 3', async () => {
  const part = ['-r', 'configmaps', '--prefix', 'part']
  await using other = await story.bridge([...part, '-l', 'app=cart'])
  const [equal, differs] = await whileChanging(() => Promise.all([verify(['-r', 'configmaps,nodes']), verify(part)]))
  assert.equal(equal.code, 0, equal.stderr)
  assert.deepEqual(
    equal.lines.map(({ resource, missing, extra, stale }) => ({ resource, missing, extra, stale })),
    ['configmaps', 'nodes'].map((resource) => ({ resource, missing: [], extra: [], stale: [] })),
  )
  assert.ok(equal.lines.every((line) => line.cluster === line.topic && line.cluster > 0))
  assert.equal(differs.code, 1, differs.stderr)
  const { missing = [], topic } = differs.lines[0] ?? {}
  assert.ok(missing.includes('shop/settings') && !missing.includes('shop/cart'), missing.join())
  assert.equal(topic, 1)

  await other.stop()
  await story.plane.kubectl(['create', 'configmap', 'late', '-n', 'shop'])
  const untold = await verify([...part, '--timeout', '3s'])
  assert.equal(untold.code, 3, untold.stderr)
  assert.match(untold.stderr, /cannot tell whether configmaps is equal/)
})

interface VerifyLine {
  readonly resource: string
  readonly cluster: number
  readonly topic: number
  readonly missing: readonly string[]
  readonly extra: readonly string[]
  readonly stale: readonly string[]
}

async function verify(args: readonly string[]) {
  const { code, stdout, stderr } = await kubedelta([
    'verify',
    ...from(),
    '--kubeconfig',
    story.plane.kubeconfig,
    ...args,
  ])
  const lines: VerifyLine[] = stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  return { code, lines, stderr }
}

/**
 * Changes a ConfigMap and a node now and then until the work is done: topics come as far as a list by what is changed after it. Where nothing
 * is, they do by a bookmark of the apiserver, which comes once a minute.
 */
async function whileChanging<T>(work: () => Promise<T>): Promise<T> {
  let isDone = false
  const working = work().finally(() => (isDone = true))
  const headers = { 'content-type': 'application/merge-patch+json' }
  let step = 0
  const change = async (): Promise<void> => {
    step += 1
    const body = { metadata: { annotations: { step: String(step) } } }
    for (const path of ['/api/v1/namespaces/shop/configmaps/cart', '/api/v1/nodes/node-1']) {
      const answer = await story.plane.request(path, { method: 'PATCH', headers, body })
      assert.equal(answer.status, 200, answer.body)
    }
    assert.ok(isDone)
  }
  const [done] = await Promise.all([working, ready(change, { what: 'what verify says' })])
  return done
}

function get(args: readonly string[]) {
  return kubedelta(['get', ...args, ...from()])
}

function from(): readonly string[] {
  return ['--from', `kafka://${story.kafka.brokers}`, '--cluster', CLUSTER]
}

/** Without what passes between two commands: ages, and members in another order. */
function comparable(text: string, args: readonly string[]): unknown {
  if (args.at(-1) === 'json') return JSON.stringify(sortMembers(JSON.parse(text)))
  return text.replaceAll(/\b(?:\d+[dhms])+(?= ago\)|\s|$)/gm, 'AGE').replaceAll(/ +/g, ' ')
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, sortMembers(each)]),
  )
}

const POD = { containers: [{ name: 'main', image: 'registry.example/main:1' }] }
const CRON_TAB = {
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name: 'nightly', namespace: 'shop' },
  spec: { cronSpec: '0 3 * * *', replicas: 2 },
}

function pod(name: string, labels: Readonly<Record<string, string>> = {}, spec: object = POD): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', labels }, spec }
}

const OBJECTS: readonly object[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'shop' }, data: { a: '1' } },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cart', namespace: 'shop', labels: { app: 'cart' } } },
  pod('pending', { app: 'cart' }),
  pod('running', { app: 'cart' }),
  pod('crashing'),
  pod('done'),
  pod('initializing', {}, { ...POD, initContainers: [{ name: 'first', image: 'registry.example/first:1' }] }),
  {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1', labels: { 'node-role.kubernetes.io/worker': '' } },
    spec: { unschedulable: true },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'cart', namespace: 'shop' },
    spec: {
      type: 'NodePort',
      selector: { app: 'cart' },
      ports: [
        { name: 'a', port: 80 },
        { name: 'b', port: 81 },
      ],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'outside', namespace: 'shop' },
    spec: { type: 'ExternalName', externalName: 'cart.example' },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      replicas: 2,
      selector: {
        matchLabels: { app: 'web' },
        matchExpressions: [{ key: 'tier', operator: 'In', values: ['b', 'a'] }],
      },
      template: { metadata: { labels: { app: 'web', tier: 'a' } }, spec: POD },
    },
  },
  {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'crontabs.stable.example.com' },
    spec: {
      group: 'stable.example.com',
      scope: 'Namespaced',
      names: { plural: 'crontabs', singular: 'crontab', kind: 'CronTab' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          additionalPrinterColumns: [
            { name: 'Spec', type: 'string', jsonPath: '.spec.cronSpec' },
            { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas', priority: 1 },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  },
]

const RUNNING = { running: { startedAt: '2026-01-01T00:00:00Z' } }
const STATUSES: ReadonlyArray<readonly [string, object]> = [
  [
    '/api/v1/namespaces/shop/pods/running',
    {
      phase: 'Running',
      podIPs: [{ ip: '10.0.0.7' }],
      podIP: '10.0.0.7',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'main', image: 'm', imageID: '', ready: true, restartCount: 0, state: RUNNING }],
    },
  ],
  [
    '/api/v1/namespaces/shop/pods/crashing',
    {
      phase: 'Running',
      containerStatuses: [
        {
          name: 'main',
          image: 'm',
          imageID: '',
          ready: false,
          restartCount: 4,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:00:00Z' } },
        },
      ],
    },
  ],
  ['/api/v1/namespaces/shop/pods/done', { phase: 'Succeeded' }],
  [
    '/api/v1/namespaces/shop/pods/initializing',
    {
      phase: 'Pending',
      initContainerStatuses: [
        { name: 'first', image: 'f', imageID: '', ready: false, restartCount: 0, state: RUNNING },
      ],
    },
  ],
  [
    '/api/v1/nodes/node-1',
    {
      conditions: [{ type: 'Ready', status: 'False' }],
      addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
    },
  ],
]
