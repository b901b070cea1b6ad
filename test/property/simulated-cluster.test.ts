// A reflector that follows a simulated cluster through all its faults ends with what the cluster holds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { startSimulatedCluster, type SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { differences, follow } from './simulated-replica.ts'

type Act = (cluster: SimulatedCluster) => void

const code = fc.constantFrom(410, 429, 500, 503)
const verb = fc.constantFrom('list' as const, 'watch' as const)

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(code, verb).map(
    ([status, target]): Act =>
      (cluster) =>
        cluster.fail({ kind: 'refuse', code: status }, { verb: target }),
  ),
  code.map(
    (status): Act =>
      (cluster) =>
        cluster.fail({ kind: 'error-event', code: status }, { verb: 'watch' }),
  ),
  verb.map(
    (target): Act =>
      (cluster) =>
        cluster.fail({ kind: 'reset' }, { verb: target }),
  ),
  verb.map(
    (target): Act =>
      (cluster) =>
        cluster.fail({ kind: 'cut' }, { verb: target }),
  ),
  verb.map(
    (target): Act =>
      (cluster) =>
        cluster.fail({ kind: 'corrupt' }, { verb: target }),
  ),
  fc.nat(20).map(
    (changes): Act =>
      (cluster) =>
        cluster.fail({ kind: 'stale', changes }, { verb: 'list' }),
  ),
  fc.constant<Act>((cluster) => cluster.fail({ kind: 'slow', delayMs: 3 })),
  fc.constant<Act>((cluster) => cluster.strikeWatches({ kind: 'drop' })),
  fc.constant<Act>((cluster) => cluster.strikeWatches({ kind: 'close' })),
  fc.constant<Act>((cluster) => cluster.strikeWatches({ kind: 'corrupt' })),
  code.map(
    (status): Act =>
      (cluster) =>
        cluster.strikeWatches({ kind: 'error-event', code: status }),
  ),
  fc.constant<Act>((cluster) => cluster.expireHistory()),
)

test('a reflector ends with what the cluster holds, whatever fails meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.nat(),
        minor: fc.constantFrom(26, 28, 31, 36),
        pageSize: fc.constantFrom(0, 5),
        plan: fc.array(fc.tuple(fc.nat(30), act), { maxLength: 8 }),
        ending: fc.nat(30),
      }),
      async ({ seed, minor, pageSize, plan, ending }) => {
        await using cluster = await startSimulatedCluster({ seed, minor, bookmarkMs: 5 })
        const life = cluster.life({ nodes: 2, deployments: 2 })
        life.populate()
        await using replica = await follow(cluster, 'pods', { pageSize, random: () => 0 })
        for (const [steps, happen] of plan) {
          for (let step = 0; step < steps; step += 1) life.step()
          happen(cluster)
          // Lets requests be made between what happens, not for any time.
          await new Promise((resolve) => setImmediate(resolve))
        }
        for (let step = 0; step < ending; step += 1) life.step()
        // What is still to fail would fail a later request: the last change is followed without.
        cluster.clearFaults()
        await replica.caughtUp(cluster)
        assert.deepEqual(differences(replica, cluster, 'pods'), [])
      },
    ),
    { numRuns: 60 },
  )
})
