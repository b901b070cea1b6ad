// Buffers the changes for one handler and calls it with them, one at a time.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Change } from './change.ts'
import type { ChangeCursor } from './change-list.ts'
import { callHandler, type Handler } from './handler.ts'

export interface HandlerQueueOptions<T> {
  readonly handler: Handler<T>
  /** Names the handler in logs. */
  readonly name: string
  /** Buffered changes at which the feed is held back. */
  readonly holdBackAt: number
  readonly clock: Clock
  readonly log: Logger
  /** Told after each call, failed or not, before the next. */
  readonly onReturned: (change: Change<T>) => void
  /** Told of each failure, after it was logged. */
  readonly onFailed: () => void
}

/**
 * The buffer and the caller of one handler.
 *
 * - `put` never waits, so that a cache and its handlers change in one step; `room` is where the feed waits.
 * - The bound is exceeded by no more than what one write of the feed brings: a change, or a whole swap.
 * - Closed, it drops what is buffered: at most the call under way returns.
 */
export class HandlerQueue<T> {
  readonly #options: HandlerQueueOptions<T>
  /** Changes, and cursors over many, from `#first` on are still to be handled; the call under way is not among them. */
  #changes: Array<Change<T> | ChangeCursor<T>> = []
  #first = 0
  /** How many changes those are. */
  #buffered = 0
  #closed = false
  #wake: () => void = () => {}
  /** Resolves when the feed may go on; present if and only if the feed waits. */
  #room: PromiseWithResolvers<void> | undefined

  constructor(options: HandlerQueueOptions<T>) {
    this.#options = options
  }

  get buffered(): number {
    return this.#buffered
  }

  put(change: Change<T>): void {
    if (this.#closed) return
    this.#changes.push(change)
    this.#buffered += 1
    this.#wake()
  }

  /** Puts many changes at once, made up when their turn comes. */
  putAll(cursor: ChangeCursor<T>): void {
    if (this.#closed || cursor.left === 0) return cursor.close()
    this.#changes.push(cursor)
    this.#buffered += cursor.left
    this.#wake()
  }

  /** Whether the feed has to wait before it goes on. */
  isFull(): boolean {
    return this.buffered >= this.#options.holdBackAt
  }

  /**
   * Resolves once the buffer, having been full, is down to half: so the feed goes on by the batch. Warns once after 30 s.
   * @throws the signal's reason when it aborts first
   */
  async room(signal: AbortSignal): Promise<void> {
    if (!this.isFull()) return
    signal.throwIfAborted()
    this.#room ??= Promise.withResolvers()
    const over = new AbortController()
    const warning = this.#warnWhenSlow(AbortSignal.any([signal, over.signal]))
    try {
      await abortable(this.#room.promise, signal)
    } finally {
      over.abort()
      await warning
    }
  }

  /** Drops what is buffered and lets the feed go on; what is put later is dropped too. */
  close(): void {
    this.#closed = true
    for (const open of this.#changes) if (open.kind === 'cursor') open.close()
    this.#changes = []
    this.#first = 0
    this.#buffered = 0
    this.#giveRoom()
    this.#wake()
  }

  /** Calls the handler until the signal aborts or the queue is closed; never fails, whatever the handler does. */
  async run(signal: AbortSignal): Promise<void> {
    const { handler, onReturned } = this.#options
    const close = (): void => this.close()
    signal.addEventListener('abort', close, { once: true })
    if (signal.aborted) close()
    try {
      for (let calls = 1; !this.#closed; calls += 1) {
        const change = this.#take()
        if (change === undefined) {
          await new Promise<void>((resolve) => (this.#wake = resolve))
          continue
        }
        if (change !== 'none') {
          try {
            await callHandler(handler, change)
          } catch (error) {
            this.#report(change, error)
          }
          onReturned(change)
        }
        // A handler that never waits must not keep sockets and timers from their turn.
        if (calls % CALLS_A_TURN === 0) await nextTurn()
      }
    } finally {
      signal.removeEventListener('abort', close)
    }
  }

  #take(): Change<T> | 'none' | undefined {
    for (;;) {
      const next = this.#changes[this.#first]
      if (next === undefined) return undefined
      if (next.kind !== 'cursor') {
        this.#buffered -= 1
        this.#passFirst()
        return next
      }
      const before = next.left
      const change = next.next()
      this.#buffered -= before - next.left
      if (change !== undefined) {
        this.#giveRoomWhenHalf()
        return change
      }
      this.#passFirst()
    }
  }

  #passFirst(): void {
    this.#first += 1
    // Taken changes pin objects; moving the rest down each time would cost more than they do.
    if (this.#first >= COMPACT_AT && this.#first * 2 >= this.#changes.length) {
      this.#changes.splice(0, this.#first)
      this.#first = 0
    }
    if (this.#first === this.#changes.length) {
      this.#changes = []
      this.#first = 0
    }
    this.#giveRoomWhenHalf()
  }

  #giveRoomWhenHalf(): void {
    if (this.#buffered <= this.#options.holdBackAt / 2) this.#giveRoom()
  }

  #giveRoom(): void {
    this.#room?.resolve()
    this.#room = undefined
  }

  #report(change: Change<T>, error: unknown): void {
    const { key } = change.kind === 'delete' ? change.before : change.after
    this.#options.log.error('handler failed', { handler: this.#options.name, change: change.kind, key, error })
    this.#options.onFailed()
  }

  async #warnWhenSlow(signal: AbortSignal): Promise<void> {
    const { clock, log, name, holdBackAt } = this.#options
    try {
      await clock.sleep(SLOW_MS, signal)
    } catch (error) {
      if (!signal.aborted) throw error
      // The wait was over before it was worth a warning.
      return
    }
    log.warn('handler holds back its feed', { handler: name, buffered: this.buffered, holdBackAt, waitedMs: SLOW_MS })
  }
}

const SLOW_MS = 30_000
const CALLS_A_TURN = 256
const COMPACT_AT = 1_024
