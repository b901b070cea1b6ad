// The times of a leader election.

/** Milliseconds each; client-go's defaults are 15 s, 10 s and 2 s. */
export interface ElectionTiming {
  /** How long others wait for a leader that no longer renews. */
  readonly leaseMs: number
  /** After this time without renewal a leader writes no more. Less than `leaseMs`. */
  readonly renewDeadlineMs: number
  /** Between two looks at the Lease. Less than `renewDeadlineMs`, jitter included. */
  readonly retryMs: number
}

/** client-go tools/leaderelection/leaderelection.go, JitterFactor: candidates that wait for one Lease do not ask at once. */
export const JITTER_FACTOR = 1.2
