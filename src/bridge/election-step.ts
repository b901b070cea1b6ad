// Decides what a candidate of the leader election does next, from what the Lease says and how long ago that was seen.

import { microTime, type Lease, type LeaseClaim } from '../kube/lease.ts'
import { JITTER_FACTOR, type ElectionTiming } from './election-timing.ts'

export interface Candidate {
  /** Unique over restarts. */
  readonly identity: string
  readonly timing: ElectionTiming
}

/** What a standby last saw of another's claim, and when: by the clock of this machine, whatever the claim's own times say. */
interface Observed {
  readonly claim: LeaseClaim
  readonly atMs: number
}

/** What a leader holds. */
interface Held {
  readonly lease: Lease
  /** When the renewal that succeeded last was asked for, so that nobody can have seen it earlier. */
  readonly renewedAtMs: number
}

/**
 * Where a candidate stands.
 *
 * A `paused` leader may not write: it has not renewed for so long that another may soon take over. `lost` is the end.
 */
export type ElectionState =
  | { readonly kind: 'standby'; readonly observed: Observed | undefined; readonly askedAtMs: number }
  | ({ readonly kind: 'leading' | 'paused'; readonly askedAtMs: number } & Held)
  | { readonly kind: 'lost'; readonly holder: string | undefined }

export type ElectionInput =
  | { readonly kind: 'due' }
  | { readonly kind: 'read'; readonly lease: Lease | undefined }
  | { readonly kind: 'written'; readonly lease: Lease }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'failed' }

/** One request to the Lease. */
export type LeaseRequest =
  | { readonly kind: 'read' }
  | { readonly kind: 'create'; readonly claim: LeaseClaim }
  | { readonly kind: 'update'; readonly lease: Lease; readonly claim: LeaseClaim }

/** What follows: one request, whose outcome is the next input, or a pause, after which `due` is. */
export type ElectionNext =
  | { readonly kind: 'ask'; readonly request: LeaseRequest; readonly timeoutMs: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'end' }

export interface ElectionStep {
  readonly state: ElectionState
  readonly next: ElectionNext
}

/** The moment of a step. */
export interface Moment {
  /** Of a clock that nobody sets. */
  readonly nowMs: number
  /** Milliseconds since the Unix epoch: what the Lease shows to people. */
  readonly wallMs: number
  /** Uniform in [0, 1). */
  readonly chance: number
}

/** Before the first look. */
export const newCandidate: ElectionState = { kind: 'standby', observed: undefined, askedAtMs: 0 }

/**
 * One step of the election.
 *
 * - A Lease is taken when there is none, when nobody holds it, or when its claim has not changed for its duration by this machine's clock.
 * - A leader renews every `retryMs`. It pauses `renewDeadlineMs` after the last renewal. `leaseMs` after it the leader looks once more
 *   and has lost if it gets no answer, or as soon as it sees another holder. What it missed while it was stopped itself it may make up for:
 *   the update goes by resourceVersion, so it succeeds only if nobody took the Lease in between.
 */
export function step(state: ElectionState, input: ElectionInput, candidate: Candidate, moment: Moment): ElectionStep {
  switch (state.kind) {
    case 'standby':
      return standbyStep(state, input, candidate, moment)
    case 'leading':
    case 'paused':
      return leaderStep(state, input, candidate, moment)
    case 'lost':
      return { state, next: { kind: 'end' } }
    default:
      return state satisfies never
  }
}

/** One request's time: as controller-runtime has it (pkg/leaderelection/leader_election.go). */
export function requestTimeoutMs({ renewDeadlineMs }: ElectionTiming): number {
  return Math.max(1000, renewDeadlineMs / 2)
}

/** The claim that gives the Lease back, so that others need not wait. */
export function releasedClaim({ claim }: Lease, { wallMs }: Pick<Moment, 'wallMs'>): LeaseClaim {
  const now = microTime(wallMs)
  return { holder: '', durationMs: 1000, acquireTime: now, renewTime: now, transitions: claim.transitions }
}

type Standby = Extract<ElectionState, { kind: 'standby' }>
type Leader = Extract<ElectionState, { kind: 'leading' | 'paused' }>

function standbyStep(state: Standby, input: ElectionInput, candidate: Candidate, moment: Moment): ElectionStep {
  const { timing, identity } = candidate
  const asking = { ...state, askedAtMs: moment.nowMs }
  const ask = (request: LeaseRequest, from = asking): ElectionStep => ({
    state: from,
    next: { kind: 'ask', request, timeoutMs: requestTimeoutMs(timing) },
  })
  switch (input.kind) {
    case 'due':
      return ask({ kind: 'read' })
    case 'read': {
      const { lease } = input
      if (lease === undefined) return ask({ kind: 'create', claim: newClaim(candidate, moment, 0) })
      const observed = observe(state.observed, lease.claim, moment)
      const { holder, transitions } = lease.claim
      const request = { kind: 'update', lease, claim: newClaim(candidate, moment, transitions + 1) } as const
      // Its own: an earlier request was carried out, and its answer got lost.
      if (holder === '' || holder === identity) return ask(request, { ...asking, observed })
      const isOver = moment.nowMs - observed.atMs >= observed.claim.durationMs
      return isOver
        ? ask(request, { ...asking, observed })
        : { state: { ...state, observed }, next: jittered(timing, moment) }
    }
    case 'written':
      return {
        state: { kind: 'leading', lease: input.lease, renewedAtMs: state.askedAtMs, askedAtMs: state.askedAtMs },
        next: { kind: 'wait', ms: timing.retryMs },
      }
    case 'conflict':
    case 'failed':
      return { state, next: jittered(timing, moment) }
    default:
      return input satisfies never
  }
}

function leaderStep(state: Leader, input: ElectionInput, candidate: Candidate, moment: Moment): ElectionStep {
  const { timing, identity } = candidate
  switch (input.kind) {
    case 'due':
      return askAsLeader(state, renewal(state.lease, candidate, moment), candidate, moment)
    case 'written':
      return {
        state: { kind: 'leading', lease: input.lease, renewedAtMs: state.askedAtMs, askedAtMs: state.askedAtMs },
        next: { kind: 'wait', ms: timing.retryMs },
      }
    case 'conflict':
      return askAsLeader(state, { kind: 'read' }, candidate, moment)
    case 'read': {
      const { lease } = input
      const { transitions } = state.lease.claim
      if (lease === undefined) {
        return askAsLeader(
          state,
          { kind: 'create', claim: newClaim(candidate, moment, transitions) },
          candidate,
          moment,
        )
      }
      const { holder } = lease.claim
      if (holder !== '' && holder !== identity) return { state: { kind: 'lost', holder }, next: { kind: 'end' } }
      return askAsLeader(state, renewal(lease, candidate, moment), candidate, moment)
    }
    case 'failed': {
      if (moment.nowMs - state.renewedAtMs >= timing.leaseMs) {
        // One last look: a process that was stopped while it asked has not heard who holds the Lease, and may still find it its own.
        const isLast = state.askedAtMs - state.renewedAtMs >= timing.leaseMs
        if (!isLast) return askAsLeader(state, { kind: 'read' }, candidate, moment)
        return { state: { kind: 'lost', holder: undefined }, next: { kind: 'end' } }
      }
      const doubtful = inDoubt(state, timing, moment)
      const ms = Math.min(timing.retryMs, deadlineOf(doubtful, timing) - moment.nowMs)
      return { state: doubtful, next: { kind: 'wait', ms } }
    }
    default:
      return input satisfies never
  }
}

function askAsLeader(state: Leader, request: LeaseRequest, { timing }: Candidate, moment: Moment): ElectionStep {
  const doubtful = inDoubt(state, timing, moment)
  const left = deadlineOf(doubtful, timing) - moment.nowMs
  // Past its last deadline, which only a process that stood still can be, it has one attempt.
  const timeoutMs = left > 0 ? Math.min(left, requestTimeoutMs(timing)) : requestTimeoutMs(timing)
  return { state: { ...doubtful, askedAtMs: moment.nowMs }, next: { kind: 'ask', request, timeoutMs } }
}

function inDoubt(state: Leader, { renewDeadlineMs }: ElectionTiming, { nowMs }: Moment): Leader {
  return nowMs - state.renewedAtMs >= renewDeadlineMs ? { ...state, kind: 'paused' } : state
}

/** When a leader has to be told that it has not renewed. */
function deadlineOf({ kind, renewedAtMs }: Leader, { leaseMs, renewDeadlineMs }: ElectionTiming): number {
  return renewedAtMs + (kind === 'leading' ? renewDeadlineMs : leaseMs)
}

function observe(before: Observed | undefined, claim: LeaseClaim, { nowMs }: Moment): Observed {
  return before !== undefined && isSame(before.claim, claim) ? before : { claim, atMs: nowMs }
}

function isSame(a: LeaseClaim, b: LeaseClaim): boolean {
  return (
    a.holder === b.holder &&
    a.durationMs === b.durationMs &&
    a.acquireTime === b.acquireTime &&
    a.renewTime === b.renewTime &&
    a.transitions === b.transitions
  )
}

function newClaim({ identity, timing }: Candidate, { wallMs }: Moment, transitions: number): LeaseClaim {
  const now = microTime(wallMs)
  return { holder: identity, durationMs: timing.leaseMs, acquireTime: now, renewTime: now, transitions }
}

function renewal(lease: Lease, candidate: Candidate, moment: Moment): LeaseRequest {
  const { holder, acquireTime, transitions } = lease.claim
  const claim = newClaim(candidate, moment, holder === candidate.identity ? transitions : transitions + 1)
  return { kind: 'update', lease, claim: holder === candidate.identity ? { ...claim, acquireTime } : claim }
}

function jittered({ retryMs }: ElectionTiming, { chance }: Moment): ElectionNext {
  return { kind: 'wait', ms: retryMs * (1 + JITTER_FACTOR * chance) }
}
