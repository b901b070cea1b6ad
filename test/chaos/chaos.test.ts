// needs: kafka, control-plane, go
// Everything fails at random while a cluster changes: at the end the topics equal it, and nothing wrong ever stood on them.
//
// KUBEDELTA_CHAOS_SECONDS (180) says how long, KUBEDELTA_CHAOS_SEED repeats the choices of a run: what is done, not its timing.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startApiserverProxy } from '../support/apiserver-proxy.ts'
import { CLUSTER, kubedelta } from '../support/bridge-process.ts'
import { startControlPlane } from '../support/control-plane.ts'
import { goTool } from '../support/go-tool.ts'
import { startKafka } from '../support/kafka.ts'
import { startKafkaProxy } from '../support/kafka-proxy.ts'
import { clusterState, type Version } from '../support/topic-lines.ts'
import { BridgePair } from './bridge-pair.ts'
import { changesOf, runClients, type Traffic } from './clients.ts'
import { ConsumerProcess } from './consumer-process.ts'
import { dice } from '../support/dice.ts'
import { deck, DECK_SIZE, strike, type Cast, type Damage } from './faults.ts'
import { differences, watchLog } from './log-watch.ts'

const SECONDS = Number(process.env['KUBEDELTA_CHAOS_SECONDS'] ?? 180)
const SEED = Number(process.env['KUBEDELTA_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const NAMESPACE = 'chaos'
const CHANGES_PER_SECOND = 100
const RESOURCES = ['configmaps', 'secrets'] as const
/** A leader survives a restart of the apiserver, which takes about 6 s. */
const ELECTION = [
  '--leader-elect',
  '--leader-elect-namespace=default',
  '--leader-elect-lease-duration=12s',
  '--leader-elect-renew-deadline=10s',
  '--leader-elect-retry-period=500ms',
]

/** A run with less has shown nothing. */
const LEAST = {
  bridgeKills: 3,
  takeovers: 2,
  brokerRestarts: 2,
  restartsWith410: 2,
  cutConnections: 20,
  swallowedAcks: 20,
} as const

test(`chaos for ${SECONDS} s with seed ${SEED} ends with topics that equal the cluster`, async (t) => {
  await using stack = new AsyncDisposableStack()
  const plane = stack.use(await startControlPlane())
  const kafka = stack.use(await startKafka({ proxied: true }))
  const kafkaProxy = stack.use(await startKafkaProxy({ upstream: kafka }))
  const apiserverProxy = stack.use(await startApiserverProxy(plane))
  await plane.kubectl(['create', 'namespace', NAMESPACE])

  const ends = new Map<string, number>()
  const bridges = stack.use(
    new BridgePair({
      brokers: kafka.proxiedBrokers,
      kubeconfig: apiserverProxy.kubeconfig,
      args: ['-r', RESOURCES.join(','), '-n', NAMESPACE, '--partitions', 'configmaps=3', ...ELECTION],
      onEnd: (ending, output) => {
        const why = [...output.matchAll(/"code":"([a-z-]+)"/g)].at(-1)?.[1] ?? ending
        ends.set(why, (ends.get(why) ?? 0) + 1)
        // Fenced or without its Lease it ends with 1; anything else is a failure of its own.
        if (ending !== 'exit code 1') stop.abort(new Error(`A bridge ended with ${ending}:\n${output.slice(-6_000)}`))
      },
    }),
  )
  const stop = new AbortController()
  await bridges.settled()
  const watches = RESOURCES.map((resource) => stack.use(watchLog(kafka.brokers, resource)))
  const consumer = stack.use(new ConsumerProcess(kafka.proxiedBrokers, RESOURCES[0]))
  const cast: Cast = { bridges, consumer, kafka, kafkaProxy, plane, apiserverProxy }

  const traffic: Traffic = { created: 0, updated: 0, deleted: 0, conflicts: 0, failed: 0 }
  const changing = new AbortController()
  const startMs = performance.now()
  const clients = runClients(
    {
      plane,
      namespace: NAMESPACE,
      resources: RESOURCES,
      clients: 32,
      changesPerSecond: CHANGES_PER_SECOND,
      dice: (name) => dice(SEED, name),
    },
    traffic,
    changing.signal,
  )
  const damage = await makeTrouble(t, cast, stop.signal)
  changing.abort()
  await clients
  const reached = (changesOf(traffic) * 1_000) / (performance.now() - startMs)
  t.diagnostic(`${reached.toFixed(1)} changes a second, outages included: wanted ${CHANGES_PER_SECOND}`)
  stop.signal.throwIfAborted()

  await bridges.settled()
  const counted = {
    ...damage,
    cutConnections: kafkaProxy.counters.cut,
    swallowedAcks: kafkaProxy.counters.swallowed,
  }
  t.diagnostic(
    `requests ${JSON.stringify(traffic)}, faults ${JSON.stringify(counted)}, bridges that ended by themselves ${JSON.stringify(Object.fromEntries(ends))}`,
  )

  t.diagnostic(`lists by reason ${JSON.stringify(Object.fromEntries(reasonsOf(bridges.outputs())))}`)
  for (const watch of watches) {
    const state = await clusterState(plane, watch.resource, ['-n', NAMESPACE])
    await watch.untilEqual(state, 60_000)
    assert.deepEqual(watch.violations, [], `the log of ${watch.resource}`)
    t.diagnostic(`${watch.resource}: ${state.size} objects, ${watch.records} records, epoch ${watch.epoch}`)
    assert.deepEqual(
      differences(await readWithGo(kafka.brokers, watch.resource), state),
      [],
      `a Go reader of ${watch.resource}`,
    )
  }
  await assertConsumerEquals(consumer, await clusterState(plane, RESOURCES[0], ['-n', NAMESPACE]))
  const { code, stdout, stderr } = await kubedelta([
    'verify',
    `--from=kafka://${kafka.brokers}`,
    `--cluster=${CLUSTER}`,
    `--kubeconfig=${plane.kubeconfig}`,
    `--resources=${RESOURCES.join(',')}`,
    `--namespace=${NAMESPACE}`,
  ])
  assert.equal(code, 0, `${stdout}${stderr}`)
  for (const [fault, least] of Object.entries(LEAST)) {
    const count = Object.entries(counted).find(([name]) => name === fault)?.[1] ?? 0
    assert.ok(count >= least, `a run counts with at least ${least} ${fault}: current value is ${count}`)
  }
})

async function makeTrouble(t: TestContext, cast: Cast, signal: AbortSignal): Promise<Damage> {
  const damage: Damage = {
    bridgeKills: 0,
    takeovers: 0,
    brokerRestarts: 0,
    apiserverRestarts: 0,
    restartsWith410: 0,
    consumerKills: 0,
    consumerStops: 0,
  }
  const chance = dice(SEED, 'faults')
  const end = performance.now() + SECONDS * 1_000
  let struck = 0
  for (const name of deck(chance)) {
    // The first deck is played to its end, however long that takes: a run with less does not count.
    if (performance.now() > end && struck >= DECK_SIZE) break
    signal.throwIfAborted()
    await strike(name, cast, damage, chance)
    struck += 1
    await sleep(Math.min(chance.below(4_000), Math.max(0, end - performance.now())))
  }
  t.diagnostic(`seed ${SEED}: ${struck} faults`)
  return damage
}

/** By a reader that knows nothing of kubedelta but the wire contract. */
async function readWithGo(brokers: string, resource: string): Promise<ReadonlyMap<string, Version>> {
  const module = fileURLToPath(new URL('../interop', import.meta.url))
  const schema = fileURLToPath(new URL('../../schemas/record.avsc', import.meta.url))
  const binary = await goTool({ module, name: 'interop' })
  const args = ['--brokers', brokers, '--topic', `kubedelta.${CLUSTER}.${resource}`, '--schema', schema]
  const { stdout } = await promisify(execFile)(binary, args, { maxBuffer: 1 << 30 })
  const state = new Map<string, Version>()
  for (const text of stdout.split('\n').filter(Boolean)) {
    const { key, tombstone, value }: { key: string; tombstone: boolean; value: Version } = JSON.parse(text)
    if (key.startsWith('$kubedelta/')) continue
    if (tombstone) state.delete(key)
    else state.set(key, { uid: value.uid, resourceVersion: value.resourceVersion })
  }
  return state
}

async function assertConsumerEquals(consumer: ConsumerProcess, state: ReadonlyMap<string, Version>): Promise<void> {
  const end = performance.now() + 60_000
  for (;;) {
    const report = await consumer.report()
    const found = new Map(report.objects.map(([key, uid, resourceVersion]) => [key, { uid, resourceVersion }]))
    const wrong = [...differences(found, state), ...report.violations]
    if (report.state === 'Live' && wrong.length === 0) return
    if (performance.now() > end)
      assert.fail(`the consumer is ${report.state} and differs in\n${wrong.slice(0, 20).join('\n')}`)
    await sleep(500)
  }
}

/** Why the bridges listed, and how often. */
function reasonsOf(output: string): ReadonlyMap<string, number> {
  const reasons = new Map<string, number>()
  for (const [, reason = ''] of output.matchAll(/"reason":"([a-z-]+)","items"/g)) {
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  return reasons
}
