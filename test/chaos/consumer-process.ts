// The consumer of a chaos run: a cache in a process that can be killed, stopped and asked.

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { CLUSTER } from '../support/bridge-process.ts'
import { atProcessEnd } from '../support/leftovers.ts'
import type { ConsumerReport } from './consumer.ts'

const SCRIPT = fileURLToPath(new URL('consumer.ts', import.meta.url))

/** Disposing kills it. */
export class ConsumerProcess implements AsyncDisposable {
  readonly #arguments: readonly string[]
  #child: ChildProcess
  #forget: () => void
  /** What its processes said they had seen wrong, up to the last report of each. */
  #violations: readonly string[] = []

  constructor(brokers: string, resource: string) {
    this.#arguments = [`kafka://${brokers}`, CLUSTER, resource]
    this.#child = this.#start()
    this.#forget = atProcessEnd(() => this.#child.kill('SIGKILL'))
  }

  get violations(): readonly string[] {
    return this.#violations
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  /** Kills it and starts another. */
  async kill(): Promise<void> {
    await this.#end()
    this.#child = this.#start()
  }

  async report(): Promise<ConsumerReport> {
    const answer = once(this.#child, 'message')
    this.#child.send('report')
    const [report]: [ConsumerReport] = await answer.then(([first]) => [first])
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
    this.#forget()
  }

  async #end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new Error(
        `The consumer has ended by itself: exit code ${this.#child.exitCode}, signal ${this.#child.signalCode}`,
      )
    }
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  #start(): ChildProcess {
    return fork(SCRIPT, this.#arguments, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }
}
