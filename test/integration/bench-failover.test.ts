// needs: kafka, control-plane
// The benchmark of failovers runs to its end with quick times, which say nothing about client-go's.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { FailoverFigures } from '../../bench/failover.ts'

test('the benchmark has a standby take over from each ending of a leader, and reports the gaps', async () => {
  const command = fileURLToPath(new URL('../../bench/failover.ts', import.meta.url))
  const args = [command, '--timing', 'quick', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 })
  const figures: readonly FailoverFigures[] = JSON.parse(stdout)
  assert.deepEqual(
    figures.map(({ timing, ending }) => `${timing} ${ending}`),
    ['quick SIGTERM', 'quick SIGSTOP', 'quick SIGKILL'],
  )
  for (const { gapSeconds } of figures) assert.ok(gapSeconds > 0, `${gapSeconds} s`)
})
