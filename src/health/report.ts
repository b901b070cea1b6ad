// What a health endpoint answers, in the form of the apiserver's own /livez and /readyz.

/** One thing looked at. */
export interface HealthCheck {
  /** From a bounded set: `event-loop`, `watch pods`. */
  readonly name: string
  readonly ok: boolean
  /** Why it is not, or what else is worth saying; may be empty. */
  readonly detail: string
}

/** `ok` decides the status; a check that failed need not fail the whole (a degraded resource, say). */
export interface HealthReport {
  readonly ok: boolean
  readonly checks: readonly HealthCheck[]
}

/** Reports in which every check counts. */
export function reportOf(checks: readonly HealthCheck[]): HealthReport {
  return { ok: checks.every((check) => check.ok), checks }
}

/** `ok`, or a line a check where something failed or everything is asked for. */
export function healthText(endpoint: 'livez' | 'readyz', report: HealthReport, detail: 'short' | 'verbose'): string {
  if (report.ok && detail === 'short') return 'ok'
  const lines = report.checks.map(({ name, ok, detail: reason }) => {
    const state = ok ? `[+]${name} ok` : `[-]${name} failed`
    return reason === '' ? state : `${state}: ${reason}`
  })
  return [...lines, `${endpoint} check ${report.ok ? 'passed' : 'failed'}`, ''].join('\n')
}
