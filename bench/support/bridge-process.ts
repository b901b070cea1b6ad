// Runs `kubedelta run` as a process of its own and watches it from outside.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { atProcessEnd } from '../../test/support/leftovers.ts'
import { reservePorts } from '../../test/support/ports.ts'

export interface BridgeProcessOptions {
  readonly kubeconfig: string
  /** `127.0.0.1:port,...` */
  readonly brokers: string
  /** Names the topic: a bridge of another name starts from an empty one. */
  readonly cluster: string
  /** Further arguments of Node itself. @default none */
  readonly nodeArgs?: readonly string[]
  /** Further arguments of `kubedelta run`. @default none */
  readonly args?: readonly string[]
}

/** A bridge that runs. Disposing ends it. */
export interface BridgeProcess extends AsyncDisposable {
  readonly pid: number
  /** When it was started; milliseconds since the Unix epoch, as all times here. */
  readonly spawnedAtMs: number
  /** The time and fields of the first log line with that message, waited for. */
  logged(message: string): Promise<LogLine>
  /** Resolves with the time at which so many records were acknowledged. */
  acknowledged(records: number): Promise<number>
  /** What it has taken of the machine so far. */
  usage(): ProcessUsage
  /** SIGTERM; resolves when it has ended. @throws Error when it ends with another code than 0 */
  stop(): Promise<void>
}

export interface LogLine {
  readonly atMs: number
  readonly fields: Readonly<Record<string, unknown>>
}

export interface ProcessUsage {
  /** The highest resident set so far. */
  readonly peakRssBytes: number
  /** Of all its threads, user and system. */
  readonly cpuSeconds: number
}

/** How often the bridge's counter of acknowledged records is read: each look costs it about a millisecond. */
const POLL_MS = 20

/** As the first line of bin/kubedelta.js, the script `kubedelta` and the image start it. */
const INSTALLED = ['--max-semi-space-size=8']

export async function startBridge(options: BridgeProcessOptions): Promise<BridgeProcess> {
  const { kubeconfig, brokers, cluster, nodeArgs = [], args = [] } = options
  const reservation = await reservePorts(1)
  const listen = `127.0.0.1:${reservation.ports[0]}`
  const command = fileURLToPath(new URL('../../bin/kubedelta.js', import.meta.url))
  const bridgeArgs = [
    'run',
    '--to',
    `kafka://${brokers}`,
    '--cluster',
    cluster,
    '-r',
    'pods',
    '--kubeconfig',
    kubeconfig,
  ]
  const spawnedAtMs = Date.now()
  const child = spawn(
    process.execPath,
    [...INSTALLED, ...nodeArgs, command, ...bridgeArgs, '--metrics-listen', listen, ...args],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const forget = atProcessEnd(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit').finally(forget)
  const lines = new LogLines()
  const reader = createInterface({ input: child.stderr })
  reader.on('line', (line) => lines.take(line))
  ended.then(
    () => lines.fail(`it has ended with ${child.exitCode ?? child.signalCode}`),
    (error: unknown) => lines.fail(String(error)),
  )

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await ended
    await reservation[Symbol.asyncDispose]()
  }

  const pid = child.pid ?? 0
  return {
    pid,
    spawnedAtMs,
    logged: (message) => lines.first(message),
    async acknowledged(records) {
      for (;;) {
        const published = await readPublished(listen)
        if (published >= records) return Date.now()
        lines.assertAlive()
        await sleep(POLL_MS)
      }
    },
    usage: () => readUsage(pid),
    async stop() {
      await end('SIGTERM')
      if (child.exitCode === 0) return
      throw new Error(`Cannot stop the bridge: it ended with ${child.exitCode ?? child.signalCode}:\n${lines.text()}`)
    },
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  }
}

/** The log lines of a process, and who waits for one. */
class LogLines {
  readonly #lines: string[] = []
  readonly #first = new Map<string, LogLine>()
  readonly #waiting = new Map<string, PromiseWithResolvers<LogLine>>()
  #ending: string | undefined

  take(line: string): void {
    this.#lines.push(line)
    const parsed = parseLine(line)
    if (parsed === undefined || this.#first.has(parsed.message)) return
    this.#first.set(parsed.message, parsed)
    this.#waiting.get(parsed.message)?.resolve(parsed)
  }

  first(message: string): Promise<LogLine> {
    const found = this.#first.get(message)
    if (found !== undefined) return Promise.resolve(found)
    this.assertAlive()
    const waiting = this.#waiting.get(message) ?? Promise.withResolvers<LogLine>()
    this.#waiting.set(message, waiting)
    return waiting.promise
  }

  fail(ending: string): void {
    this.#ending = ending
    for (const { reject } of this.#waiting.values()) reject(this.#error())
  }

  assertAlive(): void {
    if (this.#ending !== undefined) throw this.#error()
  }

  text(): string {
    return this.#lines.slice(-60).join('\n')
  }

  #error(): Error {
    return new Error(`Cannot measure the bridge: ${this.#ending}:\n${this.text()}`)
  }
}

function parseLine(text: string): (LogLine & { readonly message: string }) | undefined {
  if (!text.startsWith('{')) return undefined
  const fields: Readonly<Record<string, unknown>> = JSON.parse(text)
  return { message: String(fields['msg']), atMs: Date.parse(String(fields['time'])), fields }
}

async function readPublished(listen: string): Promise<number> {
  const answer = await fetch(`http://${listen}/metrics`)
  const text = await answer.text()
  const samples = text.matchAll(/^kubedelta_records_published_total\{[^}]*\} (\d+)$/gm)
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0)
}

/** Linux's proc(5): fields 14 and 15 of `stat` count hundredths of a second. */
function readUsage(pid: number): ProcessUsage {
  const peakKb = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { peakRssBytes: Number(peakKb) * 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100 }
}
