import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import type { ErrorCode } from '../../../src/base/errors.ts'
import { exitCodeOf } from '../../../src/cli/exit-code.ts'

/** Written out over the whole list, so that a new code needs a decision here. */
const wanted: Readonly<Record<ErrorCode, 1 | 2>> = {
  usage: 2,
  'unknown-resource': 2,
  'bad-selector': 2,
  unauthorized: 2,
  forbidden: 2,
  unreachable: 1,
  timeout: 1,
  expired: 1,
  'too-large-resource-version': 1,
  throttled: 1,
  server: 1,
  'not-found': 1,
  'topic-missing': 2,
  'topic-unfit': 2,
  'topic-foreign': 2,
  'scope-changed': 2,
  'partitions-changed': 2,
  fenced: 1,
  'too-large': 1,
  rejected: 1,
  'offset-out-of-range': 1,
  'log-truncated': 1,
  'topic-recreated': 1,
  'lease-lost': 1,
  corrupt: 1,
  'unknown-schema': 1,
  unsupported: 2,
  aborted: 1,
  internal: 1,
}

test('what its caller has to set right ends with 2, what fails while running with 1', () => {
  const codes = Object.keys(wanted).filter((code): code is ErrorCode => code in wanted)
  const actual = Object.fromEntries(codes.map((code) => [code, exitCodeOf(new KubedeltaError(code, 'x'))]))
  assert.deepEqual(actual, wanted)
})
