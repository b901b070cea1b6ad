// Keeps asking the apiserver for one collection and hands over what it sees.

import { isAbort, KubedeltaError } from '../base/errors.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { RawObject } from '../object/raw-object.ts'
import { resourceName } from '../object/resource.ts'
import type { DeltaSink, ListReason } from './delta.ts'
import { ReflectorCalls } from './reflector-calls.ts'
import {
  INITIAL_STATE,
  type ReflectorInput,
  type ReflectorOutput,
  type ReflectorPhase,
  type ReflectorRequest,
  type ReflectorRules,
  type ReflectorState,
} from './reflector-state.ts'
import { step } from './reflector-step.ts'
import { ListTrace } from './reflector-trace.ts'
import type { ListWatch } from './source.ts'

export interface ReflectorOptions {
  readonly source: ListWatch
  readonly sink: DeltaSink<RawObject>
  readonly clock: Clock
  readonly log: Logger
  /** Uniform values of [0, 1), for backoff and watch timeouts. @default Math.random */
  readonly random?: () => number
  /**
   * Told of each failed list and each watch that did not open for another reason than a restart or a limit of the server. The reflector
   * goes on trying, also without permission; where that is not wanted, what this throws ends `run`.
   * @default logs a warning
   */
  readonly errorHandler?: (error: KubedeltaError) => void
  /**
   * What the first list asks for. @default 'any-cached', as client-go. Whoever holds objects of an earlier run gives the highest
   * resourceVersion among them, '' if there are none: then nothing older is listed.
   */
  readonly initialResourceVersion?: ReflectorRules['initialResourceVersion']
  /** Whether lists are streamed where the server can. @default true */
  readonly watchList?: boolean
  /** Objects a page in every LIST. @default client-go's rules: 500, or no pages where the server has a cache */
  readonly pageSize?: number
  /** Lists anew, as reason 'resync', this long after each list; the server is asked, nothing is kept here. @default never */
  readonly relistEveryMs?: number
  /** Watches are asked to end after one to two times this; less than 300_000 counts as that. @default 300_000 */
  readonly minWatchTimeoutMs?: number
  /** How long a resourceVersion the server has not reached is asked for again. @default 0 with 'any-cached', else 60_000 */
  readonly tooLargeRetryMs?: number
  /** How long a watch that ends with a 500 is opened again without a list. @default 0, never */
  readonly internalErrorRetryMs?: number
  /** Called after each list that was handed over whole. */
  readonly onList?: (reason: ListReason) => void
  /** Called when a part of a watch came, bookmarks included; milliseconds since the Unix epoch. */
  readonly onEvent?: (atMs: number) => void
}

export interface ReflectorStatus {
  readonly phase: ReflectorPhase['kind']
  /** '' before the first list ended. */
  readonly lastSyncResourceVersion: string
  /** Whether a list was handed over whole. */
  readonly synced: boolean
  /** When the apiserver was asked, or answered, last; absent while the sink holds it back, since then nobody asks or listens. */
  readonly lastAttemptAtMs: number | undefined
  readonly lastEventAtMs: number | undefined
  /**
   * When the server will have closed the watch by its own promise; a watch still open long after is dead. Absent while there is no watch
   * and while the sink holds it back, since then nobody listens.
   */
  readonly watchEndsAtMs: number | undefined
  /** What failed last, gone once a list has ended or a watch brought something. */
  readonly error: KubedeltaError | undefined
}

/**
 * client-go's Reflector as a loop around a pure step.
 *
 * - Lists (streamed, or in pages), then watches for ever: re-lists after 410s, corrupt frames and the like, re-opens after resets and timeouts.
 * - Hands over one thing at a time and waits for the sink; meanwhile nothing is read from the socket.
 * - A sink that fails, or a source that fails with anything but its documented codes, is a bug and ends the run.
 */
export class Reflector {
  readonly #options: ReflectorOptions
  readonly #rules: ReflectorRules
  readonly #log: Logger
  readonly #backoff: Backoff
  readonly #calls: ReflectorCalls
  #state: ReflectorState = INITIAL_STATE
  #trace = new ListTrace('initial', 0)
  #error: KubedeltaError | undefined
  #lastEventAtMs: number | undefined
  // Whether the sink makes it wait now, and when it last ceased to.
  #isHeldBack = false
  #heldBackUntilMs = 0

  constructor(options: ReflectorOptions) {
    const { source, clock, random = Math.random, initialResourceVersion = 'any-cached' } = options
    this.#options = options
    this.#rules = {
      resource: source.resource,
      watchList: options.watchList ?? true,
      pageSize: options.pageSize ?? 0,
      initialResourceVersion,
      tooLargeRetryMs: options.tooLargeRetryMs ?? (initialResourceVersion === 'any-cached' ? 0 : 60_000),
      internalErrorRetryMs: options.internalErrorRetryMs ?? 0,
    }
    this.#log = options.log.with({ resource: resourceName(source.resource) })
    this.#backoff = new Backoff(clock, random)
    this.#calls = new ReflectorCalls({
      source,
      clock,
      random,
      log: this.#log,
      relistEveryMs: options.relistEveryMs,
      minWatchTimeoutMs: options.minWatchTimeoutMs ?? 0,
      phase: () => this.#state.phase.kind,
      isHeldBack: () => this.#isHeldBack,
      onHeard: (from, atMs) => this.#heard(from, atMs),
    })
  }

  get status(): ReflectorStatus {
    const { phase, lastSyncResourceVersion, synced } = this.#state
    const { lastAttemptAtMs, watchEndsAtMs } = this.#calls
    return {
      phase: phase.kind,
      lastSyncResourceVersion,
      synced,
      lastAttemptAtMs: this.#unlessHeldBack(lastAttemptAtMs),
      lastEventAtMs: this.#lastEventAtMs,
      watchEndsAtMs: this.#unlessHeldBack(watchEndsAtMs),
      error: this.#error,
    }
  }

  /** Wants a list, as soon as the collection is watched; one that is under way or waited for does not count. */
  relist(): void {
    this.#calls.wantList()
  }

  /**
   * Resolves when the signal aborts; it runs once.
   * @throws what the sink, the error handler or a bug in the source threw
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      let request = await this.#take([{ kind: 'start' }], signal)
      while (request !== undefined) request = await this.#follow(request, signal)
    } catch (error) {
      if (!signal.aborted || !(error === signal.reason || isAbort(error))) throw error
    }
  }

  /** Feeds the step with what the request brings, until it wants another; undefined once the signal aborted. */
  async #follow(request: ReflectorRequest, signal: AbortSignal): Promise<ReflectorRequest | undefined> {
    for await (const inputs of this.#inputs(request, signal)) {
      const next = await this.#take(inputs, signal)
      if (next !== undefined) return next
    }
    signal.throwIfAborted()
    throw new KubedeltaError('internal', `Cannot go on after ${request.kind}: wanted its end: nothing came`)
  }

  #inputs(request: ReflectorRequest, signal: AbortSignal): AsyncIterable<readonly ReflectorInput[]> {
    switch (request.kind) {
      case 'list':
        return this.#calls.list(request.request, signal)
      case 'watch':
        return this.#calls.watch(request, signal)
      case 'wait':
        return this.#calls.wait(Math.max(request.atLeastMs, this.#backoff.delay()), signal)
    }
    return request satisfies never
  }

  async #take(inputs: readonly ReflectorInput[], signal: AbortSignal): Promise<ReflectorRequest | undefined> {
    const context = { rules: this.#rules, nowMs: this.#options.clock.now() }
    let request: ReflectorRequest | undefined
    for (const input of inputs) {
      const { state, outputs } = step(this.#state, input, context)
      for (const output of outputs) {
        if (output.kind === 'list' || output.kind === 'watch' || output.kind === 'wait') {
          request = output
          continue
        }
        const pending = this.#perform(output, signal)
        if (pending !== undefined) await this.#heldBack(pending)
        if (output.kind === 'end') this.#ended(output)
      }
      // Only now: what the status says has been handed over.
      this.#state = state
      if (request !== undefined) return request
    }
    return undefined
  }

  #perform(output: Exclude<ReflectorOutput, ReflectorRequest>, signal: AbortSignal): Promise<void> | void {
    const { sink } = this.#options
    switch (output.kind) {
      case 'begin':
        this.#trace = new ListTrace(output.reason, this.#options.clock.now())
        return sink.begin(output.reason)
      case 'item':
        this.#trace.items++
        return sink.item(output.object, signal)
      case 'end':
        this.#trace.allItems(this.#options.clock.now())
        return sink.end(output.resourceVersion, signal)
      case 'add':
        return sink.add(output.object, signal)
      case 'update':
        return sink.update(output.object, signal)
      case 'delete':
        return sink.delete(output.object, signal)
      case 'bookmark':
        return sink.bookmark(output.resourceVersion)
      case 'report':
        return this.#report(output.error)
      case 'log':
        return this.#log[output.level](output.message, output.fields)
    }
    return output satisfies never
  }

  #unlessHeldBack(atMs: number | undefined): number | undefined {
    return atMs === undefined || this.#isHeldBack ? undefined : Math.max(atMs, this.#heldBackUntilMs)
  }

  async #heldBack(pending: Promise<void>): Promise<void> {
    this.#isHeldBack = true
    try {
      await pending
    } finally {
      this.#isHeldBack = false
      this.#heldBackUntilMs = this.#options.clock.now()
    }
  }

  #ended({ reason, resourceVersion }: Extract<ReflectorOutput, { readonly kind: 'end' }>): void {
    this.#error = undefined
    this.#trace.log(this.#log, resourceVersion, this.#options.clock.now())
    this.#calls.listed()
    this.#options.onList?.(reason)
  }

  #heard(from: 'list' | 'watch', atMs: number): void {
    this.#trace.heard(atMs)
    if (from === 'list') return
    this.#error = undefined
    this.#lastEventAtMs = atMs
    this.#options.onEvent?.(atMs)
  }

  #report(error: KubedeltaError): void {
    this.#error = error
    const { errorHandler = () => this.#log.warn('cannot list or watch', { error }) } = this.#options
    errorHandler(error)
  }
}
