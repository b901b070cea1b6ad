// The writing side of one topic: appends in transactions, on the thread that calls it.

import { KubedeltaError } from '../base/errors.ts'
import { unpackRecords } from './record-bytes.ts'
import { sqliteError } from './sqlite.ts'
import type { DatabaseSync, StatementSync } from './sqlite.ts'
import { missingTopic, noteHolder, openTopicDatabase, partitionEnds, recordsTable } from './topic-database.ts'
import type { TopicDatabase } from './topic-database.ts'
import { fileIdentity, type TopicFiles } from './topic-files.ts'
import { topicSettings, type TopicSettings } from './topic-settings.ts'
import { takeWriterLock, type WriterLock } from './writer-lock.ts'

/** Called before each statement with what it does; tests of crashes end the work there. */
export type Probe = (step: string) => void

/** What stands between two offsets of a partition. */
export interface Segment {
  readonly partition: number
  readonly base: number
  readonly next: number
  /** Of its records, without what SQLite needs for itself. */
  readonly bytes: number
  readonly begunMs: number
}

/**
 * One topic, opened for writing.
 *
 * - Holds the topic's writer lock from `open` to `close`.
 * - What `append` returned from is on disk: WAL, synchronous FULL, one transaction a call. A failed one leaves nothing.
 */
export class TopicStore {
  readonly settings: TopicSettings
  readonly partitions: number
  readonly database: DatabaseSync
  readonly #files: TopicFiles
  readonly #opened: TopicDatabase
  readonly #lock: WriterLock
  readonly #probe: Probe
  readonly #inserts: readonly StatementSync[]
  readonly #putSegment: StatementSync
  readonly #growSegment: StatementSync
  /** The open segment of each partition; none before its first record. */
  #open: ReadonlyMap<number, Segment>

  /** @throws KubedeltaError `topic-missing`, `fenced`, `unsupported`, `corrupt`, `forbidden` */
  static open(files: TopicFiles, probe: Probe = () => {}): TopicStore {
    const opened = openTopicDatabase(files, { readOnly: false })
    let lock: WriterLock | undefined
    try {
      lock = takeWriterLock(files)
      return new TopicStore(files, opened, lock, probe)
    } catch (error) {
      lock?.[Symbol.dispose]()
      opened.database.close()
      throw sqliteError(error, { action: `write to topic ${files.topic}`, path: files.directory })
    }
  }

  private constructor(files: TopicFiles, opened: TopicDatabase, lock: WriterLock, probe: Probe) {
    const { database, partitions, config } = opened
    this.settings = topicSettings(config)
    this.partitions = partitions
    this.database = database
    this.#files = files
    this.#opened = opened
    this.#lock = lock
    this.#probe = probe
    database.exec(CONNECTION)
    noteHolder(database)
    this.#inserts = Array.from({ length: partitions }, (_, partition) =>
      database.prepare(
        `INSERT INTO ${recordsTable(partition)} (pos, timestamp, crc, key, headers, value) VALUES (?, ?, ?, ?, ?, ?)`,
      ),
    )
    this.#putSegment = database.prepare(
      'INSERT INTO segments (part, base, next, bytes, begun_ms, clean) VALUES (?, ?, ?, ?, ?, 0)',
    )
    this.#growSegment = database.prepare('UPDATE segments SET next = ?, bytes = ? WHERE part = ? AND base = ?')
    const last = database.prepare(
      'SELECT part, max(base) AS base, next, bytes, begun_ms FROM segments WHERE clean = 0 GROUP BY part',
    )
    this.#open = new Map(last.all().map((row) => [Number(row['part']), toSegment(row)]))
  }

  /** Where each partition ends. */
  ends(): readonly number[] {
    return partitionEnds(this.database, this.partitions)
  }

  /**
   * Appends packed records at the offsets that they carry, all or nothing.
   * @throws KubedeltaError `topic-missing` when the topic's directory was removed; otherwise what SQLite throws
   */
  append(packed: Buffer, nowMs: number): void {
    this.assertStanding()
    this.#open = this.transaction(() => {
      const grown = new Map(this.#open)
      for (const row of unpackRecords(packed)) {
        const { partition, offset, timestampMs, crc, key, headers, value } = row
        this.step('insert record')
        this.#inserts[partition]?.run(offset, timestampMs, crc, key, headers, value)
        const bytes = key.length + (headers?.length ?? 0) + (value?.length ?? 0)
        grown.set(
          partition,
          this.#grow(grown.get(partition), { partition, base: offset, next: offset + 1, bytes, begunMs: nowMs }),
        )
      }
      for (const [partition, segment] of grown) if (segment !== this.#open.get(partition)) this.#saveGrown(segment)
      return grown
    })
  }

  /** Runs statements as one transaction, on disk when this returns; when it throws, nothing of it is left. */
  transaction<T>(work: () => T): T {
    this.step('begin')
    this.database.exec('BEGIN IMMEDIATE')
    let outcome: T
    try {
      outcome = work()
      this.step('commit')
      this.database.exec('COMMIT')
    } catch (error) {
      this.#rollBack()
      throw error
    }
    this.step('committed')
    return outcome
  }

  /** Tells the probe what comes next. */
  step(what: string): void {
    this.#probe(what)
  }

  /** A removed directory would still take writes, and lose them. @throws KubedeltaError `topic-missing` */
  assertStanding(): void {
    if (fileIdentity(this.#files.database) === this.#opened.identity) return
    throw missingTopic(`write to topic ${this.#files.topic}`, this.#files.topic)
  }

  close(): void {
    try {
      this.database.close()
    } finally {
      this.#lock[Symbol.dispose]()
    }
  }

  /** The open segment with one record more; a full or an old one is closed, which takes no more than not growing it. */
  #grow(open: Segment | undefined, record: Segment): Segment {
    const { segmentBytes, segmentMs } = this.settings
    if (open === undefined) return record
    const isFull = open.bytes >= segmentBytes || record.begunMs - open.begunMs >= segmentMs
    if (!isFull) return { ...open, next: record.next, bytes: open.bytes + record.bytes }
    this.#saveGrown(open)
    return record
  }

  #saveGrown({ partition, base, next, bytes, begunMs }: Segment): void {
    this.step('save segment')
    const { changes } = this.#growSegment.run(next, bytes, partition, base)
    if (Number(changes) === 0) this.#putSegment.run(partition, base, next, bytes, begunMs)
  }

  #rollBack(): void {
    try {
      this.database.exec('ROLLBACK')
    } catch {
      // Some failures, a full disk among them, have rolled back already; what matters is that none is open.
    }
  }
}

/** A row of `segments`. @throws KubedeltaError `corrupt` for one without numbers */
export function toSegment(row: Record<string, unknown>): Segment {
  const number = (name: string): number => {
    const value = row[name]
    if (typeof value === 'number') return value
    throw new KubedeltaError('corrupt', `Cannot read segments: wanted a number in ${name}`)
  }
  return {
    partition: number('part'),
    base: number('base'),
    next: number('next'),
    bytes: number('bytes'),
    begunMs: number('begun_ms'),
  }
}

/**
 * FULL: each commit is flushed. The WAL goes into the database every 16 MiB, and is cut back to 64 MiB when a reader held that up.
 * Caches are small because topics may be many: 4 MiB hold the inner pages of some three million records.
 */
const CONNECTION = `
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = 1;
  PRAGMA wal_autocheckpoint = 4096;
  PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -4096;
`
