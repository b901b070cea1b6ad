// Runs kubedelta as its users do: the installed command, in a process of its own.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { startChild } from './child.ts'
import { bareEnvironment } from './environment.ts'
import { temporaryFolder } from './leftovers.ts'
import { reservePorts } from './ports.ts'
import { ready } from './ready.ts'

/** Name of the cluster in every story. */
export const CLUSTER = 'test'

const BIN = resolve(import.meta.dirname, '../../bin/kubedelta.js')

export interface BridgeOptions {
  /** `HOST:PORT,...` of Kafka. */
  readonly brokers: string
  readonly kubeconfig: string
  /** What follows `run --to ... --cluster ... --kubeconfig ...`. */
  readonly args: readonly string[]
  /** Options of Node itself. */
  readonly node?: readonly string[]
  /** Environment variables beside PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>
}

/** A running `kubedelta run`. Disposing kills it. */
export interface BridgeProcess extends AsyncDisposable {
  readonly pid: number
  /** Resolves with how it ended, once it has: `exit code 1`, `SIGKILL`. */
  readonly exited: Promise<string>
  /** Asks one of /livez, /readyz, /metrics. */
  get(path: string): Promise<{ readonly status: number; readonly text: string }>
  /** Resolves once /readyz says ok. @throws Error with what it said last, or with its log when it has ended */
  ready(): Promise<void>
  /** The sum of the samples whose labels include these; 0 where there is none. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  signal(signal: NodeJS.Signals): void
  /** Ends it as an operator does: SIGTERM. @throws AssertionError unless it ends with 0 */
  stop(): Promise<void>
  /** Ends it as a crash does: SIGKILL. */
  kill(): Promise<void>
  /** All that it wrote, stderr and stdout. */
  output(): string
}

/** Starts a bridge; its probes listen when this resolves, it is ready only after `ready()`. */
export async function startBridge({
  brokers,
  kubeconfig,
  args,
  node = [],
  env: more = {},
}: BridgeOptions): Promise<BridgeProcess> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(temporaryFolder('bridge'))
  const [port = 0] = stack.use(await reservePorts(1)).ports
  const logFile = join(folder.path, 'output.log')
  const where = ['--to', `kafka://${brokers}`, '--cluster', CLUSTER, '--kubeconfig', kubeconfig]
  const command = [...node, BIN, 'run', ...where, '--metrics-listen', `127.0.0.1:${port}`, ...args]
  const env = bareEnvironment(folder.path, more)
  const child = stack.use(await startChild(process.execPath, command, { logFile, env }))
  const life = stack.move()

  const get: BridgeProcess['get'] = async (path) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: answer.status, text: await answer.text() }
  }
  const answersOk = async (path: string): Promise<void> => {
    const { status, text } = await get(path)
    if (status !== 200) throw new Error(text)
  }
  return {
    pid: child.pid,
    exited: child.exited,
    get,
    ready: () => ready(() => answersOk('/readyz'), { what: 'a ready bridge', children: [child] }),
    async metric(name, labels = {}) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
      const samples = (await get('/metrics')).text
        .split('\n')
        .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
        .filter((line) => wanted.every((label) => line.includes(label)))
      return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
    },
    signal: (signal) => child.signal(signal),
    async stop() {
      await child.stop()
      assert.equal(child.ending, 'exit code 0', child.log())
    },
    kill: () => child.kill(),
    output: () => readFileSync(logFile, 'utf8'),
    [Symbol.asyncDispose]: () => life.disposeAsync(),
  }
}

/** How a command of kubedelta ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs one command of kubedelta to its end; one that takes longer than two minutes is killed, and has no code. */
export async function kubedelta(args: readonly string[], node: readonly string[] = []): Promise<Ended> {
  const child = spawnKubedelta(args, node)
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  clearTimeout(timer)
  return { code, stdout, stderr }
}

/** Starts a command of kubedelta with pipes to read from. */
export function spawnKubedelta(args: readonly string[], node: readonly string[] = []) {
  return spawn(process.execPath, [...node, BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: bareEnvironment('/nonexistent'),
  })
}
