// Says whether a restart would mend something: the rules of /livez, as functions over what was last seen.

import { reportOf } from './report.ts'
import type { HealthCheck, HealthReport } from './report.ts'

/** Something under way, which alone can be late: a lane without records, for example, is not listed. */
export type Activity =
  /** An open watch, and when the server should have closed it by the timeout that was asked for. */
  | { readonly kind: 'watch'; readonly name: string; readonly timeoutAtMs: number }
  /** A lane with records to write, or a reflector without an open watch; when it last tried. */
  | { readonly kind: 'attempt'; readonly name: string; readonly lastAttemptAtMs: number }

/** How long a watch may be open past its own timeout. */
const WATCH_OVERDUE_MS = 30_000

/** How long something may go without an attempt. */
const IDLE_MS = 300_000

/**
 * A report over all activities. Failures of others are no reason for a restart: a reflector that is refused again and again, or a
 * lane whose broker is away, is live as long as it tries.
 * @param nowMs milliseconds since the Unix epoch, as the activities' times
 */
export function liveness(activities: Iterable<Activity>, nowMs: number): HealthReport {
  return reportOf(
    Array.from(activities, (activity): HealthCheck => {
      switch (activity.kind) {
        case 'watch': {
          const overdueMs = nowMs - activity.timeoutAtMs
          return check(activity.name, overdueMs < WATCH_OVERDUE_MS, `open ${seconds(overdueMs)} past its own timeout`)
        }
        case 'attempt': {
          const sinceMs = nowMs - activity.lastAttemptAtMs
          return check(activity.name, sinceMs < IDLE_MS, `no attempt for ${seconds(sinceMs)}`)
        }
        default:
          return activity satisfies never
      }
    }),
  )
}

/** Whether the event loop still turns; `silentMs` is the time since it last did. */
export function loopCheck(silentMs: number, blockedAfterMs: number): HealthCheck {
  return check('event-loop', silentMs < blockedAfterMs, `blocked for ${seconds(silentMs)}`)
}

function check(name: string, ok: boolean, problem: string): HealthCheck {
  return { name, ok, detail: ok ? '' : problem }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
