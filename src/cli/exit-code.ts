// Says with which code the process ends.

import type { ErrorCode, KubedeltaError } from '../base/errors.ts'

/** 0 done or stopped by a signal; 1 failed while running; 2 wrong usage or configuration; 3 could not tell. */
export type ExitCode = 0 | 1 | 2 | 3

const CONFIGURATION: ReadonlySet<ErrorCode> = new Set([
  'usage',
  'unknown-resource',
  'bad-selector',
  'unauthorized',
  'forbidden',
  'topic-missing',
  'topic-unfit',
  'topic-foreign',
  'scope-changed',
  'partitions-changed',
  'unsupported',
])

/** The exit code of a failed command: 2 for what its caller has to set right first, 1 for the rest. */
export function exitCodeOf(error: KubedeltaError): ExitCode {
  return CONFIGURATION.has(error.code) ? 2 : 1
}
