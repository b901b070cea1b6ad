// needs: kafka, control-plane
// What the apiserver puts off with 429 and Retry-After.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientRequest } from 'node:http'
import { request } from 'node:https'
import { after, before, test } from 'node:test'
import { startApiserverProxy } from '../support/apiserver-proxy.ts'
import type { ApiserverAnswer } from '../support/apiserver-request.ts'
import { startBridge, type BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { configMap } from '../support/cluster-objects.ts'
import type { ControlPlane } from '../support/control-plane.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { assertLives, clusterState } from '../support/topic-lines.ts'

const PATH = '/api/v1/configmaps'
const IN_DEFAULT = '/api/v1/namespaces/default/configmaps'
const CONFIG_MAPS = ['-r', 'configmaps']

let story: BridgeStory
let plane: ControlPlane
let brokers: string
let auditLog: string
const life = new AsyncDisposableStack()

/** Users who may read ConfigMaps, and whose requests the apiserver notes with their times. */
before(async () => {
  const folder = life.use(temporaryFolder('throttling')).path
  auditLog = join(folder, 'audit.log')
  const policy = join(folder, 'audit-policy')
  const names = ['plain1', 'plain2', 'plain3', 'plain4', 'plain5']
  const rules = [{ level: 'Metadata', users: names }, { level: 'None' }]
  writeFileSync(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }))
  const audit = [`--audit-log-path=${auditLog}`, `--audit-policy-file=${policy}`]
  story = life.use(await startStory({ plane: { apiserverArgs: audit } }))
  plane = story.plane
  brokers = story.kafka.brokers
  await grant('read', ['get', 'list', 'watch'], 'configmaps,namespaces', names)
  await grant('write', ['create'], 'configmaps', ['plain2'])
  await limit()
})

after(() => life.disposeAsync())

test('a bridge that is throttled from its start asks again when it was told to, and starts once it may', async () => {
  await makeConfigMap('before-start')
  await using throttled = await throttle()
  await using bridge = await startBridge({ brokers, kubeconfig: plane.userKubeconfig('plain3'), args: CONFIG_MAPS })
  await untilAsked('plain3', 'get', '/apis', 2)
  await throttled[Symbol.asyncDispose]()
  await bridge.ready()
  assertWaits('plain3', 'get', '/apis')
  await assertEqual()
  await bridge.stop()
})

test('whether a resource may be listed is asked again when the apiserver told to, before a topic is touched', async () => {
  await makeConfigMap('before-question')
  await using throttled = await throttle()
  await using bridge = await startBridge({ brokers, kubeconfig: plane.userKubeconfig('plain5'), args: CONFIG_MAPS })
  await untilAsked('plain5', 'list', PATH, 2)
  const told = (): void => assert.match(bridge.output(), /list configmaps.*Too many requests.*waiting for an answer/)
  await ready(async () => told(), { what: 'a line about what is waited for' })
  assert.doesNotMatch(bridge.output(), /topic read|topic created/)
  await throttled[Symbol.asyncDispose]()
  await bridge.ready()
  assertWaits('plain5', 'list', PATH)
  await assertEqual()
  await bridge.stop()
})

// The first list is streamed, as a watch, and that alone is limited for its user.
test('lists that are throttled are asked for again when the apiserver told to', async () => {
  await makeConfigMap('before-list')
  await using throttled = await throttle()
  await using bridge = await startBridge({ brokers, kubeconfig: plane.userKubeconfig('plain1'), args: CONFIG_MAPS })
  await untilAsked('plain1', 'watch', PATH, 2)
  await assertTold(bridge)
  await throttled[Symbol.asyncDispose]()
  await bridge.ready()
  assertWaits('plain1', 'watch', PATH)
  await assertEqual()
  await bridge.stop()
})

test('watches that are throttled go on where they were, and lose nothing', async () => {
  const { server } = plane
  await using proxy = await startApiserverProxy({ server, kubeconfig: plane.userKubeconfig('plain4') })
  await using bridge = await story.bridge(CONFIG_MAPS, { kubeconfig: proxy.kubeconfig })
  await makeConfigMap('deleted-meanwhile')
  await using throttled = await throttle()
  // An open watch is not ended by what is throttled later.
  await proxy.cut()
  await proxy.mend()
  await makeConfigMap('created-meanwhile')
  await plane.kubectl(['delete', 'configmap', 'deleted-meanwhile'])
  // Before it watches again it asks for one object, to see that the history is the same: that is what is refused.
  await untilAsked('plain4', 'list', PATH, 2)
  await assertTold(bridge)
  await throttled[Symbol.asyncDispose]()
  await assertEqual()
  assertWaits('plain4', 'list', PATH)
  // A watch again, and no list: nothing was lost to make one for.
  assert.equal(await bridge.metric('kubedelta_relists_total'), 0)
  await bridge.stop()
})

/** Gives readers of ConfigMaps one seat for all, the first user that one for watches alone, the third for all that he does. */
async function limit(): Promise<void> {
  await make('prioritylevelconfigurations', 'PriorityLevelConfiguration', 'one-seat', {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse: { type: 'Reject' } },
  })
  const any = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }
  const rules = [
    { subjects: users('plain2', 'plain4', 'plain5'), resourceRules: [{ ...any, resources: ['configmaps'] }] },
    { subjects: users('plain1'), resourceRules: [{ ...any, verbs: ['watch'], resources: ['configmaps'] }] },
    { subjects: users('plain3'), nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }], resourceRules: [any] },
  ]
  const priorityLevelConfiguration = { name: 'one-seat' }
  await make('flowschemas', 'FlowSchema', 'one-seat', { matchingPrecedence: 10, priorityLevelConfiguration, rules })
}

async function make(resource: string, kind: string, name: string, spec: object): Promise<void> {
  const apiVersion = 'flowcontrol.apiserver.k8s.io/v1'
  await story.create(`/apis/${apiVersion}/${resource}`, [{ apiVersion, kind, metadata: { name }, spec }])
}

function users(...names: readonly string[]): readonly object[] {
  return names.map((name) => ({ kind: 'User', user: { name } }))
}

/** Takes the one seat until it is disposed of, and is refused often enough to be asked for a pause of 4 s. */
async function throttle(): Promise<AsyncDisposable> {
  const held = await ready(holdSeat, { what: 'the seat' })
  const release = async (): Promise<void> => {
    held.destroy()
    await ready(async () => assert.equal((await ask()).status, 200), { what: 'an apiserver that answers' })
  }
  try {
    await ready(async () => assert.ok(Number((await ask()).headers['retry-after']) >= 4), {
      what: 'an apiserver that asks for a longer pause',
    })
  } catch (error) {
    await release()
    throw error
  }
  return { [Symbol.asyncDispose]: release }
}

/** Sends a request whose body does not come. */
async function holdSeat(): Promise<ClientRequest> {
  const held = request(new URL(IN_DEFAULT, plane.server), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${plane.userToken('plain2')}`,
      'content-type': 'application/json',
      'content-length': '100',
      expect: '100-continue',
    },
    agent: false,
    ca: readFileSync(plane.caFile),
  })
  held.flushHeaders()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // The apiserver says so when it begins to read the body: the request has its seat then.
  held.once('continue', resolve)
  held.once('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}`)))
  // It ends by being destroyed.
  held.on('error', reject)
  await promise
  try {
    assert.equal((await ask()).status, 429)
  } catch (error) {
    // The limit is not in force yet.
    held.destroy()
    throw error
  }
  return held
}

function ask(): Promise<ApiserverAnswer> {
  return plane.request(PATH, { token: plane.userToken('plain2') })
}

interface AuditEvent {
  readonly stage: string
  readonly verb: string
  readonly requestURI: string
  readonly user: { readonly username: string }
  readonly userAgent: string
  readonly responseStatus?: { readonly code: number }
  readonly requestReceivedTimestamp: string
  readonly stageTimestamp: string
}

/** What the apiserver notes of the bridge's requests of one user for one path: that it came, that its answer began, that it ended. */
function eventsOf(user: string, verb: string, path: string): readonly AuditEvent[] {
  const events = readFileSync(auditLog, 'utf8')
    .split('\n')
    // The last line may be on its way.
    .slice(0, -1)
    .map((line): AuditEvent => JSON.parse(line))
  return events.filter(
    ({ verb: asked, requestURI, user: { username }, userAgent }) =>
      asked === verb && username === user && userAgent.startsWith('kubedelta/') && requestURI.split('?')[0] === path,
  )
}

function refusalsOf(events: readonly AuditEvent[]): readonly AuditEvent[] {
  return events.filter(({ stage, responseStatus }) => stage === 'ResponseComplete' && responseStatus?.code === 429)
}

async function untilAsked(user: string, verb: string, path: string, times: number): Promise<void> {
  const refused = (): number => refusalsOf(eventsOf(user, verb, path)).length
  await ready(async () => assert.ok(refused() >= times, `${refused()} times`), {
    what: `${path} to be refused ${times} times`,
  })
}

/** The times are the apiserver's own, and its pauses only shrink while nobody but the bridge asks: from 4 s to 2 s at most at first. */
function assertWaits(user: string, verb: string, path: string): void {
  const events = eventsOf(user, verb, path)
  const pauses = refusalsOf(events).flatMap((refusal) => {
    const next = events.find(({ requestReceivedTimestamp: at }) => at > refusal.stageTimestamp)
    return next === undefined ? [] : [Date.parse(next.requestReceivedTimestamp) - Date.parse(refusal.stageTimestamp)]
  })
  assert.ok(pauses.length > 0 && pauses.every((pause, index) => pause >= (index === 0 ? 2_000 : 1_000)), pauses.join())
}

async function assertTold(bridge: BridgeProcess): Promise<void> {
  assert.equal((await bridge.get('/livez')).status, 200)
  assert.match(bridge.output(), /429: .*Too many requests/)
}

async function grant(role: string, verbs: readonly string[], resources: string, to: readonly string[]): Promise<void> {
  await plane.kubectl(['create', 'clusterrole', role, `--verb=${verbs.join()}`, `--resource=${resources}`])
  const subjects = to.map((name) => `--user=${name}`)
  await plane.kubectl(['create', 'clusterrolebinding', role, `--clusterrole=${role}`, ...subjects])
}

async function makeConfigMap(name: string): Promise<void> {
  await story.create(IN_DEFAULT, [configMap(name)])
}

async function assertEqual(): Promise<void> {
  await using topic = story.follow('configmaps')
  await topic.untilEqual(await clusterState(plane, 'configmaps'))
  assertLives(topic.lines)
}
