// Two bridges of one cluster, leader and standby, each started again when it ends, as a Deployment does.

import { setTimeout as sleep } from 'node:timers/promises'
import { startBridge, type BridgeProcess } from '../support/bridge-process.ts'

export interface BridgePairOptions {
  readonly brokers: string
  readonly kubeconfig: string
  readonly args: readonly string[]
  /** Told of each end that no fault asked for. */
  readonly onEnd: (ending: string, output: string) => void
}

/** One place of the pair: the process changes, the place stays. */
export interface Member {
  readonly name: string
  readonly process: BridgeProcess | undefined
}

/** Disposing ends both. */
export class BridgePair implements AsyncDisposable {
  readonly members: readonly [Place, Place]

  constructor(options: BridgePairOptions) {
    this.members = [new Place('a', options), new Place('b', options)]
  }

  /** The one that says it leads; undefined while none does, or while it does not answer. */
  async leader(): Promise<Place | undefined> {
    for (const member of this.members) if ((await member.role()) === 'leader') return member
    return undefined
  }

  /** Both, once one leads and the other is ready to. @throws Error after `timeoutMs` */
  async settled(timeoutMs = 90_000): Promise<{ readonly leader: Place; readonly standby: Place }> {
    const end = performance.now() + timeoutMs
    for (;;) {
      const leader = await this.leader()
      const standby = this.members.find((member) => member !== leader)
      if (leader !== undefined && standby !== undefined && (await leader.isReady()) && (await standby.isReady())) {
        return { leader, standby }
      }
      if (performance.now() > end) {
        throw new Error(
          `Cannot wait for a leader and a standby: not so after ${timeoutMs} ms:\n${this.outputs().slice(-8_000)}`,
        )
      }
      await sleep(200)
    }
  }

  /** What both have written, all their processes. */
  outputs(): string {
    return this.members.map((member) => `--- ${member.name}\n${member.output()}`).join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()))
  }
}

export class Place implements Member, AsyncDisposable {
  readonly name: string
  readonly #options: BridgePairOptions
  #process: BridgeProcess | undefined
  #starting: Promise<void>
  #before = ''
  #isOver = false
  /** An end that was asked for, and is not news. */
  #expected = false

  constructor(name: string, options: BridgePairOptions) {
    this.name = name
    this.#options = options
    this.#starting = this.#start()
  }

  get process(): BridgeProcess | undefined {
    return this.#process
  }

  output(): string {
    return this.#before + (this.#process?.output() ?? '')
  }

  /** `leader`, `standby`; undefined where it does not answer within a second. */
  async role(): Promise<'leader' | 'standby' | undefined> {
    const status = await this.#ask((bridge) => bridge.metric('leader_election_master_status'))
    if (status === undefined) return undefined
    return status === 1 ? 'leader' : 'standby'
  }

  /** How often its process was answered 410; 0 where it does not answer. */
  async expiredWatches(): Promise<number> {
    const count = await this.#ask((bridge) => bridge.metric('kubedelta_relists_total', { reason: 'expired' }))
    return count ?? 0
  }

  async isReady(): Promise<boolean> {
    const answer = await this.#ask((bridge) => bridge.get('/readyz'))
    return answer?.status === 200
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.signal(signal)
  }

  /** Kills it; it is started again. */
  async kill(): Promise<void> {
    this.#expected = true
    await this.#process?.kill()
  }

  /** Resolves with how the process that runs now ends. */
  async ended(): Promise<string> {
    this.#expected = true
    return (await this.#process?.exited) ?? 'not started'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#starting
    await this.#process?.[Symbol.asyncDispose]()
  }

  async #start(): Promise<void> {
    const started = await startBridge(this.#options)
    this.#process = started
    this.#expected = false
    void started.exited.then(async (ending) => {
      const output = started.output()
      if (!this.#expected && !this.#isOver) this.#options.onEnd(ending, output)
      this.#before += output
      this.#process = undefined
      await started[Symbol.asyncDispose]()
      if (!this.#isOver) this.#starting = this.#start()
    })
  }

  async #ask<T>(question: (bridge: BridgeProcess) => Promise<T>): Promise<T | undefined> {
    const bridge = this.#process
    if (bridge === undefined) return undefined
    const late = new AbortController()
    try {
      // One that is stopped takes the connection and never answers.
      return await Promise.race([question(bridge), sleep(1_000, undefined, { signal: late.signal })])
    } catch {
      // It has ended, or does not listen yet: it has no role.
      return undefined
    } finally {
      late.abort()
    }
  }
}
