// Turns what a reflector's step requests into its next inputs: what the source brings, how it ended, that time is up.

import type { Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { ListReason } from './delta.ts'
import type { ReflectorInput, ReflectorPhase, ReflectorRequest } from './reflector-state.ts'
import type { ListRequest, ListWatch } from './source.ts'

export interface ReflectorCallsOptions {
  readonly source: ListWatch
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  readonly relistEveryMs: number | undefined
  readonly minWatchTimeoutMs: number
  /** Where the reflector stands. */
  readonly phase: () => ReflectorPhase['kind']
  /** Whether the sink makes the reflector wait, so that nobody listens to the server. */
  readonly isHeldBack: () => boolean
  readonly onHeard: (from: 'list' | 'watch', atMs: number) => void
}

type Inputs = AsyncGenerator<readonly ReflectorInput[], void, undefined>

/**
 * The calls of one reflector, one at a time. Each iteration ends with its answer or with the signal's reason, and leaves neither request
 * nor timer behind once it is left.
 */
export class ReflectorCalls {
  readonly #options: ReflectorCallsOptions
  /** When the apiserver was asked, or answered, last. */
  lastAttemptAtMs: number | undefined
  /** When the open watch ends by the server's own promise. */
  watchEndsAtMs: number | undefined
  #listedAtMs = 0
  // A list that is wanted as soon as there is a watch to end for it.
  #wanted: ListReason | undefined
  #interrupt: AbortController | undefined
  #watchHeardMs: number | undefined

  constructor(options: ReflectorCallsOptions) {
    this.#options = options
  }

  /** Ends the watch, or the next one at once, for a list. */
  wantList(): void {
    this.#wanted = 'requested'
    if (this.#options.phase() === 'watching') this.#interrupt?.abort()
  }

  /** A list has ended: the next one is due `relistEveryMs` from now. */
  listed(): void {
    this.#listedAtMs = this.#options.clock.now()
    if (this.#wanted === 'resync') this.#wanted = undefined
    if (this.#wanted !== undefined) this.#interrupt?.abort()
  }

  async *list(request: ListRequest, signal: AbortSignal): Inputs {
    this.lastAttemptAtMs = this.#options.clock.now()
    try {
      for await (const frames of this.#options.source.list(request, signal)) {
        this.#heard('list')
        yield frames
      }
    } catch (error) {
      yield [failure(error, { signal, lastedMs: 0 })]
    }
  }

  async *watch(request: Extract<ReflectorRequest, { kind: 'watch' }>, signal: AbortSignal): Inputs {
    const { source, clock, random, minWatchTimeoutMs } = this.#options
    const { resourceVersion, sendInitialEvents } = request
    if (!sendInitialEvents && this.#wanted !== undefined) {
      yield [this.#relist()]
      return
    }
    const timeoutSeconds = watchTimeoutSeconds(minWatchTimeoutMs, random)
    const startMs = clock.now()
    this.lastAttemptAtMs = startMs
    this.#watchHeardMs = undefined
    this.watchEndsAtMs = startMs + timeoutSeconds * 1_000
    const interrupt = new AbortController()
    this.#interrupt = interrupt
    const open = AbortSignal.any([signal, interrupt.signal])
    const beside = [this.#relistInTime(open), ...(sendInitialEvents ? [this.#warnOfDelay(open)] : [])]
    try {
      const asked = { resourceVersion, timeoutSeconds, ...(sendInitialEvents ? { sendInitialEvents } : {}) }
      for await (const frames of source.watch(asked, open)) {
        this.#heard('watch')
        yield frames
      }
      yield [{ kind: 'closed', lastedMs: clock.now() - startMs }]
    } catch (error) {
      const isInterrupted = interrupt.signal.aborted && !signal.aborted
      yield [isInterrupted ? this.#relist() : failure(error, { signal, lastedMs: clock.now() - startMs })]
    } finally {
      this.watchEndsAtMs = undefined
      this.#interrupt = undefined
      interrupt.abort()
      await Promise.all(beside)
    }
  }

  async *wait(ms: number, signal: AbortSignal): Inputs {
    await this.#options.clock.sleep(ms, signal)
    yield [{ kind: 'waited' }]
  }

  #heard(from: 'list' | 'watch'): void {
    const nowMs = this.#options.clock.now()
    this.lastAttemptAtMs = nowMs
    if (from === 'watch') this.#watchHeardMs = nowMs
    this.#options.onHeard(from, nowMs)
  }

  #relist(): ReflectorInput {
    const reason = this.#wanted ?? 'requested'
    this.#wanted = undefined
    return { kind: 'relist', reason }
  }

  /** The period counts from the end of a list, whatever asked for it, and goes on over re-opened watches. */
  async #relistInTime(signal: AbortSignal): Promise<void> {
    const { clock, relistEveryMs, phase } = this.#options
    if (relistEveryMs === undefined) return
    for (;;) {
      const nowMs = clock.now()
      const dueMs = (phase() === 'watching' ? this.#listedAtMs : nowMs) + relistEveryMs
      if (dueMs <= nowMs) {
        this.#wanted ??= 'resync'
        this.#interrupt?.abort()
        return
      }
      if (await isAbortedAfter(clock, dueMs - nowMs, signal)) return
    }
  }

  /** A server that never sends the bookmark looks like a slow list: client-go warns of it, and so does this. */
  async #warnOfDelay(signal: AbortSignal): Promise<void> {
    const { clock, log, phase, isHeldBack } = this.#options
    const startMs = clock.now()
    while (!(await isAbortedAfter(clock, 10_000, signal)) && phase() === 'watch-listing') {
      if (isHeldBack()) continue
      const heardMs = this.#watchHeardMs
      if (heardMs === undefined) {
        log.warn('awaiting the bookmark that ends the initial events, no events received', {
          waitedMs: clock.now() - startMs,
        })
      } else {
        log.warn('awaiting the bookmark that ends the initial events, the last event was received some time ago', {
          waitedMs: clock.now() - heardMs,
        })
      }
    }
  }
}

/** Seconds a watch is asked to last: uniform in [min, 2 min), where min is 5 minutes at least (client-go reflector.go, watch). */
export function watchTimeoutSeconds(minWatchTimeoutMs: number, random: () => number): number {
  const minSeconds = Math.max(minWatchTimeoutMs, MIN_WATCH_TIMEOUT_MS) / 1_000
  return Math.floor(minSeconds * (1 + random()))
}

const MIN_WATCH_TIMEOUT_MS = 300_000

/** What a source documents is an input, everything else a bug. After an abort, what ended the call is of no interest. */
function failure(error: unknown, call: { readonly signal: AbortSignal; readonly lastedMs: number }): ReflectorInput {
  call.signal.throwIfAborted()
  if (!(error instanceof KubedeltaError) || error.code === 'internal' || error.code === 'aborted') throw error
  return { kind: 'failed', error, lastedMs: call.lastedMs }
}

async function isAbortedAfter(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return signal.aborted
}
