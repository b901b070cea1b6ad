// Opens the election that the options ask for.

import { steadyClock } from '../base/clock.ts'
import type { Metrics } from '../base/metrics.ts'
import { LeaderElection } from '../bridge/leader-election.ts'
import { createWritingKubeClient } from '../kube/client.ts'
import type { Credentials } from '../kube/credentials.ts'
import { createLeaseStore } from '../kube/lease.ts'
import type { CommandContext } from './context.ts'
import { electionTiming, type ElectionValues } from './election-options.ts'

export interface OpenElectionOptions {
  readonly credentials: Credentials
  readonly cluster: string
  /** Unique over restarts. */
  readonly identity: string
  readonly metrics: Metrics
  readonly context: Pick<CommandContext, 'clock' | 'log' | 'version'>
}

/** A candidate with a connection of its own. Disposing ends that. */
export interface OpenElection extends AsyncDisposable {
  readonly candidate: LeaderElection
}

/** The candidate; nothing is asked yet. */
export function openElection(values: ElectionValues, options: OpenElectionOptions): OpenElection {
  const { credentials, cluster, identity, metrics, context } = options
  const { clock, log, version } = context
  const name = values.leaderElectName ?? `kubedelta-${cluster}`
  const namespace = values.leaderElectNamespace ?? credentials.namespace ?? 'default'
  // Of its own: a Lease must not wait behind the lists of --qps.
  const client = createWritingKubeClient({ credentials, userAgent: `kubedelta/${version}/leader-election`, clock, log })
  const gauge = metrics.gauge(
    'leader_election_master_status',
    'Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master',
    ['name'],
  )
  const candidate = new LeaderElection({
    store: createLeaseStore({ client, namespace, name }),
    identity,
    timing: electionTiming(values),
    clock: steadyClock,
    wallNow: () => clock.now(),
    random: Math.random,
    setMaster: (isMaster) => gauge.set({ name }, isMaster ? 1 : 0),
    log,
  })
  return { candidate, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
}
