// What the runner does with a test file that exceeds its limit.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { FileReport } from '../support/run-file.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'

const SUPPORT = new URL('../support/', import.meta.url).href

// Both wait for the limit: side by side.
describe('a file that exceeds its limit', { concurrency: true }, () => {
  test('is ended with its servers, and the test is named', async () => {
    const { failed, failures, pid } = await runOnce('await new Promise(() => setInterval(() => {}, 1_000))')
    assert.equal(failed, 1)
    assert.match(failures[0] ?? '', /^not finished after 8 s, in: stays$/)
    await untilEnded(pid)
  })

  test('is killed with its servers when its event loop no longer turns', async () => {
    const { failed, failures, pid } = await runOnce('for (;;) {}')
    assert.equal(failed, 1)
    assert.match(failures[0] ?? '', /^not finished after 8 s/)
    await untilEnded(pid)
  })
})

/** Runs a file with one test that starts a server, says its process, and then does this. */
async function runOnce(then: string): Promise<FileReport & { readonly pid: number }> {
  using folder = temporaryFolder('run-file')
  const path = join(folder.path, 'stays.test.ts')
  const pidFile = join(folder.path, 'pid')
  const server = `'/usr/bin/sleep', ['600'], { logFile: ${JSON.stringify(join(folder.path, 'log'))} }`
  writeFileSync(
    path,
    `import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { startChild } from '${SUPPORT}child.ts'
test('stays', async () => {
  const { pid } = await startChild(${server})
  writeFileSync(${JSON.stringify(pidFile)}, String(pid))
  ${then}
})
`,
  )
  const program = join(folder.path, 'run.ts')
  writeFileSync(
    program,
    `import { readFileSync } from 'node:fs'
import { runFile } from '${SUPPORT}run-file.ts'
const signal = new AbortController().signal
const report = await runFile(${JSON.stringify(path)}, { timeoutMs: 8_000, graceMs: 1_000, signal })
console.log(JSON.stringify({ ...report, pid: Number(readFileSync(${JSON.stringify(pidFile)}, 'utf8')) }))
`,
  )
  // Within a test file no further one would be run.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env })
  return JSON.parse(stdout)
}

async function untilEnded(pid: number): Promise<void> {
  await ready(async () => assert.throws(() => process.kill(pid, 0)), { what: `the end of process ${pid}` })
}
