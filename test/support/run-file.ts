// Runs one test file in a process of its own and reports what the test runner said of it.

import { run } from 'node:test'
import { inspect } from 'node:util'

/** How many tests ended how; files and suites are not counted. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  /** Skipped or marked as to do. */
  readonly skipped: number
}

export interface FileReport extends Counts {
  readonly durationMs: number
  /** Each failure in full; the last entry is what the file printed. Empty when nothing failed. */
  readonly failures: readonly string[]
  /** What tests said with `t.diagnostic()`: figures worth showing when all is well. */
  readonly notes: readonly string[]
}

/** Runs the test file at `path`. It fails when it takes longer than `timeoutMs`, and when there is no test in it. */
export async function runFile(path: string, options: { timeoutMs: number; signal: AbortSignal }): Promise<FileReport> {
  const { timeoutMs, signal } = options
  const start = performance.now()
  const failures: string[] = []
  const notes: string[] = []
  const printed: string[] = []
  let counts: Counts = { passed: 0, failed: 1, skipped: 0 }
  let isEmpty = false

  // The option `timeout` of run() is for single tests: with it, a file that never ends hangs forever.
  const timeout = AbortSignal.timeout(timeoutMs)
  const events = run({
    files: [path],
    isolation: 'process',
    concurrency: 1,
    signal: AbortSignal.any([signal, timeout]),
  })
  events.on('test:stdout', ({ message }) => printed.push(message))
  events.on('test:stderr', ({ message }) => printed.push(message))
  events.on('test:diagnostic', ({ message, file }) => {
    // Those without a file are the counts, as text.
    if (file !== undefined) notes.push(message)
  })
  const running = new Set<string>()
  events.on('test:dequeue', ({ name }) => running.add(name))
  events.on('test:complete', ({ name }) => running.delete(name))
  events.on('test:pass', ({ name }) => {
    isEmpty ||= name === path
  })
  events.on('test:fail', ({ name, todo, details: { error } }) => {
    if (todo !== undefined && todo !== false) return
    const { failureType } = failureOf(error)
    // A suite or a parent that failed only because of what is inside it repeats what stands there already.
    if (failureType === 'subtestsFailed') return
    if (name !== path) {
      failures.push(`${name}\n${explain(error)}`)
    } else if (timeout.aborted) {
      const open = [...running].filter((each) => each !== path)
      const where = open.length === 0 ? 'after its tests: something was left open' : `in: ${open.join(' > ')}`
      failures.push(`not finished after ${timeoutMs / 1000} s, ${where}`)
    } else {
      failures.push(signal.aborted ? 'stopped' : 'the file failed outside its tests')
    }
  })
  events.on('test:summary', ({ counts: { tests, passed, skipped, todo } }) => {
    // The last one is for the whole run. What was cancelled did not pass.
    counts = { passed, failed: tests - passed - skipped - todo, skipped: skipped + todo }
  })
  await new Promise<void>((resolve, reject) => {
    events.once('end', resolve).once('error', reject)
    events.resume()
  })

  if (isEmpty) {
    counts = { passed: 0, failed: 1, skipped: 0 }
    failures.push('there is no test in it')
  }
  if (counts.failed > 0 && printed.length > 0) failures.push(`printed:\n${printed.join('').trimEnd()}`)
  return { ...counts, durationMs: performance.now() - start, failures, notes }
}

function failureOf(error: Error): { readonly failureType: unknown } {
  return { failureType: 'failureType' in error ? error.failureType : undefined }
}

/** What the test threw, which the runner wraps. */
function explain(error: Error): string {
  return inspect(error.cause ?? error, { depth: 6, breakLength: 120 })
}
