// Commits what one writer sends, in order, and compacts its topic in between.

import { closeSync, futimesSync, openSync } from 'node:fs'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { messageOf } from '../base/errors.ts'
import { Compaction } from './compaction.ts'
import type { WriterNews } from './messages.ts'
import { isPassing, sqliteError } from './sqlite.ts'
import { fileError, type TopicFiles } from './topic-files.ts'
import { TopicStore } from './topic-store.ts'

export interface TopicCommitterOptions {
  readonly files: TopicFiles
  readonly clock: Clock
  readonly random: () => number
  readonly tell: (news: WriterNews) => void
}

/** Between two looks at what compaction may have to do while nothing is appended. */
const COMPACTION_IDLE_MS = 30_000

/** What holds a topic while it is written. */
interface Open {
  readonly store: TopicStore
  readonly compaction: Compaction
  /** Touched after each commit: see TopicFiles. */
  readonly appended: number
  readonly idle: NodeJS.Timeout
}

/**
 * The working half of a writer, on the thread that commits.
 *
 * - A commit that cannot be made for now, on a full disk say, is tried until it can be, and holds back those behind it.
 * - Any other failure is told, and ends it.
 */
export class TopicCommitter {
  readonly #options: TopicCommitterOptions
  readonly #backoff: Backoff
  readonly #waiting: Buffer[] = []
  #open: Open | undefined
  #retry: NodeJS.Timeout | undefined
  #nextSlice: NodeJS.Immediate | undefined

  constructor(options: TopicCommitterOptions) {
    this.#options = options
    this.#backoff = new Backoff(options.clock, options.random, { baseMs: 100, maxMs: 5_000 })
  }

  open(): void {
    const { files, tell } = this.#options
    try {
      const store = TopicStore.open(files)
      const idle = setInterval(() => this.#compactLater(), COMPACTION_IDLE_MS)
      this.#open = { store, compaction: new Compaction(store), appended: openSync(files.appended, 'r+'), idle }
      tell({ kind: 'opened', ends: store.ends(), maxMessageBytes: store.settings.maxMessageBytes })
      this.#compactLater()
    } catch (error) {
      this.#fail(error)
    }
  }

  append(packed: Buffer): void {
    this.#waiting.push(packed)
    if (this.#retry === undefined) this.#commit()
  }

  close(): void {
    const open = this.#open
    this.#open = undefined
    clearTimeout(this.#retry)
    clearImmediate(this.#nextSlice)
    try {
      if (open === undefined) return
      clearInterval(open.idle)
      closeSync(open.appended)
      open.store.close()
    } catch (error) {
      // Everything acknowledged is in the WAL, which the next writer finds.
      this.#tellFailure(error)
    } finally {
      this.#options.tell({ kind: 'closed' })
    }
  }

  #commit(): void {
    this.#retry = undefined
    const { tell, clock } = this.#options
    const open = this.#open
    if (open === undefined) return
    try {
      for (let packed = this.#waiting[0]; packed !== undefined; packed = this.#waiting[0]) {
        open.store.append(packed, clock.now())
        this.#waiting.shift()
        this.#backoff.reset()
        const touched = clock.now() / 1000
        futimesSync(open.appended, touched, touched)
        tell({ kind: 'committed' })
      }
      this.#compactLater()
    } catch (error) {
      if (!isPassing(error)) return this.#fail(error)
      tell({ kind: 'retrying', reason: messageOf(error) })
      this.#retry = setTimeout(() => this.#commit(), this.#backoff.delay())
    }
  }

  /** In another turn: what was sent meanwhile goes first. */
  #compactLater(): void {
    this.#nextSlice ??= setImmediate(() => {
      this.#nextSlice = undefined
      try {
        if (this.#open?.compaction.step(this.#options.clock.now()) === true) this.#compactLater()
      } catch (error) {
        if (!isPassing(error)) return this.#fail(error)
        this.#options.tell({ kind: 'compaction-failed', reason: messageOf(error) })
      }
    })
  }

  #fail(error: unknown): void {
    this.#tellFailure(error)
    this.close()
  }

  #tellFailure(caught: unknown): void {
    const { topic, directory } = this.#options.files
    const action = `write to topic ${topic}`
    const { code, message, fields } = fileError(sqliteError(caught, { action, path: directory }), action)
    this.#options.tell({ kind: 'failed', code, message, fields })
  }
}
