// needs: kafka, control-plane
// The benchmark of the bridge runs to its end, at a size that says nothing about speed.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BridgeReport } from '../../bench/support/report.ts'

const PODS = 500

test('the benchmark bridges every pod, beside raw lists, and reports what it took', async () => {
  const command = fileURLToPath(new URL('../../bench/bridge.ts', import.meta.url))
  const args = [command, '--pods', String(PODS), '--rounds', '1', '--updates', '1', '--profile', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 })
  const report: BridgeReport = JSON.parse(stdout)
  assert.equal(report.pods, PODS)
  assert.ok(report.bytesOfPod > 5_000 && report.bytesOfPod < 8_000, `${report.bytesOfPod} bytes a pod`)
  assert.ok(report.lists.every((seconds) => seconds > 0))
  const [sync] = report.syncs
  assert.ok(sync !== undefined && sync.seconds > 0 && sync.processSeconds > sync.seconds && sync.cpuSeconds > 0)
  assert.ok(sync.peakRssBytes > 50e6, `${sync.peakRssBytes} bytes of peak RSS`)
  assert.equal(report.restart.keys, PODS)
  assert.ok((report.updates?.records ?? 0) > 1 && (report.updates?.p99Ms ?? 0) >= (report.updates?.p50Ms ?? Infinity))
  assert.ok((report.profile?.busySeconds ?? 0) > 0)
})
