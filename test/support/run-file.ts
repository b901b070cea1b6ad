// Runs one test file in a process of its own and reports what the test runner said of it.

import { readdirSync, readFileSync } from 'node:fs'
import { run } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
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

export interface RunFileOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Time for a file that was told to end to remove what it has left. @default 10_000 */
  readonly graceMs?: number
}

/** Runs the test file at `path`. It fails when it takes longer than `timeoutMs`, and when there is no test in it. */
export async function runFile(path: string, options: RunFileOptions): Promise<FileReport> {
  const { timeoutMs, signal, graceMs = 10_000 } = options
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
  if (timeout.aborted || signal.aborted) await endDeaf(path, graceMs)

  if (isEmpty) {
    counts = { passed: 0, failed: 1, skipped: 0 }
    failures.push('there is no test in it')
  }
  if (counts.failed > 0 && printed.length > 0) failures.push(`printed:\n${printed.join('').trimEnd()}`)
  return { ...counts, durationMs: performance.now() - start, failures, notes }
}

/** Waits for the end of the file's process, and kills one that does not hear SIGTERM since its event loop no longer turns. */
async function endDeaf(path: string, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs
  for (let pids = processesOf(path); pids.length > 0; pids = processesOf(path)) {
    if (performance.now() > deadline) for (const pid of pids) kill(pid)
    await pause(100)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It has ended by itself, which is what was wanted.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Children of this process that run the file; none where there is no /proc to tell of them. */
function processesOf(path: string): readonly number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
        return Number(parent) === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${path}\0`)
      } catch {
        // It has ended since, or was no process.
        return false
      }
    })
}

function failureOf(error: Error): { readonly failureType: unknown } {
  return { failureType: 'failureType' in error ? error.failureType : undefined }
}

/** What the test threw, which the runner wraps. */
function explain(error: Error): string {
  return inspect(error.cause ?? error, { depth: 6, breakLength: 120 })
}
