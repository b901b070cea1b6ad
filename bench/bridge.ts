// Measures the bridge's first sync of many pods, from a real apiserver to acknowledgements of a real Kafka, beside one raw LIST of the same pods.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startControlPlane, type ControlPlane } from '../test/support/control-plane.ts'
import { startKafka } from '../test/support/kafka.ts'
import { temporaryFolder } from '../test/support/leftovers.ts'
import { startBridge } from './support/bridge-process.ts'
import { fillWithPods } from './support/pods.ts'
import { summarizeProfiles, type ProfileSummary } from './support/profile.ts'
import { readRawList, type RawList } from './support/raw-list.ts'
import { printReport, type BridgeReport, type RestartFigures, type SyncFigures } from './support/report.ts'
import { measureUpdates, type UpdateFigures } from './support/updates.ts'

const HELP = `Usage: npm run bench:bridge -- [options]

  --pods N       Pods in the cluster, about 6.4 KB each (default: 20000)
  --rounds N     First syncs, each to an empty topic; the table shows the best (default: 3)
  --updates N    Seconds of 170 updates a second at the end, for latency; 0 leaves them out (default: 20)
  --profile      Runs one more round under V8's profiler and prints where the time went
  --json         Prints one line of JSON instead of tables
`

const { values } = parseArgs({
  options: {
    pods: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    updates: { type: 'string', default: '20' },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

interface Parts {
  readonly kubeconfig: string
  readonly brokers: string
  readonly pods: number
}

/** LISTs before each round: what disturbs one of them is not the apiserver's. */
const RAW_LISTS = 2

/** How long updates may take beyond their time. */
const PATIENCE_MS = 60_000

if (values.help) process.stdout.write(HELP)
else await bench()

async function bench(): Promise<void> {
  const pods = count('pods', values.pods)
  const rounds = count('rounds', values.rounds)
  say('starting Kafka and the control plane')
  await using kafka = await startKafka()
  await using cluster = await startControlPlane()
  const ca = readFileSync(cluster.caFile, 'utf8')
  await fillWithPods(cluster, ca, { pods, onProgress: (made) => say(`made ${made} of ${pods} pods`) })
  const parts = { kubeconfig: cluster.kubeconfig, brokers: kafka.brokers, pods }

  const lists: RawList[] = []
  const syncs: SyncFigures[] = []
  for (let round = 1; round <= rounds; round++) {
    for (let n = 0; n < RAW_LISTS; n++) lists.push(await readRawList(cluster.server, ca, cluster.token))
    syncs.push(await measureSync(parts, { cluster: `bench-${round}` }))
    say(`round ${round} of ${rounds}: ${syncs.at(-1)?.seconds.toFixed(2)} s`)
  }
  const restart = await measureRestart(parts, 'bench-1')
  const seconds = Number(values.updates)
  const updates = seconds > 0 ? await measureLatency(parts, { seconds, cluster, ca }) : undefined
  const profile = values.profile ? await profileSync(parts) : undefined
  const report: BridgeReport = {
    pods,
    bytesOfPod: Math.round((lists[0]?.bytes ?? 0) / pods),
    lists: lists.map((list) => list.seconds),
    syncs,
    restart,
    ...(updates === undefined ? {} : { updates }),
    ...(profile === undefined ? {} : { profile }),
  }
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else printReport(report)
}

/** From a cold start against an empty topic until the last record is acknowledged. */
async function measureSync(
  { kubeconfig, brokers, pods }: Parts,
  { cluster, nodeArgs = [] }: { readonly cluster: string; readonly nodeArgs?: readonly string[] },
): Promise<SyncFigures> {
  await using bridge = await startBridge({ kubeconfig, brokers, cluster, nodeArgs })
  const starting = await bridge.logged('starting')
  await bridge.logged('synced')
  const acknowledgedAtMs = await bridge.acknowledged(pods)
  const usage = bridge.usage()
  await bridge.stop()
  return {
    seconds: (acknowledgedAtMs - starting.atMs) / 1000,
    processSeconds: (acknowledgedAtMs - bridge.spawnedAtMs) / 1000,
    ...usage,
  }
}

/** A second start on a topic that holds everything: the index is rebuilt, and nothing is published. */
async function measureRestart({ kubeconfig, brokers }: Parts, cluster: string): Promise<RestartFigures> {
  await using bridge = await startBridge({ kubeconfig, brokers, cluster })
  const starting = await bridge.logged('starting')
  const read = await bridge.logged('topic read')
  const synced = await bridge.logged('synced')
  const { peakRssBytes } = bridge.usage()
  await bridge.stop()
  return {
    keys: Number(read.fields['keys']),
    indexSeconds: Number(read.fields['ms']) / 1000,
    seconds: (synced.atMs - starting.atMs) / 1000,
    peakRssBytes,
  }
}

async function measureLatency(
  { kubeconfig, brokers, pods }: Parts,
  { seconds, cluster, ca }: { readonly seconds: number; readonly cluster: ControlPlane; readonly ca: string },
): Promise<UpdateFigures> {
  say(`updating for ${seconds} s`)
  await using bridge = await startBridge({ kubeconfig, brokers, cluster: 'bench-1' })
  await bridge.logged('synced')
  const { server, token } = cluster
  const signal = AbortSignal.timeout(seconds * 1000 + PATIENCE_MS)
  const topic = 'kubedelta.bench-1.pods'
  const figures = await measureUpdates({ server, token, ca, brokers, topic, pods, seconds, signal })
  await bridge.stop()
  return figures
}

async function profileSync(parts: Parts): Promise<ProfileSummary> {
  using folder = temporaryFolder('profile')
  const path = join(folder.path, 'profiles')
  await measureSync(parts, { cluster: 'bench-profile', nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${path}`] })
  return summarizeProfiles(path)
}

function count(name: string, text: string): number {
  const number = Number(text)
  if (Number.isInteger(number) && number > 0) return number
  throw new RangeError(`Cannot measure: '--${name}' must be a whole number > 0: current value is ${text}`)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
