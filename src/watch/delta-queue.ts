// Holds what a reflector saw, per key and in the order of first arrival, until the one consumer has processed it.

import type { Bytes } from '../base/byte-budget.ts'
import { KubedeltaError } from '../base/errors.ts'
import { once } from '../base/once.ts'
import { WaitList } from '../base/wait-list.ts'
import { DeltaQueueEntries } from './delta-queue-entries.ts'
import { InFlight } from './delta-queue-in-flight.ts'
import type { Popped } from './delta-queue-popped.ts'
import type { Delta, DeltaSink, ListReason } from './delta.ts'

/** What the consumer has already: the keys that a list may turn out to lack. */
export interface KnownKeys<T> {
  has(key: string): boolean
  keys(): Iterable<string>
  /** The last state known. Absent where only keys are kept: then a missed delete carries no object and a resync shows nothing. */
  get?(key: string): T | undefined
}

export interface DeltaQueueOptions<T> {
  readonly keyOf: (object: T) => string
  /** Bytes that the object holds for as long as it is queued, or popped and not released. */
  readonly sizeOf: (object: T) => number
  /** Read at each delete, end of a list and resync; shows what a delta did by the time it is released. */
  readonly knownKeys: KnownKeys<T>
  /** The bound in bytes, usually shared by all queues of a process; a put waits at it. */
  readonly budget: Bytes
  /** Deltas queued at once; a put waits at it. @default 2_000, as client-go (the_real_fifo.go, 2 * batchSize) */
  readonly maxEntries?: number
}

/**
 * The queue between one reflector and one consumer.
 *
 * - The deltas of a key are popped together and in order; keys in the order in which they came to the queue.
 * - Two deletes in a row are one, the one with a final state where there is one.
 * - A delete of a key that is not there (neither queued, nor in flight, nor known) is dropped.
 * - At the end of a list every key that is there, and was not listed, added or updated since `begin`, is deleted with `finalStateUnknown`.
 * - Synced once the first list has ended and all that came until then was popped and released.
 * - A put waits at the bounds. Missed deletes and resyncs never do: they hold keys, and objects that the consumer holds anyway.
 *
 * In flight is what was popped and is not released yet. There is one producer, which waits for each put before the next.
 */
export class DeltaQueue<T> implements DeltaSink<T> {
  readonly #options: DeltaQueueOptions<T>
  readonly #maxEntries: number
  readonly #entries = new DeltaQueueEntries<T>(() => this.#countInitial())
  // A key in flight counts as known: the consumer will know its newest delta by the time that it gets the next one.
  readonly #inFlight = new InFlight<T>()
  readonly #pops = new WaitList()
  readonly #puts = new WaitList()
  readonly #syncs = new WaitList()
  readonly #closing = new AbortController()
  #signals: { readonly given: AbortSignal; readonly either: AbortSignal } | undefined
  #list: OpenList | undefined
  #listed = false
  // Entries of the initial population not released yet.
  #initialLeft = 0

  constructor(options: DeltaQueueOptions<T>) {
    const { maxEntries = 2_000 } = options
    if (!(maxEntries >= 1)) {
      throw new RangeError(`Cannot create delta queue: 'maxEntries' must be >= 1: is ${maxEntries}`)
    }
    this.#options = options
    this.#maxEntries = maxEntries
  }

  /** Deltas and barriers queued now. */
  get size(): number {
    return this.#entries.size
  }

  get hasSynced(): boolean {
    return this.#listed && this.#initialLeft === 0
  }

  /** @throws the signal's reason when it aborts first */
  async whenSynced(signal: AbortSignal): Promise<void> {
    while (!this.hasSynced) await this.#syncs.wait(signal)
  }

  begin(reason: ListReason): void {
    this.#list = { reason, keys: new Set() }
  }

  item(object: T, signal: AbortSignal): Promise<void> | void {
    return this.#put({ kind: 'replaced', object, reason: this.#openList().reason }, signal)
  }

  end(resourceVersion: string): void {
    this.#assertOpen()
    const list = this.#openList()
    this.#list = undefined
    for (const [key, newest] of this.#entries.newest()) this.#deleteMissed(key, newest, list)
    for (const key of this.#inFlight.keys()) {
      if (!this.#entries.has(key)) this.#deleteMissed(key, this.#inFlight.newest(key), list)
    }
    const { knownKeys } = this.#options
    for (const key of knownKeys.keys()) {
      if (list.keys.has(key) || this.#entries.has(key) || this.#inFlight.has(key)) continue
      this.#append(key, missedDelete(knownKeys.get?.(key), list.reason), 0)
    }
    this.#entries.listed(resourceVersion, list.reason)
    this.#listed = true
    this.#pops.wake()
  }

  add(object: T, signal: AbortSignal): Promise<void> | void {
    return this.#put({ kind: 'added', object }, signal)
  }

  update(object: T, signal: AbortSignal): Promise<void> | void {
    return this.#put({ kind: 'updated', object }, signal)
  }

  delete(object: T, signal: AbortSignal): Promise<void> | void {
    return this.#put({ kind: 'deleted', object, finalStateUnknown: false }, signal)
  }

  bookmark(resourceVersion: string): void {
    this.#assertOpen()
    this.#entries.bookmark(resourceVersion)
    this.#pops.wake()
  }

  /** Shows every known object again, except where something newer is queued or in flight. */
  resync(): void {
    this.#assertOpen()
    const { knownKeys } = this.#options
    for (const key of knownKeys.get === undefined ? [] : knownKeys.keys()) {
      if (this.#entries.has(key) || this.#inFlight.has(key)) continue
      const object = knownKeys.get?.(key)
      if (object !== undefined) this.#append(key, { kind: 'sync', object }, 0)
    }
  }

  /** The next entry, if there is one now. */
  tryPop(): Popped<T> | undefined {
    const entry = this.#entries.shift()
    if (entry === undefined) return undefined
    if (this.#entries.size < this.#maxEntries) this.#puts.wake()
    const { initial } = entry
    if (entry.kind !== 'deltas') return { ...entry, bytes: 0, release: once(() => this.#countReleased(initial)) }
    const { key, deltas, bytes } = entry
    this.#inFlight.depart(key, deltas.at(-1))
    let held = bytes
    const giveBack = (some: number): void => {
      const given = Math.min(some, held)
      held -= given
      this.#giveBack(given)
    }
    const release = once(() => {
      this.#inFlight.arrive(key)
      giveBack(held)
      this.#countReleased(initial)
    })
    return { kind: 'deltas', key, deltas, bytes, initial, giveBack, release }
  }

  /**
   * Waits for the next entry; undefined once the queue is closed and empty.
   * @throws the signal's reason when it aborts first
   */
  async pop(signal: AbortSignal): Promise<Popped<T> | undefined> {
    for (;;) {
      signal.throwIfAborted()
      const popped = this.tryPop()
      if (popped !== undefined || this.#closing.signal.aborted) return popped
      await this.#pops.wait(signal)
    }
  }

  /** Takes nothing more: waiting puts fail with `aborted`, pops go on until it is empty. */
  close(): void {
    this.#closing.abort(closedError())
    this.#pops.wake()
  }

  /** Closes it and gives back the bytes of what nobody popped. */
  [Symbol.dispose](): void {
    this.close()
    for (let popped = this.tryPop(); popped !== undefined; popped = this.tryPop()) popped.release()
  }

  #put(delta: SeenDelta<T>, signal: AbortSignal): Promise<void> | void {
    this.#assertOpen()
    const bytes = this.#options.sizeOf(delta.object)
    if (!this.#isFull() && !this.#puts.waiting && this.#options.budget.tryAcquire(bytes)) this.#accept(delta, bytes)
    else return this.#putLater(delta, { bytes, signal: this.#orClosing(signal) })
  }

  async #putLater(delta: SeenDelta<T>, options: { bytes: number; signal: AbortSignal }): Promise<void> {
    const { bytes, signal } = options
    while (this.#isFull()) await this.#puts.wait(signal)
    await this.#options.budget.acquire(bytes, signal)
    if (this.#closing.signal.aborted) this.#giveBack(bytes)
    this.#assertOpen()
    this.#accept(delta, bytes)
  }

  #isFull(): boolean {
    return this.#entries.size >= this.#maxEntries
  }

  #accept(delta: SeenDelta<T>, bytes: number): void {
    const key = this.#options.keyOf(delta.object)
    if (delta.kind !== 'deleted') {
      this.#list?.keys.add(key)
    } else if (!this.#isThere(key)) {
      this.#giveBack(bytes)
      return
    }
    this.#append(key, delta, bytes)
  }

  /** Whether a delete of the key would be news. */
  #isThere(key: string): boolean {
    if (this.#entries.has(key)) return true
    if (this.#inFlight.has(key)) return this.#inFlight.newest(key)?.kind !== 'deleted'
    return this.#options.knownKeys.has(key)
  }

  #append(key: string, delta: Delta<T>, bytes: number): void {
    this.#giveBack(this.#entries.append(key, delta, bytes))
    this.#pops.wake()
  }

  #deleteMissed(key: string, newest: Delta<T> | undefined, list: OpenList): void {
    if (list.keys.has(key) || newest?.kind === 'deleted') return
    this.#append(key, missedDelete(newest?.object, list.reason), 0)
  }

  #giveBack(bytes: number): void {
    if (bytes > 0) this.#options.budget.release(bytes)
  }

  #countInitial(): boolean {
    if (!this.#listed) this.#initialLeft++
    return !this.#listed
  }

  #countReleased(initial: boolean): void {
    if (!initial) return
    this.#initialLeft--
    if (this.hasSynced) this.#syncs.wake()
  }

  #openList(): OpenList {
    if (this.#list !== undefined) return this.#list
    throw new KubedeltaError('internal', 'Cannot take part of a list: wanted a list that has begun: there is none')
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw closedError()
  }

  // A reflector hands in the same signal for a whole list or watch, so the combined one is kept.
  #orClosing(given: AbortSignal): AbortSignal {
    if (this.#signals?.given === given) return this.#signals.either
    this.#signals = { given, either: AbortSignal.any([given, this.#closing.signal]) }
    return this.#signals.either
  }
}

/** A delta that someone upstream saw, so that its object counts in bytes. */
type SeenDelta<T> =
  | Extract<Delta<T>, { readonly kind: 'added' | 'updated' | 'sync' | 'replaced' }>
  | Extract<Delta<T>, { readonly finalStateUnknown: false }>

interface OpenList {
  readonly reason: ListReason
  /** Listed, added or updated since `begin`. What was deleted after may stay: its delete is in the queue, or behind it. */
  readonly keys: Set<string>
}

function missedDelete<T>(object: T | undefined, reason: ListReason): Delta<T> {
  return { kind: 'deleted', object, finalStateUnknown: true, reason }
}

function closedError(): KubedeltaError {
  return new KubedeltaError('aborted', 'Cannot put delta: wanted an open queue: it is closed')
}
