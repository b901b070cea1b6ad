// Runs the leader election: asks the Lease what the step wants to know, and tells the bridge when it may write.

import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { fromUnknown, hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Lease, LeaseStore } from '../kube/lease.ts'
import {
  newCandidate,
  releasedClaim,
  requestTimeoutMs,
  step,
  type Candidate,
  type ElectionInput,
  type ElectionNext,
  type ElectionState,
  type LeaseRequest,
  type Moment,
} from './election-step.ts'
import type { ElectionTiming } from './election-timing.ts'
import { WriteGate } from './write-gate.ts'

export interface LeaderElectionOptions {
  readonly store: LeaseStore
  /** Unique over restarts. */
  readonly identity: string
  readonly timing: ElectionTiming
  /** One that nobody sets: `steadyClock`. */
  readonly clock: Clock
  /** The time that the Lease shows to people; milliseconds since the Unix epoch. */
  readonly wallNow: () => number
  readonly random: () => number
  /** client-go's `leader_election_master_status`. */
  readonly setMaster: (isMaster: boolean) => void
  readonly log: Logger
}

/** Where a candidate stands, for probes. */
export interface ElectionStatus {
  readonly role: 'standby' | 'leading' | 'paused' | 'lost'
  /** Who holds the Lease as far as is known; '' for nobody. */
  readonly holder: string
}

/**
 * A candidate for one Lease.
 *
 * - At most one candidate leads by the rules of client-go's leader election; what a paused machine writes late all the same
 *   is for the broker's fence to refuse.
 * - `gate` is open while it may write.
 */
export class LeaderElection {
  readonly gate = new WriteGate()
  readonly #options: LeaderElectionOptions
  #state: ElectionState = newCandidate
  /** The failure of the last request has been logged. */
  #isTroubled = false
  #hasAsked = false

  constructor(options: LeaderElectionOptions) {
    this.#options = options
    options.setMaster(false)
  }

  get timing(): ElectionTiming {
    return this.#options.timing
  }

  status(): ElectionStatus {
    return { role: this.#state.kind, holder: holderOf(this.#state) }
  }

  /** Resolves when it leads. @throws the signal's reason; `lease-lost` */
  async leads(signal: AbortSignal): Promise<void> {
    await abortable(this.gate.opened(), signal)
  }

  /**
   * Takes part until the signal aborts, then gives the Lease back if it holds it. The signal must not abort before the last write.
   * @throws KubedeltaError `lease-lost`; `forbidden`, `unauthorized` or `usage` where it cannot take part at all
   */
  async run(signal: AbortSignal): Promise<void> {
    let next = this.#apply({ kind: 'due' })
    while (next.kind !== 'end') {
      if (signal.aborted) return this.#release()
      next = this.#apply(await this.#do(next, signal))
    }
    throw this.#lost()
  }

  async #do(next: Exclude<ElectionNext, { kind: 'end' }>, signal: AbortSignal): Promise<ElectionInput> {
    if (next.kind === 'wait') {
      // An abort is seen by the loop, before `due` is acted on.
      await this.#options.clock.sleep(next.ms, signal).catch(() => {})
      return { kind: 'due' }
    }
    const finished = new AbortController()
    try {
      const limit = this.#timeout(next.timeoutMs, finished.signal)
      const input = await abortable(this.#ask(next.request, limit), limit)
      if (this.#isTroubled) this.#options.log.info('Lease answers again', { lease: this.#options.store.name })
      this.#isTroubled = false
      this.#hasAsked = true
      return input
    } catch (cause) {
      return this.#failed(fromUnknown(cause, `Cannot ${next.request.kind} Lease ${this.#options.store.name}`))
    } finally {
      finished.abort()
    }
  }

  /**
   * Aborts when the time is up. A stop does not abort a request: whether a claim was written decides whether it has to be
   * given back.
   */
  #timeout(ms: number, finished: AbortSignal): AbortSignal {
    const limit = new AbortController()
    this.#options.clock.sleep(ms, finished).then(
      () =>
        limit.abort(
          new KubedeltaError('timeout', `Cannot reach Lease ${this.#options.store.name}: no answer within ${ms} ms`),
        ),
      // The answer came first.
      () => {},
    )
    return limit.signal
  }

  async #ask(request: LeaseRequest, signal: AbortSignal): Promise<ElectionInput> {
    const { store } = this.#options
    switch (request.kind) {
      case 'read':
        return { kind: 'read', lease: await store.read(signal) }
      case 'create':
        return store.create(request.claim, signal)
      case 'update':
        return store.update(request.lease, request.claim, signal)
      default:
        return request satisfies never
    }
  }

  /** A leader that may no longer ask has the time of its Lease; a candidate that never may is told to its caller. */
  #failed(error: KubedeltaError): ElectionInput {
    const isStandby = this.#state.kind === 'standby'
    const isRefused = hasCode(error, 'forbidden', 'usage') || (hasCode(error, 'unauthorized') && !this.#hasAsked)
    if (hasCode(error, 'internal') || (isStandby && isRefused)) throw error
    if (!this.#isTroubled) this.#options.log.warn('Lease cannot be read or written, retrying', { error })
    this.#isTroubled = true
    return { kind: 'failed' }
  }

  #apply(input: ElectionInput): ElectionNext {
    const before = this.#state
    const { state, next } = step(before, input, this.#candidate(), this.#moment())
    this.#state = state
    if (state.kind !== before.kind) this.#turned(before)
    else if (holderOf(state) !== holderOf(before)) this.#logHolder(holderOf(state))
    return next
  }

  #turned(before: ElectionState): void {
    const { setMaster, store, log } = this.#options
    const { kind } = this.#state
    setMaster(kind === 'leading' || kind === 'paused')
    switch (kind) {
      case 'leading':
        this.gate.open()
        return log.info(before.kind === 'paused' ? 'writing goes on: the Lease is renewed' : 'leading', {
          lease: store.name,
        })
      case 'paused':
        this.gate.close()
        return log.warn('writing is paused: the Lease has not been renewed in time', { lease: store.name })
      case 'lost':
        return this.gate.shut(this.#lost())
      case 'standby':
        return
      default:
        kind satisfies never
    }
  }

  #logHolder(holder: string): void {
    const { log, store } = this.#options
    if (holder !== '') log.info('standing by', { lease: store.name, holder })
  }

  #lost(): KubedeltaError {
    const { store, identity, timing } = this.#options
    const holder = holderOf(this.#state)
    const why =
      holder === ''
        ? `it could not be renewed for ${timing.leaseMs / 1000} s: nobody else is known to hold it; check the apiserver and the way to it`
        : `${holder} holds it now`
    return new KubedeltaError(
      'lease-lost',
      `Cannot go on as leader: wanted to hold Lease ${store.name} as ${identity}: ${why}`,
      {
        fields: { lease: store.name, ...(holder === '' ? {} : { holder }) },
      },
    )
  }

  async #release(): Promise<void> {
    const { store, log, setMaster, timing } = this.#options
    if (this.#state.kind !== 'leading' && this.#state.kind !== 'paused') return
    const { lease } = this.#state
    setMaster(false)
    const finished = new AbortController()
    try {
      const limit = this.#timeout(requestTimeoutMs(timing), finished.signal)
      const { kind } = await abortable(this.#giveBack(lease, limit), limit)
      if (kind === 'written') log.info('Lease released', { lease: store.name })
    } catch (cause) {
      // Nothing is lost: who waits takes it once its duration has passed.
      log.warn('Lease could not be released', { error: fromUnknown(cause, `Cannot release Lease ${store.name}`) })
    } finally {
      finished.abort()
    }
  }

  #giveBack(lease: Lease, signal: AbortSignal): ReturnType<LeaseStore['update']> {
    return this.#options.store.update(lease, releasedClaim(lease, this.#moment()), signal)
  }

  #candidate(): Candidate {
    return this.#options
  }

  #moment(): Moment {
    const { clock, wallNow, random } = this.#options
    return { nowMs: clock.now(), wallMs: wallNow(), chance: random() }
  }
}

function holderOf(state: ElectionState): string {
  switch (state.kind) {
    case 'standby':
      return state.observed?.claim.holder ?? ''
    case 'leading':
    case 'paused':
      return state.lease.claim.holder
    case 'lost':
      return state.holder ?? ''
    default:
      return state satisfies never
  }
}

/**
 * Runs `work` as part of an election: it is aborted when the Lease is lost, and the Lease is given back once it has ended.
 * @throws what `work` throws; what the election throws, which then was the reason
 */
export async function underElection(
  election: LeaderElection,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController()
  const failed = new AbortController()
  const electing = election.run(ended.signal).catch((error: unknown) => {
    failed.abort(error)
    throw error
  })
  // Awaited below, whatever `work` does; until then its failure is not unheard.
  electing.catch(() => {})
  try {
    await work(AbortSignal.any([signal, failed.signal]))
  } catch (error) {
    if (!failed.signal.aborted) throw error
  } finally {
    ended.abort()
    // A failure of the work is the news, unless the election's was its reason.
    await electing.catch((error: unknown) => {
      if (failed.signal.aborted) throw error
    })
  }
}
