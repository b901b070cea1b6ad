// What the probes of a bridge answer, from what its resources say about themselves.

import type { Clock } from '../base/clock.ts'
import type { Bridge } from '../bridge/bridge.ts'
import type { CandidateStatus, ResourceHealth } from '../bridge/status.ts'
import { liveness, type Activity } from '../health/liveness.ts'
import type { HealthCheck } from '../health/report.ts'
import type { HealthSource } from '../health/server.ts'
import { nameOfGroup } from './watch-groups.ts'

export interface BridgeHealthOptions {
  /** API groups whose resources '*' would take, had discovery reached them. @default none */
  readonly unreachableGroups?: () => readonly string[]
}

/**
 * Live unless a restart would mend something; ready once every resource that is not degraded has synced.
 * A degraded resource or group shows, but never makes the whole unready. A standby is ready once its index has caught up.
 */
export function bridgeHealth(
  bridge: Pick<Bridge, 'health' | 'candidate'>,
  clock: Clock,
  { unreachableGroups = () => [] }: BridgeHealthOptions = {},
): HealthSource {
  return {
    live: () => liveness(bridge.health().flatMap(activitiesOf), clock.now()),
    ready() {
      const resources = bridge.health()
      const candidate = bridge.candidate()
      // Before its first look at the Lease it may be about to lead.
      const isStandby = candidate?.role === 'standby' && candidate.holder !== ''
      const started: HealthCheck = {
        name: 'topics',
        ok: isStandby || resources.length > 0,
        detail: isStandby || resources.length > 0 ? '' : 'not read and checked yet',
      }
      const waiting = resources.some(({ synced, degraded }) => !synced && degraded === undefined)
      const election = candidate === undefined ? [] : [checkOfElection(candidate)]
      return {
        ok: started.ok && !waiting,
        checks: [started, ...election, ...resources.map(checkOf), ...unreachableGroups().map(checkOfGroup)],
      }
    },
  }
}

/** Its own role never makes a bridge unready: a standby has caught up, and a leader that pauses has what its topics hold. */
function checkOfElection({ role, holder }: CandidateStatus): HealthCheck {
  const name = 'leader-election'
  switch (role) {
    case 'starting':
      return { name, ok: true, detail: 'not a candidate yet' }
    case 'standby':
      return { name, ok: true, detail: holder === '' ? 'standby' : `standby of ${holder}` }
    case 'leading':
      return { name, ok: true, detail: 'leading' }
    case 'paused':
      return { name, ok: false, detail: 'leading, but writing is paused: the Lease has not been renewed in time' }
    case 'lost':
      return { name, ok: false, detail: holder === '' ? 'the Lease is lost' : `the Lease is lost to ${holder}` }
    default:
      return role satisfies never
  }
}

function checkOfGroup(group: string): HealthCheck {
  return { name: nameOfGroup(group), ok: false, detail: 'degraded: discovery could not reach this group' }
}

function checkOf({ name, synced, degraded }: ResourceHealth): HealthCheck {
  if (degraded !== undefined) return { name, ok: false, detail: `degraded: ${degraded}` }
  return { name, ok: synced, detail: synced ? '' : 'its first list is not on the topic yet' }
}

function activitiesOf({ name, watches, writer }: ResourceHealth): readonly Activity[] {
  const activities = watches.flatMap((watch): readonly Activity[] => {
    const { watchEndsAtMs, lastAttemptAtMs, phase } = watch
    if (watchEndsAtMs !== undefined) return [{ kind: 'watch', name: `watch ${name}`, timeoutAtMs: watchEndsAtMs }]
    if (phase === 'watching' || lastAttemptAtMs === undefined) return []
    return [{ kind: 'attempt', name: `reflector ${name}`, lastAttemptAtMs }]
  })
  const lane = writer?.lastAttemptAtMs
  return lane === undefined
    ? activities
    : [...activities, { kind: 'attempt', name: `lane ${name}`, lastAttemptAtMs: lane }]
}
