// Simulated cluster with faults -> bridge -> log in a directory -> cache: whatever happens, the cache ends as the cluster is.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { openEmbeddedLog } from '../../src/embedded/embedded-log.ts'
import { startSimulatedCluster, type SimulatedCluster, type WatchStrike } from '../../src/testing/simulated/cluster.ts'
import type { SimulatedFault } from '../../src/testing/simulated/faults.ts'
import { WholePath } from '../support/whole-path.ts'
import { memoryFolder } from './memory-folder.ts'

const RESOURCES = ['pods', 'configmaps', 'namespaces']
const RUNS = 100

type Incident =
  | { readonly kind: 'fault'; readonly fault: SimulatedFault; readonly verb: 'list' | 'watch' }
  | { readonly kind: 'strike'; readonly strike: WatchStrike }
  | { readonly kind: 'forgotten event'; readonly resource: string }
  | { readonly kind: 'history expired' | 'apiserver restarted' | 'bridge stopped' | 'bridge started' }

const code = fc.constantFrom(410, 429, 500, 503)

const fault: fc.Arbitrary<SimulatedFault> = fc.oneof(
  fc.record({ kind: fc.constantFrom('refuse' as const, 'error-event' as const), code }),
  fc.record({ kind: fc.constantFrom('reset' as const, 'cut' as const, 'corrupt' as const) }),
  fc.record({ kind: fc.constant('stale' as const), changes: fc.nat(20) }),
)

const strike: fc.Arbitrary<WatchStrike> = fc.oneof(
  fc.record({ kind: fc.constantFrom('drop' as const, 'close' as const, 'corrupt' as const) }),
  fc.record({ kind: fc.constant('error-event' as const), code }),
)

const incident: fc.Arbitrary<Incident> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('fault' as const), fault, verb: fc.constantFrom('list', 'watch') }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('strike' as const), strike }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('forgotten event' as const), resource: fc.constantFrom(...RESOURCES) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('history expired', 'apiserver restarted', 'bridge stopped', 'bridge started'),
    }),
  },
)

const scenario = fc.record({
  clusterSeed: fc.nat(),
  minor: fc.constantFrom(26, 31, 36),
  /** What happens after so many changes. */
  plan: fc.array(fc.record({ changes: fc.nat(20), incident }), { maxLength: 6 }),
  lastChanges: fc.nat(20),
})

const folder = memoryFolder('whole-path')
after(() => folder[Symbol.dispose]())

test('a cache equals the cluster, whatever fails on the way', async (t) => {
  const seed = Number(process.env['WHOLE_PATH_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  t.diagnostic(`${RUNS} runs of seed ${seed}: WHOLE_PATH_SEED=${seed} repeats them`)
  let runs = 0
  await fc.assert(
    fc.asyncProperty(scenario, async ({ clusterSeed, minor, plan, lastChanges }) => {
      runs += 1
      const name = `run-${runs}`
      const directory = join(folder.path, name)
      using _ = { [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) }
      await using log = await openEmbeddedLog({ directory })
      await using cluster = await startSimulatedCluster({ seed: clusterSeed, minor, bookmarkMs: 5 })
      const life = cluster.life({ nodes: 2, deployments: 2 })
      life.populate()
      await using path = await WholePath.open({ cluster, log, name, resources: RESOURCES })
      await path.startBridge()
      path.follow()
      for (const { changes, incident: next } of plan) {
        for (let change = 0; change < changes; change += 1) life.step()
        await happen(next, { cluster, path })
        // Lets requests be made between what happens, not for any time.
        await new Promise((resolve) => setImmediate(resolve))
      }
      for (let change = 0; change < lastChanges; change += 1) life.step()

      // What is still to fail would fail a later request: the last state is reached without.
      cluster.clearFaults()
      if (!path.hasBridge) await path.startBridge()
      if (plan.some(({ incident: { kind } }) => kind === 'forgotten event')) listAgain(cluster)
      await path.assertEqual()
      // Who comes only now reads the same.
      path.follow()
      await path.assertEqual()
    }),
    { seed, numRuns: RUNS, endOnFailure: true },
  )
})

interface Story {
  readonly cluster: SimulatedCluster
  readonly path: WholePath
}

async function happen(next: Incident, { cluster, path }: Story): Promise<void> {
  switch (next.kind) {
    case 'fault':
      return cluster.fail(next.fault, { verb: next.verb })
    case 'strike':
      return cluster.strikeWatches(next.strike)
    case 'forgotten event':
      return cluster.forgetNext(next.resource)
    case 'history expired':
      return cluster.expireHistory()
    case 'apiserver restarted':
      await cluster.goDown()
      return await cluster.listen()
    case 'bridge stopped':
      return await path.stopBridges()
    case 'bridge started':
      return await path.startBridge()
    default:
      return next satisfies never
  }
}

/**
 * Makes every reflector list: only a list tells what no watch was told. The change behind it is of no bridged resource; that a topic
 * has come as far can then be known from such a list alone.
 */
function listAgain(cluster: SimulatedCluster): void {
  cluster.expireHistory()
  cluster.strikeWatches({ kind: 'error-event', code: 410 })
  cluster.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'last-change' } })
}
