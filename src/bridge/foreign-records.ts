// Notices what others put on the topic while this bridge writes it, and has it repaired.

import { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { WaitList } from '../base/wait-list.ts'
import { isReservedKey } from '../record/control.ts'
import type { Appended, StoredRecord, TopicReader } from '../topic/port.ts'
import type { TopicIndex } from './topic-index.ts'

export interface ForeignRecordsOptions {
  readonly topic: string
  readonly reader: TopicReader
  readonly index: TopicIndex
  readonly log: Logger
  /** Asks for a list of the collection: it writes over what differs from the index. */
  readonly relist: () => void
  /** So many records of others were found, reserved keys not counted. */
  readonly onFound: (records: number) => void
}

/**
 * Follows the bridge's own topic by the offsets of its acknowledgements.
 *
 * - Between two of them nothing is read: the broker counts. Where an offset is skipped, only what stands there is read.
 * - A key whose last record is another's counts as unknown to the index, so that the next list writes it again, or deletes it.
 * - An offset that comes a second time means that acknowledged records are gone: the topic was truncated or made anew.
 */
export class ForeignRecords {
  readonly #options: ForeignRecordsOptions
  // Partition -> offset behind the last acknowledged record.
  readonly #next = new Map<number, number>()
  readonly #gaps: Gap[] = []
  readonly #found = new WaitList()
  #failure: KubedeltaError | undefined

  constructor(options: ForeignRecordsOptions) {
    this.#options = options
  }

  /** Takes each acknowledgement, by partition in the order of the log. */
  appended({ partition, baseOffset }: Appended, records: number): void {
    const next = this.#next.get(partition) ?? baseOffset
    if (baseOffset < next) this.#failure ??= truncated(this.#options.topic, { partition, baseOffset, next })
    if (baseOffset > next) this.#gaps.push({ partition, from: next, until: baseOffset })
    this.#next.set(partition, baseOffset + records)
    if (baseOffset !== next) this.#found.wake()
  }

  /** @throws KubedeltaError `log-truncated`, and what the reader throws */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#failure !== undefined) throw this.#failure
      const gap = this.#gaps.shift()
      if (gap === undefined) await this.#found.wait(signal)
      else await this.#repair(gap, signal)
    }
  }

  async #repair({ partition, from, until }: Gap, signal: AbortSignal): Promise<void> {
    const { reader, topic, log, relist, onFound } = this.#options
    const range = { topic, from: new Map([[partition, from]]), until: new Map([[partition, until]]), signal }
    let found = 0
    for await (const { records, broken = [] } of reader.read(range)) {
      for (const record of records) if (this.#take(record)) found++
      // What stood in a broken batch nobody can tell, and no reader will: it changes no cache.
      for (const { baseOffset, error } of broken) {
        log.warn('record batch of another producer is broken', { partition, offset: baseOffset, error })
      }
    }
    if (found === 0) return
    onFound(found)
    log.error('another producer writes to the topic; listing to write over it', { partition, from, records: found })
    relist()
  }

  /** Whether it is a record of somebody's. */
  #take({ key: bytes, value, partition, offset }: StoredRecord): boolean {
    const key = bytes.toString()
    if (isReservedKey(key)) return false
    const { index } = this.#options
    const known = index.get(key)
    // What was appended after it and is not acknowledged stands behind it, and so does what has a higher offset.
    const isLast = known === undefined || (known.position !== undefined && known.position.offset < offset)
    if (!isLast || key.split('/').length > 2) return true
    if (value === null) index.delete(key)
    else {
      const { uid, resourceVersion } = known ?? { uid: '', resourceVersion: '' }
      index.set(key, { uid, resourceVersion, hash: '', position: { partition, offset } })
    }
    return true
  }
}

interface Gap {
  readonly partition: number
  readonly from: number
  readonly until: number
}

function truncated(
  topic: string,
  { partition, baseOffset, next }: { readonly partition: number; readonly baseOffset: number; readonly next: number },
): KubedeltaError {
  return new KubedeltaError(
    'log-truncated',
    `Cannot go on with topic ${topic}: wanted offset ${next} of partition ${partition} or a later one: the broker gave ${baseOffset}, so that acknowledged records are gone; start again, which reads the topic`,
    { fields: { topic, partition, offset: baseOffset } },
  )
}
