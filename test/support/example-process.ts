// Runs an example as its README says, in a process group of its own.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { atProcessEnd } from './leftovers.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** A running example. Disposing kills what is left of it. */
export interface ExampleProcess extends AsyncDisposable {
  /** What it has written to stdout so far. */
  readonly lines: readonly string[]
  /** Resolves with the first line of stdout, old or new, for which this holds. @throws Error with its output when it ends before */
  line(isIt: (line: string) => boolean): Promise<string>
  /** Resolves with its end. Interrupted, npm ends by the signal itself whatever the example does, so `stderr`, without npm's own lines, tells. */
  readonly ended: Promise<ExampleEnd>
  /** Ends it as Ctrl-C does. */
  interrupt(): void
}

export interface ExampleEnd {
  readonly code: number | null
  readonly stderr: string
}

/** The command of an example's README: the last line of its first block of shell. */
export function readmeCommand(example: string): string {
  const readme = readFileSync(resolve(ROOT, 'examples', example, 'README.md'), 'utf8')
  const command = /```sh\n(?<block>[^`]*)```/.exec(readme)?.groups?.['block']?.trimEnd().split('\n').at(-1)
  if (command === undefined) throw new Error(`Cannot run example ${example}: wanted a block of shell in its README.md`)
  return command
}

/** Starts an example by the command of its README. */
export function startExample(example: string, env: Readonly<Record<string, string>>): ExampleProcess {
  const child = spawn('sh', ['-c', readmeCommand(example)], {
    cwd: ROOT,
    // A terminal's Ctrl-C reaches the whole group: npm, its shell and the example.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
  })
  const group = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch (error) {
      // The group has ended, which is what was wanted.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
    }
  }
  const forget = atProcessEnd(() => group('SIGKILL'))
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let stderr = ''
  let over = false
  const changed = (): void => {
    for (const wake of waiting) wake()
    waiting.clear()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    changed()
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const ended = new Promise<ExampleEnd>((done, fail) => {
    child.once('error', fail)
    child.once('close', (code) => {
      over = true
      forget()
      changed()
      done({ code, stderr: stderr.replaceAll(/^npm (?:warn|notice) .*\n/gm, '') })
    })
  })
  return {
    lines,
    ended,
    async line(isIt) {
      for (;;) {
        const found = lines.find(isIt)
        if (found !== undefined) return found
        if (over) throw new Error(`Cannot wait for a line of ${example}: it has ended:\n${lines.join('\n')}\n${stderr}`)
        await new Promise<void>((wake) => waiting.add(wake))
      }
    },
    interrupt: () => group('SIGINT'),
    async [Symbol.asyncDispose]() {
      group('SIGKILL')
      await ended
    },
  }
}
