// Runs the commands of an example's README, each in a process group of its own.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { bareEnvironment } from './environment.ts'
import { atProcessEnd } from './leftovers.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** A running example. Disposing kills what is left of it. */
export interface ExampleProcess extends AsyncDisposable {
  /** What it has written to stdout and stderr so far. */
  readonly lines: readonly string[]
  /** Resolves with its first line, old or new, for which this holds. @throws Error with its output when it ends before */
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

/** The commands of an example's README that run something of this checkout, in order. */
export function readmeCommands(example: string): readonly string[] {
  const readme = readFileSync(resolve(ROOT, 'examples', example, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/```sh\n([^`]*)```/g)].map(([, block = '']) => block)
  return blocks.flatMap((block) => block.split('\n')).filter((line) => line.includes('npm run '))
}

/** Starts a command as a shell does; `env` is all that it knows of the surroundings. */
export function startExample(command: string, env: Readonly<Record<string, string>> = {}): ExampleProcess {
  const child = spawn('sh', ['-c', command], {
    cwd: ROOT,
    // A terminal's Ctrl-C reaches the whole group: npm, its shell and the example.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: bareEnvironment('/nonexistent', env),
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
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line)
      changed()
    })
  }
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
        if (over) throw new Error(`Cannot wait for a line of ${command}: it has ended:\n${lines.join('\n')}`)
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
