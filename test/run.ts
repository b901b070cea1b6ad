// Runs test classes and closes with one count: `node test/run.ts [CLASS...] [--filter PART-OF-A-FILE-NAME]`.
//
// What a machine cannot run is named at the end; with CI set in the environment that, and a skipped test, is a failure.

import { execFile } from 'node:child_process'
import { glob } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { temporaryFolder } from './support/leftovers.ts'
import { runFile } from './support/run-file.ts'
import type { FileReport } from './support/run-file.ts'
import { needsOf, Provider } from './support/run-needs.ts'

type TestClass =
  /** A script of package.json that passes or fails as one test. */
  | { readonly kind: 'script'; readonly script: string }
  /** The files test/<class>/**\/*.test.ts. */
  | { readonly kind: 'files'; readonly atOnce: number; readonly timeoutMs: number }

const IN_MEMORY = { kind: 'files', atOnce: Math.min(2, availableParallelism()), timeoutMs: 300_000 } as const

const CLASSES: Readonly<Record<string, TestClass>> = {
  types: { kind: 'script', script: 'types' }, // test/types holds files that compile or do not
  lint: { kind: 'script', script: 'lint' },
  format: { kind: 'script', script: 'format:check' },
  unit: IN_MEMORY,
  property: IN_MEMORY,
  contract: IN_MEMORY,
  fuzz: { kind: 'files', atOnce: Math.min(2, availableParallelism()), timeoutMs: 600_000 },
  integration: { kind: 'files', atOnce: 1, timeoutMs: 600_000 },
  chaos: { kind: 'files', atOnce: 1, timeoutMs: (Number(process.env['KUBEDELTA_CHAOS_SECONDS'] ?? 180) + 420) * 1_000 },
}

const ROOT = resolve(import.meta.dirname, '..')
const execute = promisify(execFile)

interface Totals {
  passed: number
  failed: number
  skipped: number
  /** Names of what could not run, under the reason. */
  readonly leftOut: Map<string, string[]>
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort(new Error(signal)))
process.exitCode = await main(stopping.signal)

async function main(signal: AbortSignal): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { filter: { type: 'string', default: '' } },
  })
  const unknown = positionals.find((name) => !Object.hasOwn(CLASSES, name))
  if (unknown !== undefined) {
    process.stderr.write(
      `Cannot run tests: wanted classes of ${Object.keys(CLASSES).join(', ')}: current value is ${unknown}\n`,
    )
    return 2
  }
  // Modules are compiled once a run, not once a process: that is a third of what a short command takes.
  using compiled = temporaryFolder('compiled')
  process.env['NODE_COMPILE_CACHE'] ??= compiled.path
  const totals: Totals = { passed: 0, failed: 0, skipped: 0, leftOut: new Map() }
  const provider = new Provider()
  for (const [name, testClass] of Object.entries(CLASSES)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    if (signal.aborted) break
    if (testClass.kind === 'script') {
      if (name.includes(values.filter)) report(name, await runScript(testClass.script), totals)
    } else {
      const files = (await testFiles(name)).filter((file) => file.includes(values.filter))
      await runFiles(files, testClass, { totals, provider, signal })
    }
  }
  return conclude(totals, signal)
}

async function testFiles(name: string): Promise<string[]> {
  const files: string[] = []
  for await (const file of glob(`test/${name}/**/*.test.ts`, { cwd: ROOT })) files.push(file)
  return files.toSorted()
}

interface RunContext {
  readonly totals: Totals
  readonly provider: Provider
  readonly signal: AbortSignal
}

async function runFiles(
  files: readonly string[],
  { atOnce, timeoutMs }: { atOnce: number; timeoutMs: number },
  { totals, provider, signal }: RunContext,
): Promise<void> {
  const queue = files.values()
  // Each worker takes the next file of the one shared iterator.
  async function work(): Promise<void> {
    for (const file of queue) {
      if (signal.aborted) return
      const name = file.replace(/^test\//, '').replace(/\.test\.ts$/, '')
      const path = join(ROOT, file)
      const obstacle = await provider.provide(await needsOf(path))
      if (obstacle === undefined) {
        report(name, await runFile(path, { timeoutMs, signal }), totals)
      } else {
        totals.leftOut.set(obstacle, [...(totals.leftOut.get(obstacle) ?? []), name])
        process.stdout.write(`${name} ... not run: ${obstacle}\n`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

async function runScript(script: string): Promise<FileReport> {
  const start = performance.now()
  const failure = await execute('npm', ['run', '-s', script], { cwd: ROOT, maxBuffer: 64 << 20 }).then(
    () => undefined,
    ({ message, stdout = '', stderr = '' }: Error & { stdout?: string; stderr?: string }) =>
      `${stdout}${stderr}`.trimEnd() || message,
  )
  const outcome =
    failure === undefined ? { passed: 1, failed: 0, failures: [] } : { passed: 0, failed: 1, failures: [failure] }
  return { ...outcome, skipped: 0, notes: [], durationMs: performance.now() - start }
}

function report(name: string, file: FileReport, totals: Totals): void {
  totals.passed += file.passed
  totals.failed += file.failed
  totals.skipped += file.skipped
  const parts = [`${file.passed} passed`]
  if (file.failed > 0) parts.push(`${file.failed} FAILED`)
  if (file.skipped > 0) parts.push(`${file.skipped} skipped`)
  const lines = [`${name} ... ${parts.join(', ')} (${(file.durationMs / 1000).toFixed(1)} s)`]
  for (const note of file.notes) lines.push(`  ${note}`)
  for (const failure of file.failures) lines.push(`  FAILED ${name}: ${failure.replaceAll('\n', '\n    ')}`)
  process.stdout.write(`${lines.join('\n')}\n`)
}

function conclude(totals: Totals, signal: AbortSignal): number {
  const { passed, failed, skipped, leftOut } = totals
  const reasons = [...leftOut].map(([reason, names]) => `${names.join(', ')} (${reason})`)
  if (signal.aborted) reasons.push(`the rest (stopped by ${String(signal.reason?.message)})`)
  const lines = [`\n${passed} passed, ${failed} failed, ${skipped} skipped`]
  const isComplete = reasons.length === 0 && skipped === 0
  const isStrict = Boolean(process.env['CI'])
  lines.push(`could not run: ${reasons.length === 0 ? 'nothing' : reasons.join('; ')}`)
  if (isStrict && !isComplete) lines.splice(0, 0, '\nwith CI set, what is skipped or cannot run is a failure')
  process.stdout.write(`${lines.join('\n')}\n`)
  if (signal.aborted) return 130
  // A filter that matches nothing is a slip, not a success.
  if (passed + failed + skipped === 0 && reasons.length === 0) return 1
  return failed === 0 && (isComplete || !isStrict) ? 0 : 1
}
