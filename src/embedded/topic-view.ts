// The reading side of one topic: what stands between two offsets, checked.

import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { BrokenBatch, ReadBatch, StoredRecord } from '../topic/port.ts'
import { decodeRow, type Columns } from './decode-row.ts'
import { sqliteError, WAY_OUT } from './sqlite.ts'
import type { StatementSync } from './sqlite.ts'
import { missingTopic, openTopicDatabase, recordsTable, type TopicDatabase } from './topic-database.ts'
import { fileIdentity, type TopicFiles } from './topic-files.ts'

export interface Range {
  readonly partition: number
  readonly from: number
  /** Infinity: to the end. */
  readonly until: number
}

/** Values read at once: the thread stands still meanwhile, for about two milliseconds. */
const MAX_READ_BYTES = 1024 * 1024
const MAX_READ_ROWS = 5_000

/**
 * A connection that only reads.
 *
 * - No statement outlives a call, so a slow reader never keeps the writer from reusing its files.
 * - Every record is checked against its checksum; one that is damaged hides no other.
 */
export class TopicView implements Disposable {
  readonly partitions: number
  readonly #files: TopicFiles
  readonly #opened: TopicDatabase
  readonly #end: StatementSync
  readonly #selects = new Map<number, StatementSync>()

  /** @throws KubedeltaError `topic-missing`, `unsupported`, `corrupt`, `forbidden` */
  constructor(files: TopicFiles) {
    this.#files = files
    this.#opened = openTopicDatabase(files, { readOnly: true })
    this.partitions = this.#opened.partitions
    this.#end = this.#opened.database.prepare('SELECT next FROM segments WHERE part = ? ORDER BY base DESC LIMIT 1')
  }

  /** Every configuration in force. */
  get config(): ReadonlyMap<string, string> {
    return this.#opened.config
  }

  /** Whether the topic has been removed, or removed and made anew, since this was opened. */
  isStale(): boolean {
    return fileIdentity(this.#files.database) !== this.#opened.identity
  }

  /** The offset after a partition's last record. */
  end(partition: number): number {
    return this.#translated(() => Number(this.#end.get(partition)?.['next'] ?? 0))
  }

  /** What stands in the range, as much as fits one read; rows that are not what was written are told as broken. */
  read({ partition, from, until }: Range): ReadBatch {
    return this.#translated(() => {
      const endOffset = this.end(partition)
      const records: StoredRecord[] = []
      const broken: BrokenBatch[] = []
      let nextOffset = Math.max(from, Math.min(until, endOffset))
      let bytes = 0
      for (const row of this.#select(partition).iterate(from, Math.min(until, endOffset))) {
        const offset = Number(row['pos'])
        const record = decodeRow(partition, row)
        if (record !== undefined) records.push(record)
        else broken.push({ baseOffset: offset, nextOffset: offset + 1, error: this.#corrupt(partition, offset) })
        bytes += sizeOf(row)
        if (bytes >= MAX_READ_BYTES || records.length + broken.length >= MAX_READ_ROWS) {
          nextOffset = offset + 1
          break
        }
      }
      return { partition, records, nextOffset, endOffset, ...(broken.length > 0 ? { broken } : {}) }
    })
  }

  [Symbol.dispose](): void {
    this.#opened.database.close()
  }

  #select(partition: number): StatementSync {
    const known = this.#selects.get(partition)
    if (known !== undefined) return known
    if (partition < 0 || partition >= this.partitions)
      throw missingTopic(`read partition ${partition} of topic ${this.#files.topic}`, this.#files.topic)
    const select = this.#opened.database.prepare(
      `SELECT pos, timestamp, crc, key, headers, value FROM ${recordsTable(partition)} WHERE pos >= ? AND pos < ? ORDER BY pos`,
    )
    // A damaged number may be beyond what a JavaScript one holds, and would end the read of all rows.
    select.setReadBigInts(true)
    this.#selects.set(partition, select)
    return select
  }

  #corrupt(partition: number, offset: number): KubedeltaError {
    const { topic, directory } = this.#files
    return new KubedeltaError(
      'corrupt',
      `Cannot read topic ${topic}: the record at offset ${offset} of partition ${partition} does not match its checksum: ${directory} is damaged: ${WAY_OUT}`,
      { fields: { topic, partition, offset, path: directory } },
    )
  }

  #translated<T>(work: () => T): T {
    const { topic, directory } = this.#files
    const action = `read topic ${topic}`
    try {
      return work()
    } catch (error) {
      throw fromUnknown(sqliteError(error, { action, path: directory, fields: { topic } }), `Cannot ${action}`)
    }
  }
}

function sizeOf({ key, value }: Columns): number {
  return lengthOf(key) + lengthOf(value)
}

function lengthOf(column: unknown): number {
  return column instanceof Uint8Array ? column.length : 0
}
