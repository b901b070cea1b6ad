// Serves one watch: the state at its start where that is asked for, then every change, with bookmarks, until its time is over.

import type { Clock } from '../../base/clock.ts'
import { resourceName } from '../../object/resource.ts'
import type { Entry } from './collection.ts'
import type { FrameSink } from './exchange.ts'
import type { ServedKind } from './kinds.ts'
import { parseWatchVersion, type ListOptions } from './list-options.ts'
import { printBookmark, printChange, printEvent, printObject } from './print.ts'
import { reached } from './reach.ts'
import { selection } from './selection.ts'
import { expired, StatusFailure } from './status.ts'
import type { Store } from './store.ts'
import { Waker } from './waker.ts'

export interface WatchCall {
  readonly kind: ServedKind
  /** '' for all. */
  readonly namespace: string
  readonly options: ListOptions
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
}

export interface WatchContext {
  readonly store: Store
  readonly clock: Clock
  /** How often a watch that takes bookmarks gets one, in milliseconds. */
  readonly bookmarkMs: number
  /** When a watch without timeoutSeconds ends, in milliseconds. */
  readonly timeoutMs: number
  /** Whether the collection is still served. */
  readonly isServed: () => boolean
}

/** Changes that one turn of the loop writes at most. */
const BATCH = 500

/**
 * One open watch.
 *
 * - Its place is a resourceVersion in the history, not a queue: a reader that is slow costs nothing, and is closed once the history has gone on
 *   without it, as a real apiserver does with watchers that do not keep up.
 * - A reader that does not take more is not written to.
 */
export class OpenWatch {
  readonly call: WatchCall
  readonly #context: WatchContext
  readonly #selects: (entry: Entry) => boolean
  readonly #waker = new Waker()
  /** 0 for any. */
  readonly #asked: number
  #sink: FrameSink | undefined
  #position = 0
  #isDrained = true
  #isClosing = false
  #isBookmarkDue = false
  #isCorrupting = false
  #error: StatusFailure | undefined

  /** @throws StatusFailure for a selector or a resourceVersion that cannot be read */
  constructor(call: WatchCall, context: WatchContext) {
    this.call = call
    this.#context = context
    this.#selects = selection(call.kind, { ...call.options, namespace: call.namespace })
    this.#asked = parseWatchVersion(call.options.resourceVersion)
  }

  /** Says that the sink takes more again. */
  drained(): void {
    this.#isDrained = true
    this.#waker.wake()
  }

  /** Ends it after what was written. */
  close(): void {
    this.#isClosing = true
    this.#waker.wake()
  }

  /** Ends it with an ERROR event. */
  fail(error: StatusFailure): void {
    this.#error = error
    this.close()
  }

  /** Breaks the next event, so that it does not parse. */
  corruptNext(): void {
    this.#isCorrupting = true
  }

  /** Sends a bookmark as soon as every change before it was sent. */
  bookmark(): void {
    this.#isBookmarkDue = true
    this.#waker.wake()
  }

  /** Serves it to its end; resolves when nothing more will be written. `drained` must be called when a full sink takes more again. */
  async run(sink: FrameSink): Promise<void> {
    this.#sink = sink
    const { store, timeoutMs } = this.#context
    const { options, signal } = this.call
    const over = new AbortController()
    const life = AbortSignal.any([signal, over.signal])
    const unsubscribe = store.subscribe(() => this.#waker.wake())
    const onAbort = (): void => this.#waker.wake()
    signal.addEventListener('abort', onAbort, { once: true })
    const timers = this.#timers(options.timeoutSeconds > 0 ? options.timeoutSeconds * 1000 : timeoutMs, life)
    try {
      await this.#begin(life)
      while (!life.aborted && this.#turn()) await this.#waker.wait()
    } catch (error) {
      if (error instanceof StatusFailure) this.#write(printEvent('ERROR', JSON.stringify(error.status)))
      else if (!life.aborted) throw error
    } finally {
      over.abort()
      unsubscribe()
      signal.removeEventListener('abort', onAbort)
      await timers
    }
  }

  async #timers(timeoutMs: number, life: AbortSignal): Promise<void> {
    const { clock, bookmarkMs } = this.#context
    const endMs = clock.now() + timeoutMs
    try {
      for (let left = timeoutMs; left > bookmarkMs; left = endMs - clock.now()) {
        await clock.sleep(bookmarkMs, life)
        this.bookmark()
      }
      await clock.sleep(Math.max(0, endMs - clock.now()), life)
      this.close()
    } catch (error) {
      if (!life.aborted) throw error
    }
  }

  /** Sends the state at the start where it is wanted, and finds the position to go on from. */
  async #begin(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#context
    const { kind, options } = this.call
    const { sendInitialEvents } = options
    const version = this.#asked
    if (sendInitialEvents === true) await reached(version, { store, clock, signal })
    const collection = store.collection(resourceName(kind))
    // Without a version a watch begins with what is there, unless it says that it does not want to.
    if (sendInitialEvents === true || (sendInitialEvents === undefined && version === 0)) {
      this.#position = store.version
      const entries = collection.entries().filter(this.#selects)
      for (const entry of entries) {
        while (!this.#isDrained && !signal.aborted) await this.#waker.wait()
        this.#write(printEvent('ADDED', printObject(kind, entry)))
      }
      if (sendInitialEvents === true && options.allowWatchBookmarks) {
        this.#write(printBookmark(kind, this.#position, true))
      }
      return
    }
    this.#position = version === 0 ? store.version : version
    if (this.#position < collection.oldest) {
      throw expired(`too old resource version: ${this.#position} (${collection.oldest})`)
    }
  }

  /** Writes what is there to write. @returns whether there will be more */
  #turn(): boolean {
    const { store, isServed } = this.#context
    const { kind, options } = this.call
    const collection = store.collection(resourceName(kind))
    while (this.#isDrained) {
      if (this.#error !== undefined) throw this.#error
      if (this.#position < collection.oldest) return false
      const changes = collection.changesAfter(this.#position, BATCH)
      let text = ''
      for (const change of changes) {
        this.#position = change.version
        if (change.isForgotten) continue
        const event = printChange(kind, change, this.#selects)
        if (event !== undefined) text += this.#broken(event)
      }
      if (text !== '') this.#write(text)
      if (changes.length < BATCH) break
    }
    if (!this.#isDrained) return true
    this.#position = Math.max(this.#position, store.version)
    // A watch from a version that is yet to come has nothing to be told.
    const isThere = this.#position === store.version
    if (this.#isBookmarkDue && isThere && options.allowWatchBookmarks) {
      this.#write(printBookmark(kind, this.#position, false))
    }
    this.#isBookmarkDue = false
    return !this.#isClosing && isServed()
  }

  #broken(event: string): string {
    if (!this.#isCorrupting) return event
    this.#isCorrupting = false
    return event.replace('"object":{', '"object":}')
  }

  #write(text: string): void {
    if (this.#sink?.write(text) === false) this.#isDrained = false
  }
}
