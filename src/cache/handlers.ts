// Fans the changes of a cache out to its handlers, each with its own buffer, filter and resync period.

import { aborted } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { CounterMetric } from '../base/metrics.ts'
import type { Change } from './change.ts'
import type { ChangeList } from './change-list.ts'
import { filteringHandler, type Handler } from './handler.ts'
import { HandlerQueue } from './handler-queue.ts'
import type { ResyncSchedule, ResyncTurn } from './resync-schedule.ts'
import { SyncTracker, type Synced } from './sync-tracker.ts'

export interface HandlerOptions<T> {
  /** Names the handler in logs and metrics; from a bounded set. @default 'handler-N' in the order of registration */
  readonly name?: string
  /** Shows the handler only what passes, see `filteringHandler`. @default everything */
  readonly filter?: (object: T) => boolean
  /**
   * How often the handler gets `onUpdate(same, same)` for every object, from the cache; 0 is never, less than 1 s is raised to it.
   * Has no effect in a cache without a resync period of its own; in a running cache no less than that period. @default the cache's
   */
  readonly resyncMs?: number
  /** Gets `onUpdate(same, same)` for what the feed shows again on its own: a topic's RESYNC records. @default false */
  readonly upstreamResync?: boolean
  /** Buffered changes at which the feed is held back; a single swap or a replay may exceed it. @default 1000 */
  readonly holdBackAt?: number
}

/** One registration of a handler; the same handler may be registered several times. */
export interface Registration extends Synced {
  readonly name: string
  /**
   * True once the cache has synced and every initial `onAdd` of this handler has returned, a failed one too: its failure is logged
   * and counted, and waiting for it would never end.
   */
  hasSynced(): boolean
  /** Ends the registration: what is buffered is dropped, at most the call under way returns. Again, or after the end: no effect. */
  remove(): void
}

export interface HandlersOptions {
  readonly schedule: ResyncSchedule
  readonly clock: Clock
  readonly log: Logger
  /** The name of the collection in metrics. */
  readonly resource: string
  readonly errors: CounterMetric
  /** The resync period of handlers that name none; 0 is never. */
  readonly resyncMs: number
}

/**
 * The handlers of one cache.
 *
 * - `dispatch` and `add` are synchronous: called in the same step as the write, or with the content of the cache, no handler
 *   misses a change or gets one twice.
 * - One slow handler does not delay the calls of another, but holds back the feed of all when its buffer is full.
 */
export class Handlers<T> {
  readonly #options: HandlersOptions
  readonly #members = new Set<Member<T>>()
  readonly #runs = new Set<Promise<void>>()
  readonly #ownAbort = new AbortController()
  #failure: { readonly error: unknown } | undefined
  #count = 0
  #synced = false
  #signal: AbortSignal | undefined

  constructor(options: HandlersOptions) {
    this.#options = options
  }

  /** Whether `run` was called, and whether it has ended or is about to. */
  get state(): 'new' | 'running' | 'stopped' {
    if (this.#signal === undefined) return 'new'
    return this.#signal.aborted ? 'stopped' : 'running'
  }

  /**
   * Registers a handler and replays the content to it as initial adds.
   * @param content called once nothing can fail any more
   * @throws RangeError for options out of range; KubedeltaError `usage` when the cache has stopped
   */
  add(handler: Handler<T>, options: HandlerOptions<T>, content: () => ChangeList<T>): Registration {
    const { holdBackAt = 1_000, resyncMs = this.#options.resyncMs, upstreamResync = false, filter } = options
    checkBounds(holdBackAt, resyncMs)
    const name = options.name ?? `handler-${this.#count + 1}`
    if (this.state === 'stopped') throw stoppedAlready(name)
    this.#count += 1
    const { schedule, clock, log, errors, resource } = this.#options
    const tracker = new SyncTracker()
    const queue = new HandlerQueue<T>({
      handler: filter === undefined ? handler : filteringHandler(filter, handler),
      name,
      holdBackAt,
      clock,
      log,
      onReturned: (change) => {
        if (isInitial(change)) tracker.finished()
      },
      onFailed: () => errors.inc({ resource, handler: name }),
    })
    const turn = schedule.add(resyncMs, { handler: name, running: this.state === 'running', now: clock.now() })
    const member: Member<T> = { queue, tracker, turn, upstreamResync }
    const replay = content()
    putAll(member, replay)
    replay.close()
    if (this.#synced) tracker.allGiven()
    this.#members.add(member)
    if (this.#signal !== undefined) this.#start(member, this.#signal)
    return {
      name,
      hasSynced: () => tracker.hasSynced(),
      whenSynced: (signal) => tracker.whenSynced(signal),
      remove: () => this.#remove(member),
    }
  }

  /** Buffers a change for each handler that it is for. */
  dispatch(change: Change<T>): void {
    for (const member of this.#members) if (isFor(member, change)) put(member, change)
  }

  /** Whether anybody would hear of changes. */
  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  /** Buffers many changes for each handler that they are for, and closes the list. */
  dispatchAll(list: ChangeList<T>): void {
    for (const member of this.#members) putAll(member, list)
    list.close()
  }

  /** What the feed waits for before it goes on; nothing to wait for is undefined. @throws the signal's reason when it aborts first */
  room(signal: AbortSignal): Promise<void> | undefined {
    const full: HandlerQueue<T>[] = []
    for (const { queue } of this.#members) if (queue.isFull()) full.push(queue)
    return full.length === 0 ? undefined : allRoom(full, signal)
  }

  /** The first content has been dispatched as a whole. */
  markSynced(): void {
    this.#synced = true
    for (const { tracker } of this.#members) tracker.allGiven()
  }

  /**
   * Calls the handlers, those added later too, until the signal aborts; then waits for the calls under way.
   * @throws what is wrong in this code itself; a handler never fails it
   */
  async run(signal: AbortSignal): Promise<void> {
    const both = AbortSignal.any([signal, this.#ownAbort.signal])
    this.#signal = both
    for (const member of this.#members) this.#start(member, both)
    await aborted(both)
    await Promise.all(this.#runs)
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #start(member: Member<T>, signal: AbortSignal): void {
    const run = member.queue
      .run(signal)
      .catch((error: unknown) => {
        this.#failure ??= { error }
        this.#ownAbort.abort()
      })
      .finally(() => this.#runs.delete(run))
    this.#runs.add(run)
  }

  #remove(member: Member<T>): void {
    member.queue.close()
    this.#members.delete(member)
    this.#options.schedule.remove(member.turn)
  }
}

function checkBounds(holdBackAt: number, resyncMs: number): void {
  if (!(holdBackAt >= 1)) {
    throw new RangeError(`Cannot add handler: 'holdBackAt' must be >= 1: current value is ${holdBackAt}`)
  }
  if (!(resyncMs >= 0)) {
    throw new RangeError(`Cannot add handler: 'resyncMs' must be >= 0: current value is ${resyncMs}`)
  }
}

/** In client-go's words (shared_informer.go, AddEventHandlerWithOptions). */
function stoppedAlready(name: string): KubedeltaError {
  return new KubedeltaError('usage', `handler ${name} was not added to shared informer because it has stopped already`)
}

/** What decides which updates a handler gets. */
interface Listening {
  readonly turn: Pick<ResyncTurn, 'isDue'>
  readonly upstreamResync: boolean
}

interface Member<T> extends Listening {
  readonly queue: HandlerQueue<T>
  readonly tracker: SyncTracker
  readonly turn: ResyncTurn
}

function put<T>(member: Member<T>, change: Change<T>): void {
  if (isInitial(change)) member.tracker.started()
  member.queue.put(change)
}

function putAll<T>(member: Member<T>, list: ChangeList<T>): void {
  member.tracker.started(list.initialAdds)
  // Who is due is decided now, not when the turn of the change comes.
  const { upstreamResync, turn } = member
  const now = { upstreamResync, turn: { isDue: turn.isDue } }
  member.queue.putAll(list.cursor((change) => isFor(now, change)))
}

function isInitial<T>(change: Change<T>): boolean {
  return change.kind === 'add' && change.initial
}

function isFor<T>(member: Listening, change: Change<T>): boolean {
  if (change.kind !== 'update') return true
  switch (change.route) {
    case 'all':
      return true
    case 'due':
      return member.turn.isDue
    case 'asked':
      return member.upstreamResync
    default:
      return change.route satisfies never
  }
}

async function allRoom<T>(full: readonly HandlerQueue<T>[], signal: AbortSignal): Promise<void> {
  // Settled first: a wait that fails must not leave another one without an owner.
  const waits = await Promise.allSettled(full.map((queue) => queue.room(signal)))
  for (const wait of waits) if (wait.status === 'rejected') throw wait.reason
}
