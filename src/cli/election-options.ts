// The options of the leader election among several bridges, and what must hold among them.

import { KubedeltaError } from '../base/errors.ts'
import { JITTER_FACTOR, type ElectionTiming } from '../bridge/election-timing.ts'
import { checkNamespace } from './option-checks.ts'
import type { OptionSpec } from './option-spec.ts'

const ofElection = { commands: ['run'], group: 'Leader election' } as const

/** client-go's defaults (tools/leaderelection, as Kubernetes' own components set them). */
export const electionOptions = {
  leaderElect: {
    type: 'boolean',
    description: 'Take part in the election of one writer among several bridges, by a Lease in the cluster',
    ...ofElection,
  },
  leaderElectName: {
    type: 'string',
    placeholder: 'NAME',
    description: 'Name of the Lease: one for bridges of the same resources',
    defaultText: 'kubedelta-CLUSTER',
    ...ofElection,
  },
  leaderElectNamespace: {
    type: 'string',
    placeholder: 'NAME',
    description: 'Namespace of the Lease',
    defaultText: "the pod's, or that of the kubeconfig's context",
    ...ofElection,
  },
  leaderElectLeaseDuration: {
    type: 'duration',
    placeholder: 'DURATION',
    default: '15s',
    description: 'How long a standby waits for a leader that no longer renews the Lease',
    ...ofElection,
  },
  leaderElectRenewDeadline: {
    type: 'duration',
    placeholder: 'DURATION',
    default: '10s',
    description: 'How long a leader goes on writing without having renewed the Lease',
    ...ofElection,
  },
  leaderElectRetryPeriod: {
    type: 'duration',
    placeholder: 'DURATION',
    default: '2s',
    description: 'How often the Lease is looked at and renewed',
    ...ofElection,
  },
} as const satisfies Readonly<Record<string, OptionSpec>>

export interface ElectionValues {
  readonly leaderElectName: string | undefined
  readonly leaderElectNamespace: string | undefined
  readonly leaderElectLeaseDurationMs: number
  readonly leaderElectRenewDeadlineMs: number
  readonly leaderElectRetryPeriodMs: number
}

/** The times of the election. */
export function electionTiming(values: ElectionValues): ElectionTiming {
  return {
    leaseMs: values.leaderElectLeaseDurationMs,
    renewDeadlineMs: values.leaderElectRenewDeadlineMs,
    retryMs: values.leaderElectRetryPeriodMs,
  }
}

/** RFC 1123, as Kubernetes names most objects. */
const DNS_SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/

/** @throws KubedeltaError `usage` for names that no Lease can have, and for times that would let two lead or none */
export function checkElection(values: ElectionValues): void {
  const { leaderElectName: name, leaderElectNamespace: namespace } = values
  if (name !== undefined && !DNS_SUBDOMAIN.test(name)) {
    throw new KubedeltaError(
      'usage',
      `Cannot read --leader-elect-name: wanted the name of a Lease, lower case letters, digits, '-' and '.': current value is ${JSON.stringify(name)}`,
    )
  }
  if (namespace !== undefined) checkNamespace(namespace, '--leader-elect-namespace')
  const { leaseMs, renewDeadlineMs, retryMs } = electionTiming(values)
  const jittered = retryMs * JITTER_FACTOR
  if (leaseMs < 1000) throw unfit('--leader-elect-lease-duration', 'at least 1s', leaseMs)
  if (retryMs <= 0) throw unfit('--leader-elect-retry-period', 'more than 0', retryMs)
  if (renewDeadlineMs >= leaseMs) {
    throw unfit(
      '--leader-elect-renew-deadline',
      `less than --leader-elect-lease-duration ${leaseMs}ms`,
      renewDeadlineMs,
    )
  }
  if (renewDeadlineMs <= jittered) {
    const wanted = `more than ${JITTER_FACTOR} times --leader-elect-retry-period ${retryMs}ms`
    throw unfit('--leader-elect-renew-deadline', wanted, renewDeadlineMs)
  }
}

function unfit(flag: string, wanted: string, ms: number): KubedeltaError {
  return new KubedeltaError('usage', `Cannot elect a leader: wanted ${flag} ${wanted}: current value is ${ms}ms`)
}
