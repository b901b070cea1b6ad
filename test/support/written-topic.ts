// A topic in a directory that a test writes, compacts, copies and damages by a clock that it sets.

import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../src/base/clock.ts'
import { Compaction } from '../../src/embedded/compaction.ts'
import { recordsTable } from '../../src/embedded/topic-database.ts'
import type { TopicFiles } from '../../src/embedded/topic-files.ts'
import { TopicStore } from '../../src/embedded/topic-store.ts'
import { TopicView } from '../../src/embedded/topic-view.ts'
import { appendTo, copyAsKilled, makeTopic, type PlacedRecord } from './embedded-topic.ts'
import { statesIn, type BridgedTopic, type Version } from './named-cluster.ts'

/** Each record closes a segment, and each that is closed is worth a pass: compaction has always something to do. */
const config = {
  'segment.bytes': '60',
  'min.cleanable.dirty.ratio': '0',
  'delete.retention.ms': String(24 * 3_600_000),
}

/** A topic in a directory with the one who writes it, on this thread. */
export class WrittenTopic implements BridgedTopic {
  readonly partitions: number
  readonly #files: TopicFiles
  readonly #clock: Clock
  #store: TopicStore
  #waiting: PlacedRecord[] = []

  /** Makes a topic of 24 hours of delete.retention.ms in `root`. */
  static make(root: string, partitions: number, clock: Clock): WrittenTopic {
    return new WrittenTopic(makeTopic(root, { partitions, config }), clock)
  }

  /** Puts a copy into `root`, where the topic must be missing. */
  static restore(root: string, backup: TopicFiles, clock: Clock): WrittenTopic {
    return new WrittenTopic(copyAsKilled(backup, root), clock)
  }

  private constructor(files: TopicFiles, clock: Clock) {
    this.#files = files
    this.#clock = clock
    this.#store = this.#open()
    this.partitions = this.#store.partitions
  }

  /** Ends the writer, and begins another. */
  reopen(): void {
    this.close()
    this.#store = this.#open()
  }

  close(): void {
    this.flush()
    this.#store.close()
  }

  /** Ends the writer and removes the topic. */
  remove(): void {
    this.close()
    rmSync(this.#files.directory, { recursive: true })
  }

  /** Copies the topic into another root. */
  copyTo(root: string): TopicFiles {
    this.flush()
    return copyAsKilled(this.#files, root)
  }

  /** For the next `flush`. */
  add(each: PlacedRecord): void {
    this.#waiting.push(each)
  }

  /** Commits what was added, as one group. */
  flush(): void {
    if (this.#waiting.length === 0) return
    appendTo(this.#store, this.#waiting, this.#clock.now())
    this.#waiting = []
  }

  /** Does all that compaction may do now. */
  compact(): void {
    this.flush()
    const compaction = new Compaction(this.#store)
    while (compaction.step(this.#clock.now()));
  }

  /** Changes one column of one row behind the log's back. */
  damage(part: number, column: string): void {
    this.flush()
    const tables = Array.from({ length: this.partitions }, (_, partition) => recordsTable(partition))
    using database = new DatabaseSync(this.#files.database)
    const rows = tables.flatMap((table) =>
      database
        .prepare(`SELECT pos FROM ${table} ORDER BY pos`)
        .all()
        .map(({ pos }) => ({ table, pos: Number(pos) })),
    )
    const row = rows[Math.floor(part * (rows.length - 1))]
    if (row === undefined) return
    const value = column === 'crc' || column === 'timestamp' ? `${column} + 1` : `x'00'`
    database.prepare(`UPDATE ${row.table} SET ${column} = ${value} WHERE pos = ?`).run(row.pos)
  }

  /** Key -> the state that its last record tells; deleted ones are left out, and rows that are damaged. */
  states(): Map<string, Version> {
    this.flush()
    using view = new TopicView(this.#files)
    const partitions = Array.from({ length: view.partitions }, (_, partition) => partition)
    return statesIn(partitions.flatMap((partition) => view.read({ partition, from: 0, until: Infinity }).records))
  }

  #open(): TopicStore {
    const store = TopicStore.open(this.#files)
    // Power does not fail here: nothing has to be flushed.
    store.database.exec('PRAGMA synchronous = OFF')
    return store
  }
}
