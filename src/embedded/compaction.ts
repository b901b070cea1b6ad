// Removes records that a later one of the same key has replaced, and tombstones whose time is up, a slice at a time.

import { decodeRow } from './decode-row.ts'
import { recordsTable } from './topic-database.ts'
import { toSegment, type Segment, type TopicStore } from './topic-store.ts'

/**
 * Keys of control records begin like this; their newest stays for good, so that a topic always says whose it is.
 * docs/wire-format.md, control records
 */
const RESERVED_PREFIX = '$kubedelta/'

/** How much is done between two looks at the clock and at what waits to be appended. */
const SCAN_ROWS = 2_000
const SCAN_BYTES = 1024 * 1024
const DELETE_ROWS = 500
const VACUUM_PAGES = 1_000

/** Keys held at once: about 30 MB. What has more is compacted in several passes. */
const MAX_KEYS = 250_000

/** Free pages are kept for reuse up to the size of what is used, and this: compaction would have to claim them again. */
const KEPT_FREE_PAGES = 4_096

/**
 * Compaction of one topic.
 *
 * - The last record of each key stays, and every record of the open segment.
 * - A damaged record takes the place of none: what stood there may have been of another key. It goes with the next record of the key that
 *   it has now; where none comes it stays, and is told to whoever reads.
 * - A tombstone stays for delete.retention.ms after everything older of its key has gone: who began to read before that
 *   and saw the old record also sees the tombstone. The newest control record of each key stays for good.
 * - Offsets do not change, and ends do not move back.
 * - Each slice is a transaction of its own that leaves a topic in order: a crash loses only the pass.
 */
export class Compaction {
  readonly #store: TopicStore
  #pass: Iterator<void, void> | undefined

  constructor(store: TopicStore) {
    this.#store = store
  }

  /**
   * Does a slice of what there is to do.
   * @returns whether more may be waiting
   * @throws what SQLite throws; the next call begins a pass anew
   */
  step(nowMs: number): boolean {
    const pass = (this.#pass ??= this.#passOver(nowMs))
    this.#pass = undefined
    const { done } = pass.next()
    if (done === true) return false
    this.#pass = pass
    return true
  }

  *#passOver(nowMs: number): Generator<void, void, undefined> {
    for (let partition = 0; partition < this.#store.partitions; partition++) {
      const dirty = this.#dirtySegments(partition, nowMs)
      if (dirty !== undefined) yield* this.#clean(partition, dirty, nowMs)
    }
    yield* this.#expire(nowMs)
    yield* this.#shrink()
  }

  /** What is worth a pass, oldest first: all closed segments that were not compacted yet, or undefined. */
  #dirtySegments(partition: number, nowMs: number): Dirty | undefined {
    const { settings, database } = this.#store
    const rows = database.prepare('SELECT * FROM segments WHERE part = ? ORDER BY base').all(partition)
    const closed = rows.slice(0, -1)
    const clean = closed.filter(({ clean: isClean }) => isClean === 1).map(toSegment)
    const dirty = closed.slice(clean.length).map(toSegment)
    const [oldest] = dirty
    if (oldest === undefined) return undefined
    const dirtyBytes = sum(dirty)
    const isDue = nowMs - oldest.begunMs >= settings.maxCompactionLagMs
    const ratio = dirtyBytes / (sum(clean) + dirtyBytes)
    return isDue || (dirtyBytes >= settings.segmentBytes && ratio >= settings.minDirtyRatio) ? dirty : undefined
  }

  *#clean(partition: number, dirty: Dirty, nowMs: number): Generator<void, void, undefined> {
    const newest = new Map<string, number>()
    let until = dirty[0]?.base ?? 0
    for (const { base, next } of dirty) {
      if (newest.size > 0 && newest.size + next - base > MAX_KEYS) break
      yield* this.#collect(partition, newest, { base, next })
      until = next
    }
    yield* this.#remove(partition, { newest, until, nowMs })
  }

  /** Notes where each key stands last, whole. */
  *#collect(
    partition: number,
    newest: Map<string, number>,
    { base, next }: Pick<Segment, 'base' | 'next'>,
  ): Generator<void, void, undefined> {
    const select = this.#store.database.prepare(
      `SELECT pos, timestamp, crc, key, headers, value FROM ${recordsTable(partition)}
       WHERE pos >= ? AND pos < ? ORDER BY pos LIMIT ${SCAN_ROWS}`,
    )
    // A damaged number may be beyond what a JavaScript one holds, and would end the pass.
    select.setReadBigInts(true)
    for (let at = base; at < next;) {
      let bytes = 0
      let behind = next
      for (const row of select.iterate(at, next)) {
        behind = Number(row['pos']) + 1
        const record = decodeRow(partition, row)
        const key = record && textOf(record.key)
        if (key !== undefined) newest.set(key, behind - 1)
        bytes += record?.value?.length ?? 0
        if (bytes >= SCAN_BYTES) break
      }
      yield
      at = behind
    }
  }

  *#remove(partition: number, { newest, until, nowMs }: Pass): Generator<void, void, undefined> {
    const store = this.#store
    const { deleteRetentionMs } = store.settings
    const table = recordsTable(partition)
    // length() and IS NULL read only the head of a row, so large values stay on disk.
    const select = store.database.prepare(
      `SELECT pos, key, value IS NULL AS tombstone, length(key) + coalesce(length(headers), 0) + coalesce(length(value), 0) AS bytes
       FROM ${table} WHERE pos >= ? AND pos < ? ORDER BY pos LIMIT ${SCAN_ROWS}`,
    )
    const remove = store.database.prepare(`DELETE FROM ${table} WHERE pos = ?`)
    const expire = store.database.prepare('INSERT OR IGNORE INTO tombstones (expires_ms, part, pos) VALUES (?, ?, ?)')
    let bytes = 0
    for (let at = 0; ;) {
      const rows = select.all(at, until)
      const gone: number[] = []
      const tombstones: number[] = []
      for (const row of rows) {
        const pos = Number(row['pos'])
        const key = textOf(row['key'])
        const last = key === undefined ? undefined : newest.get(key)
        if (last !== undefined && last > pos) {
          gone.push(pos)
          continue
        }
        bytes += Number(row['bytes'])
        if (last === pos && row['tombstone'] === 1 && key?.startsWith(RESERVED_PREFIX) === false) tombstones.push(pos)
      }
      // In rising order: when a tombstone is noted, everything older of its key has gone.
      yield* this.#inSlices(gone, 'remove record', (pos) => remove.run(pos))
      yield* this.#inSlices(tombstones, 'note tombstone', (pos) =>
        expire.run(nowMs + deleteRetentionMs, partition, pos),
      )
      if (rows.length < SCAN_ROWS) break
      at = Number(rows.at(-1)?.['pos']) + 1
      yield
    }
    this.#saveClean(partition, { until, bytes, nowMs })
    yield
  }

  #saveClean(partition: number, { until, bytes, nowMs }: { until: number; bytes: number; nowMs: number }): void {
    const { database } = this.#store
    this.#store.transaction(() => {
      this.#store.step('forget segments')
      database.prepare('DELETE FROM segments WHERE part = ? AND base < ?').run(partition, until)
      this.#store.step('save clean segment')
      database
        .prepare('INSERT INTO segments (part, base, next, bytes, begun_ms, clean) VALUES (?, 0, ?, ?, ?, 1)')
        .run(partition, until, bytes, nowMs)
    })
  }

  *#expire(nowMs: number): Generator<void, void, undefined> {
    const { database } = this.#store
    const select = database.prepare(
      `SELECT expires_ms, part, pos FROM tombstones WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ${DELETE_ROWS}`,
    )
    for (;;) {
      const rows = select.all(nowMs)
      if (rows.length === 0) return
      this.#store.transaction(() => {
        for (const { expires_ms: expiresMs, part, pos } of rows) {
          this.#store.step('remove tombstone')
          // A later pass may have removed it already, and may have noted it again: then the other row finds nothing.
          database.prepare(`DELETE FROM ${recordsTable(Number(part))} WHERE pos = ?`).run(Number(pos))
          database
            .prepare('DELETE FROM tombstones WHERE expires_ms = ? AND part = ? AND pos = ?')
            .run(Number(expiresMs), Number(part), Number(pos))
        }
      })
      yield
    }
  }

  /** Gives free pages back to the file system, from the end of the file. */
  *#shrink(): Generator<void, void, undefined> {
    const { database } = this.#store
    const count = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
    for (;;) {
      const free = count('freelist_count')
      const kept = count('page_count') - free + KEPT_FREE_PAGES
      if (free <= kept) return
      this.#store.step('shrink')
      database.exec(`PRAGMA incremental_vacuum(${Math.min(VACUUM_PAGES, free - kept)})`)
      yield
    }
  }

  *#inSlices(
    positions: readonly number[],
    step: string,
    work: (pos: number) => void,
  ): Generator<void, void, undefined> {
    for (let at = 0; at < positions.length; at += DELETE_ROWS) {
      this.#store.transaction(() => {
        for (const pos of positions.slice(at, at + DELETE_ROWS)) {
          this.#store.step(step)
          work(pos)
        }
      })
      yield
    }
  }
}

type Dirty = readonly Segment[]

interface Pass {
  /** Of the keys whose records were not compacted before, up to `until`. */
  readonly newest: ReadonlyMap<string, number>
  readonly until: number
  readonly nowMs: number
}

function sum(segments: readonly Segment[]): number {
  return segments.reduce((total, { bytes }) => total + bytes, 0)
}

/** undefined for what is no bytes any more. latin1 keeps every byte apart from every other, which UTF-8 would not do for bytes that are none. */
function textOf(key: unknown): string | undefined {
  if (!(key instanceof Uint8Array)) return undefined
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
