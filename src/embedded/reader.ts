// Reads partitions of a topic in a directory, and follows them live.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { abortable } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import type { ReadBatch, ReadOptions, TopicReader } from '../topic/port.ts'
import { AppendWatch, LOOK_AGAIN_MS } from './append-watch.ts'
import { topicFiles } from './topic-files.ts'
import { TopicView } from './topic-view.ts'

export interface EmbeddedReaderOptions {
  /** The log's directory. */
  readonly root: string
  readonly clock: Clock
}

/**
 * A reader with one connection for each topic it was asked for.
 *
 * - It reads about a megabyte at a time, on the main thread, and lets everything else have a turn in between.
 * - A topic that is removed and made anew ends the iteration with `topic-recreated`; there are no leaders, so no epochs are checked.
 * - At the end it waits for the writer's word, in whichever process that is, and looks for itself twice a second.
 */
export class EmbeddedReader implements TopicReader {
  readonly #options: EmbeddedReaderOptions
  readonly #views = new Map<string, TopicView>()

  constructor(options: EmbeddedReaderOptions) {
    this.#options = options
  }

  async *read(options: ReadOptions): AsyncIterable<ReadBatch> {
    const { topic, signal } = options
    const positions = new Map(options.from)
    let first: TopicView | undefined
    let watch: { readonly view: TopicView; readonly appends: AppendWatch } | undefined
    try {
      while (!signal.aborted) {
        const view = this.#view(topic)
        first ??= view
        // Positions of one topic mean nothing in another.
        if (view !== first) throw recreated(topic)
        const appended = watch?.appends.next()
        let isAtEnd = true
        for (const partition of positions.keys()) {
          const batch = this.#readOn(view, partition, { ...options, from: positions })
          if (batch === undefined) continue
          isAtEnd = false
          positions.set(partition, batch.nextOffset)
          yield batch
          await nextTurn()
          if (signal.aborted) return
        }
        if (isDone(positions, options)) return
        if (!isAtEnd) continue
        if (watch?.view === view) {
          await this.#wait(appended, signal)
        } else {
          // Looked at once more before the first wait: something may have come while nobody watched.
          watch?.appends[Symbol.dispose]()
          watch = { view, appends: new AppendWatch(topicFiles(this.#options.root, topic).appended) }
        }
      }
    } finally {
      watch?.appends[Symbol.dispose]()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const view of this.#views.values()) view[Symbol.dispose]()
    this.#views.clear()
  }

  /** The connection to the topic that stands there now. @throws KubedeltaError `topic-missing` and the like */
  #view(topic: string): TopicView {
    const known = this.#views.get(topic)
    if (known?.isStale() === false) return known
    this.#views.delete(topic)
    known?.[Symbol.dispose]()
    const view = new TopicView(topicFiles(this.#options.root, topic))
    this.#views.set(topic, view)
    return view
  }

  /** The next batch of a partition, or undefined where there is nothing more to give for now. */
  #readOn(view: TopicView, partition: number, { topic, from, until }: ReadOptions): ReadBatch | undefined {
    const position = from.get(partition) ?? 0
    const end = untilOf(partition, until)
    if (position >= end) return undefined
    const batch = view.read({ partition, from: position, until: end })
    if (position < 0 || position > batch.endOffset) {
      throw new KubedeltaError(
        'offset-out-of-range',
        `Cannot read topic ${topic}: wanted an offset of 0 to ${batch.endOffset} in partition ${partition}: current value is ${position}`,
        { fields: { topic, partition, offset: position } },
      )
    }
    return batch.nextOffset > position ? batch : undefined
  }

  async #wait(appended: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
    const timer = new AbortController()
    // Ended below, whichever comes first.
    const again = this.#options.clock.sleep(LOOK_AGAIN_MS, timer.signal).catch(() => {})
    try {
      await abortable(Promise.race([appended, again]), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      timer.abort()
    }
  }
}

function recreated(topic: string): KubedeltaError {
  return new KubedeltaError(
    'topic-recreated',
    `Cannot read on in topic ${topic}: it was removed and created anew: read it from its start`,
    { fields: { topic } },
  )
}

function isDone(positions: ReadonlyMap<number, number>, { until }: ReadOptions): boolean {
  return [...positions].every(([partition, position]) => position >= untilOf(partition, until))
}

/** A partition that `until` leaves out is not read, as by the other adapter; without `until` each is followed. */
function untilOf(partition: number, until: ReadOptions['until']): number {
  return until === undefined ? Infinity : (until.get(partition) ?? 0)
}
