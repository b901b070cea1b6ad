// Keeps the objects of topics and their changes in SQLite; what a batch changes and how far it was read are one transaction.

import { DatabaseSync } from 'node:sqlite'
import type { RecordBatch, RecordEntry, TombstoneEntry, TopicEntry, TopicPositions } from 'kubedelta/consumer'

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS positions (
    topic TEXT PRIMARY KEY,
    positions TEXT NOT NULL,
    reading INTEGER NOT NULL,         -- how often the topic was begun from its start
    complete INTEGER NOT NULL         -- 0: rows of earlier readings may be there that are gone by now
  ) STRICT;
  CREATE TABLE IF NOT EXISTS objects (
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    resource TEXT NOT NULL,
    namespace TEXT,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    resource_version TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    object TEXT,                      -- JSON as the apiserver wrote it; NULL where the bridge had to withhold it
    reading INTEGER NOT NULL,         -- the last one that it came in
    PRIMARY KEY (topic, key)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS changes (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    partition INTEGER,                -- NULL, as offset: nobody saw the delete, a reading from the start showed it
    offset INTEGER,
    op TEXT NOT NULL,
    cause TEXT NOT NULL,
    observed_at INTEGER NOT NULL,     -- milliseconds since the Unix epoch
    key TEXT NOT NULL,
    uid TEXT NOT NULL,
    resource_version TEXT NOT NULL,
    final_state_unknown INTEGER NOT NULL,
    UNIQUE (topic, partition, offset, key, uid, resource_version, op)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS unreadable (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    key TEXT,                         -- NULL: not known
    reason TEXT NOT NULL,
    UNIQUE (topic, partition, offset, reason)
  ) STRICT;
`

interface Reading {
  readonly reading: number
  /** The rows of earlier readings are swept. */
  readonly complete: boolean
}

interface Held {
  readonly uid: string
  readonly resource_version: string
}

/**
 * The database.
 *
 * - A batch is written whole or not at all, with the positions behind it: a process that is killed goes on where it was, once.
 * - A topic that is read from its start again marks what comes, and changes nothing where it is known already; when all has come, what was
 *   not marked is gone.
 */
export class AnalyticsStore implements Disposable {
  readonly #database: DatabaseSync
  readonly #readings = new Map<string, Reading>()

  constructor(file: string) {
    this.#database = new DatabaseSync(file)
    this.#database.exec(SCHEMA)
  }

  /** Where to go on with a topic. */
  positions(topic: string): TopicPositions | undefined {
    const row = this.#row('SELECT positions, reading, complete FROM positions WHERE topic = ?', topic)
    if (row === undefined) return undefined
    this.#readings.set(topic, { reading: Number(row['reading']), complete: row['complete'] === 1 })
    const positions: TopicPositions = JSON.parse(String(row['positions']))
    return positions
  }

  /** Takes a batch and what it leads to. */
  take({ start, entries, positions, live }: RecordBatch<unknown>): void {
    const { topic } = positions
    const before = this.#readings.get(topic) ?? { reading: 0, complete: true }
    const isAnew = start?.kind === 'anew'
    const reading = isAnew ? before.reading + 1 : before.reading
    const wasComplete = before.complete && !isAnew
    this.#transaction(() => {
      for (const entry of entries) this.#takeEntry(entry, reading, wasComplete)
      if (live && !wasComplete) this.#sweep(topic, reading)
      this.#run(
        'INSERT OR REPLACE INTO positions (topic, positions, reading, complete) VALUES (?, ?, ?, ?)',
        topic,
        JSON.stringify(positions),
        reading,
        Number(live || wasComplete),
      )
    })
    this.#readings.set(topic, { reading, complete: live || wasComplete })
  }

  /** The rows that a question brings. */
  ask(question: string): readonly Readonly<Record<string, unknown>>[] {
    return this.#database.prepare(question).all()
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  #takeEntry(entry: TopicEntry<unknown>, reading: number, isComplete: boolean): void {
    switch (entry.kind) {
      case 'record':
        return entry.record.op === 'DELETED' ? this.#delete(entry) : this.#put(entry, reading, isComplete)
      case 'tombstone':
        return this.#bury(entry)
      case 'unreadable':
      case 'broken': {
        const key = entry.kind === 'broken' ? null : entry.key
        const { topic, partition, offset, error } = entry
        return this.#run(
          'INSERT OR IGNORE INTO unreadable VALUES (?, ?, ?, ?, ?)',
          topic,
          partition,
          offset,
          key,
          error.code,
        )
      }
      case 'progress':
        return
      default:
        entry satisfies never
    }
  }

  #put(entry: RecordEntry<unknown>, reading: number, isComplete: boolean): void {
    const { topic, key, record, bytes } = entry
    const { resource, group, namespace, name, uid, resourceVersion, observedAt } = record
    const held = this.#held(topic, key)
    const isKnown = held?.uid === uid && held.resource_version === resourceVersion
    // Read again from the start, a state that is known is no change.
    if (isComplete || !isKnown) this.#change(entry)
    this.#run(
      'INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      topic,
      key,
      group === '' ? resource : `${resource}.${group}`,
      namespace,
      name,
      uid,
      resourceVersion,
      observedAt,
      bytes === null ? null : bytes.toString('utf8'),
      reading,
    )
  }

  #delete(entry: RecordEntry<unknown>): void {
    this.#change(entry)
    this.#run('DELETE FROM objects WHERE topic = ? AND key = ?', entry.topic, entry.key)
  }

  /** A tombstone whose DELETED has been compacted away, or never was. */
  #bury({ topic, key, partition, offset, observedAt }: TombstoneEntry): void {
    const held = this.#held(topic, key)
    if (held === undefined) return
    this.#run('DELETE FROM objects WHERE topic = ? AND key = ?', topic, key)
    this.#deleted(topic, key, held, { partition, offset, observedAt })
  }

  /** What did not come in a reading from the start is gone, and nobody saw when. */
  #sweep(topic: string, reading: number): void {
    const gone = this.#database
      .prepare('DELETE FROM objects WHERE topic = ? AND reading < ? RETURNING key, uid, resource_version')
      .all(topic, reading)
    for (const { key, uid, resource_version } of gone) {
      const held = { uid: String(uid), resource_version: String(resource_version) }
      this.#deleted(topic, String(key), held, { partition: null, offset: null, observedAt: Date.now() })
    }
  }

  #deleted(
    topic: string,
    key: string,
    { uid, resource_version }: Held,
    place: { readonly partition: number | null; readonly offset: number | null; readonly observedAt: number },
  ): void {
    const { partition, offset, observedAt } = place
    const values = [topic, partition, offset, 'DELETED', 'UNKNOWN', observedAt, key, uid, resource_version, 1]
    this.#run(INSERT_CHANGE, ...values)
  }

  #change({ topic, partition, offset, key, record }: RecordEntry<unknown>): void {
    const { op, cause, observedAt, uid, resourceVersion, finalStateUnknown } = record
    const values = [
      topic,
      partition,
      offset,
      op,
      cause,
      observedAt,
      key,
      uid,
      resourceVersion,
      Number(finalStateUnknown),
    ]
    this.#run(INSERT_CHANGE, ...values)
  }

  #held(topic: string, key: string): Held | undefined {
    const row = this.#row('SELECT uid, resource_version FROM objects WHERE topic = ? AND key = ?', topic, key)
    return row && { uid: String(row['uid']), resource_version: String(row['resource_version']) }
  }

  #transaction(write: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      write()
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
  }

  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>()

  #run(text: string, ...values: Array<string | number | null>): void {
    this.#prepared(text).run(...values)
  }

  #row(text: string, ...values: Array<string | number | null>): Readonly<Record<string, unknown>> | undefined {
    return this.#prepared(text).get(...values)
  }

  #prepared(text: string): ReturnType<DatabaseSync['prepare']> {
    const known = this.#statements.get(text) ?? this.#database.prepare(text)
    this.#statements.set(text, known)
    return known
  }
}

/** Read twice, after a start anew, a record is one change. */
const INSERT_CHANGE = `INSERT OR IGNORE INTO changes
  (topic, partition, offset, op, cause, observed_at, key, uid, resource_version, final_state_unknown)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
