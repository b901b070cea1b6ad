// Starts a server as a child process that never outlives this one, its output in a file.

import { spawn } from 'node:child_process'
import type { StdioOptions } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { atProcessEnd } from './leftovers.ts'

export interface ChildOptions {
  /** Takes the output of both streams, appended: a restart goes on in the same file. */
  readonly logFile: string
  /** @default the environment of this process */
  readonly env?: NodeJS.ProcessEnv
}

/** A running server. */
export interface Child extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  /** Resolves with how it ended, once it has. */
  readonly exited: Promise<string>
  /** How it ended, while it has. */
  readonly ending: string | undefined
  signal(signal: NodeJS.Signals): void
  /** Sends SIGTERM and waits for the end. @throws Error when it has not ended within `timeoutMs` (default 60 s); it is killed then */
  stop(timeoutMs?: number): Promise<void>
  /** Sends SIGKILL and waits for the end. */
  kill(): Promise<void>
  /** The last lines of its output. */
  log(): string
}

// util-linux: the kernel sends SIGKILL to the child when its parent dies, SIGKILL of the parent included.
const SETPRIV = '/usr/bin/setpriv'

/** Starts `command`; it is running, not ready, when this returns. @throws Error when the command cannot be started */
export async function startChild(command: string, args: readonly string[], options: ChildOptions): Promise<Child> {
  const { logFile, env = process.env } = options
  const name = command.split('/').at(-1) ?? command
  const out = openSync(logFile, 'a')
  const stdio: StdioOptions = ['ignore', out, out]
  const started = existsSync(SETPRIV)
    ? spawn(SETPRIV, ['--pdeathsig', 'KILL', command, ...args], { stdio, env })
    : spawn(command, args, { stdio, env })
  closeSync(out)
  const pid = await new Promise<number>((resolve, reject) => {
    started.once('error', (cause) => reject(new Error(`Cannot start ${name}: ${cause.message}`, { cause })))
    started.once('spawn', () => resolve(started.pid ?? Number.NaN))
  })
  const forget = atProcessEnd(() => started.kill('SIGKILL'))
  let ending: string | undefined
  const exited = new Promise<string>((resolve) => {
    started.once('exit', (code, signal) => {
      forget()
      ending = signal === null ? `exit code ${String(code)}` : signal
      resolve(ending)
    })
  })

  async function kill(): Promise<void> {
    if (ending === undefined) started.kill('SIGKILL')
    await exited
  }

  return {
    name,
    pid,
    exited,
    get ending() {
      return ending
    },
    signal(signal) {
      if (ending !== undefined) throw new Error(`Cannot send ${signal} to ${name}: it has ended with ${ending}`)
      started.kill(constants.signals[signal])
    },
    async stop(timeoutMs = 60_000) {
      if (ending !== undefined) return
      started.kill('SIGTERM')
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<'late'>((resolve) => {
        timer = setTimeout(() => resolve('late'), timeoutMs)
      })
      const outcome = await Promise.race([exited, late])
      clearTimeout(timer)
      if (outcome !== 'late') return
      await kill()
      throw new Error(`Cannot stop ${name}: wanted an end within ${timeoutMs} ms of SIGTERM:\n${tail(logFile)}`)
    },
    kill,
    log: () => tail(logFile),
    [Symbol.asyncDispose]: kill,
  }
}

/** The last `lines` lines of a file, for a failure's message. */
export function tail(file: string, lines = 60): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
}
