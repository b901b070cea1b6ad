// Runs the bridge as a process of its own, so that it can be killed as any process can.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { KubedeltaError } from '../../base/errors.ts'

export interface BridgeChildOptions {
  /** URL of the log that it writes. */
  readonly to: string
  /** URL of the apiserver. */
  readonly server: string
  readonly resources: readonly string[]
}

const BIN = fileURLToPath(new URL('../../../bin/kubedelta.js', import.meta.url))

/** Ends the process when the channel to its parent closes: whoever kills the demo leaves no bridge behind. Threads have no channel. */
const END_WITH_PARENT = `data:text/javascript,process.once('disconnect',()=>process.exit(1));process.channel?.unref()`

/** Lines of its log that are kept to explain an end that nobody asked for. */
const KEPT_LINES = 20

/**
 * `kubedelta run` in a process of its own.
 *
 * - It has a process group of its own, so that Ctrl-C ends the demo first, which then ends it.
 * - Nothing of the surroundings changes what it does: it gets no options from the environment and no proxy.
 */
export class BridgeChild implements AsyncDisposable {
  readonly pid: number
  /** Rejects when it ends and nobody asked it to; never resolves. */
  readonly failed: Promise<never>
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #lines: string[] = []
  #isAskedToEnd = false

  /** Starts it; what it is doing shows in what it writes. */
  constructor({ to, server, resources }: BridgeChildOptions) {
    const options = [
      '--to',
      to,
      '--server',
      server,
      '--resources',
      resources.join(','),
      '--metrics-listen',
      '127.0.0.1:0',
    ]
    const { PATH, HOME } = process.env
    const child = spawn(process.execPath, ['--import', END_WITH_PARENT, BIN, 'run', ...options], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { PATH, HOME },
      detached: true,
    })
    this.#child = child
    this.pid = child.pid ?? 0
    this.#exited = once(child, 'close')
    if (child.stderr !== null) createInterface({ input: child.stderr }).on('line', (line) => this.#keep(line))
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    // Whoever waits for it hears of it; the end that was asked for concerns nobody.
    promise.catch(() => {})
    this.#exited.then(
      () => this.#isAskedToEnd || reject(this.#ending()),
      (cause: unknown) => reject(new KubedeltaError('internal', 'Cannot start the bridge of the demo', { cause })),
    )
  }

  /** SIGKILL; resolves when it is dead. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM; resolves when it has ended by itself. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#isAskedToEnd = true
    this.#child.kill(signal)
    // It could not be started: `failed` says so.
    await this.#exited.catch(() => {})
  }

  #keep(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > KEPT_LINES) this.#lines.shift()
  }

  #ending(): KubedeltaError {
    const { exitCode, signalCode } = this.#child
    const said =
      this.#lines.findLast((line) => line.startsWith('kubedelta: ')) ?? this.#lines.at(-1) ?? 'it said nothing'
    return new KubedeltaError(
      'internal',
      `Cannot go on with the demo: wanted a bridge that runs: it ended with ${signalCode ?? `exit code ${exitCode}`}: ${said}`,
    )
  }
}
