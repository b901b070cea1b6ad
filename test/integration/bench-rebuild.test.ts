// needs: kafka
// The benchmark of rebuilding caches runs to its end, at a size that says nothing about speed.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { RebuildReport } from '../../bench/support/rebuild-report.ts'

const RECORDS = 3_000
const KEYS = 1_000

test('the benchmark rebuilds every key, plain and compressed, beside kafkajs, and reports what it took', async () => {
  const command = fileURLToPath(new URL('../../bench/rebuild.ts', import.meta.url))
  const sizes = ['--records', String(RECORDS), '--keys', String(KEYS), '--small-objects', '2000', '--rounds', '1']
  const args = [command, ...sizes, '--profile', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 300_000 })
  const report: RebuildReport = JSON.parse(stdout)
  assert.deepEqual(
    report.topics.map(({ compression }) => compression),
    ['none', 'gzip', 'zstd'],
  )
  for (const { bytesOfObject, rounds } of report.topics) {
    assert.ok(bytesOfObject > 2_000 && bytesOfObject < 2_600, `${bytesOfObject} bytes an object`)
    assert.deepEqual(
      rounds.map(({ kind }) => kind),
      ['cache', 'map', 'parse', 'save', 'resume'],
    )
    for (const { kind, objects, seconds, peakRssBytes, totalBytes } of rounds) {
      // The plain consumer takes the key of the progress record for one more object.
      assert.equal(objects, kind === 'map' || kind === 'parse' ? KEYS + 1 : KEYS, kind)
      assert.ok(seconds > 0 && peakRssBytes > 50e6, kind)
      assert.ok(totalBytes > KEYS * 1_000, `${kind} holds ${totalBytes} bytes`)
    }
  }
  const [small] = report.small?.rounds ?? []
  assert.equal(small?.objects, 2_000)
  assert.ok(small.longestPauseMs > 0)
  assert.ok((report.profile?.busySeconds ?? 0) > 0)
})
