// What is published, and what a checkout promises: files, versions, scripts, and what each test says it needs.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import manifest from '../../package.json' with { type: 'json' }
import { needsOf } from '../support/run-needs.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const execute = promisify(execFile)

test('the published package holds the command, its schemas and its docs, and no tests', async () => {
  const { stdout } = await execute('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT })
  const paths = [...stdout.matchAll(/"path": "([^"]+)"/g)].map(([, path = '']) => path)
  for (const wanted of ['package.json', 'bin/kubedelta.js', 'schemas/record.avsc', 'docs/wire-format.md']) {
    assert.ok(paths.includes(wanted), `${wanted} is missing`)
  }
  const roots = new Set(paths.filter((path) => path.includes('/')).map((path) => path.split('/', 1)[0]))
  assert.deepEqual(
    [...roots].filter((root) => !['bin', 'dist', 'docs', 'schemas'].includes(root ?? '')),
    [],
  )
})

test('kafkajs is pinned, since the adapter reaches behind its public face', () => {
  assert.equal(manifest.dependencies.kafkajs, '2.2.4')
})

test('scripts run on the Node that the tests were written for, whatever Node the machine has', () => {
  assert.match(manifest.devDependencies.node, /^24\./)
  assert.equal(manifest.allowScripts.node, true)
  assert.match(process.versions.node, /^24\./)
})

test('every script starts a file that is there', () => {
  for (const [name, command] of Object.entries(manifest.scripts)) {
    for (const [, file = ''] of command.matchAll(/(?:node|sh) ([\w./-]+\.(?:ts|js|sh))/g)) {
      assert.ok(existsSync(join(ROOT, file)), `script ${name} starts ${file}, which is missing`)
    }
  }
})

test('each integration test names the real parts that it reaches', async () => {
  const parts = new Map([
    ['test/support/kafka.ts', 'kafka'],
    ['test/support/kafka-certificates.ts', 'openssl'],
    ['test/support/control-plane.ts', 'control-plane'],
    ['test/support/go-tool.ts', 'go'],
    ['test/support/helm.ts', 'helm'],
  ])
  const folder = join(ROOT, 'test/integration')
  const wanted: string[] = []
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.test.ts'))) {
    const file = join(folder, name)
    const named: readonly string[] = await needsOf(file)
    const reached = [...reachedFrom(file, new Set(parts.keys()))].map((part) => parts.get(part) ?? part)
    if (!reached.every((need) => named.includes(need))) wanted.push(`${name}: // needs: ${reached.join(', ')}`)
  }
  assert.deepEqual(wanted, [])
})

/** Which of `ends` the file imports, over others of test/ too; the search stops there. */
function reachedFrom(start: string, ends: ReadonlySet<string>): ReadonlySet<string> {
  const reached = new Set<string>()
  const seen = new Set<string>()
  const queue = [start]
  for (const file of queue) {
    if (seen.has(file)) continue
    seen.add(file)
    // A type alone needs nothing at run time.
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/^import (?!type)[^']*'(\.[^']+\.ts)'/gm)) {
      const target = join(dirname(file), specifier)
      const path = relative(ROOT, target)
      if (ends.has(path)) reached.add(path)
      else if (path.startsWith('test/')) queue.push(target)
    }
  }
  return reached
}
