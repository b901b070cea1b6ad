// A process may be killed at every step of an append and of a compaction: what it acknowledged is there, once and in order.

import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { Compaction } from '../../src/embedded/compaction.ts'
import { SQLITE } from '../../src/embedded/sqlite.ts'
import type { TopicFiles } from '../../src/embedded/topic-files.ts'
import { TopicStore, type Probe } from '../../src/embedded/topic-store.ts'
import type { StoredRecord } from '../../src/topic/port.ts'
import { appendTo, copyAsKilled, makeTopic, recordsIn, type PlacedRecord } from '../support/embedded-topic.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const PARTITIONS = 2
const RETENTION_MS = 5_000
/** A segment of two or three records, and a pass for each that is closed: compaction has always something to do. */
const config = {
  'segment.bytes': '60',
  'min.cleanable.dirty.ratio': '0',
  'delete.retention.ms': String(RETENTION_MS),
}

type Operation =
  | { readonly kind: 'append'; readonly records: readonly PlacedRecord[] }
  | { readonly kind: 'compact' }
  | { readonly kind: 'wait'; readonly ms: number }

const placed = fc.record({
  partition: fc.nat(PARTITIONS - 1),
  key: fc.constantFrom('a/1', 'a/2', 'b', '$kubedelta/progress', '$kubedelta/fence'),
  value: fc.option(fc.string({ maxLength: 40 }), { freq: 2 }),
})

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(placed, { minLength: 1, maxLength: 6 }).map((records): Operation => {
      return { kind: 'append', records: records.map(toPlaced) }
    }),
  },
  { weight: 3, arbitrary: fc.constant<Operation>({ kind: 'compact' }) },
  { weight: 1, arbitrary: fc.constantFrom<Operation>({ kind: 'wait', ms: 1_000 }, { kind: 'wait', ms: RETENTION_MS }) },
)

const script = fc.array(operation, { minLength: 1, maxLength: 14 })

const folder = temporaryFolder('embedded-property')
let folders = 0

after(() => folder[Symbol.dispose]())

test('a process killed at any step has lost nothing that it acknowledged', () => {
  fc.assert(
    fc.property(script, fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (operations, at, torn) => {
      const steps = countSteps(operations)
      const crash = crashAt(operations, at % (steps + 1))
      assertSurvived(crash, copyAsKilled(crash.files, newFolder()))
      // The same moment when power fails: of what was not flushed yet, some is missing.
      const { flushedBytes, writtenBytes } = crash
      const left = Math.round(flushedBytes + torn * (writtenBytes - flushedBytes))
      assertSurvived(crash, copyAsKilled(crash.files, newFolder(), left))
      crash.end()
    }),
    { numRuns: 60 },
  )
})

test('each single step of one history can be the last', () => {
  const history = fixedHistory()
  const steps = countSteps(history)
  assert.ok(steps > 80, `wanted many steps: ${steps}`)
  for (let step = 0; step <= steps; step++) {
    const crash = crashAt(history, step)
    assertSurvived(crash, copyAsKilled(crash.files, newFolder()))
    crash.end()
  }
})

test('a statement that fails leaves nothing, and its repetition is there once', () => {
  fc.assert(
    fc.property(script, fc.nat(), (operations, at) => {
      const failing = at % (countSteps(operations) + 1)
      const files = makeTopic(newFolder(), { partitions: PARTITIONS, config })
      let step = 0
      const run = new Run(files, (what) => {
        // What has been committed cannot fail any more.
        if (step++ === failing && what !== 'committed') throw diskFull()
      })
      for (const each of operations) {
        try {
          run.do(each)
        } catch (error) {
          if (!isDiskFull(error)) throw error
          run.do(each)
        }
      }
      run.close()
      assertHolds(run.history(), recordsIn(files))
    }),
    { numRuns: 60 },
  )
})

/** What a writer knows of what it has done. */
interface History {
  readonly acknowledged: readonly StoredRecord[]
  /** Handed over and not acknowledged: all of it may stand there, or nothing. */
  readonly underWay: readonly PlacedRecord[]
  readonly nowMs: number
}

/** Runs operations on a store as the writing thread does. */
class Run {
  readonly files: TopicFiles
  nowMs = 1_000
  /** Of the WAL, when something was acknowledged last. */
  flushedBytes = 0
  readonly #store: TopicStore
  readonly #compaction: Compaction
  readonly #acknowledged: StoredRecord[] = []
  #underWay: readonly PlacedRecord[] = []

  constructor(files: TopicFiles, probe: Probe) {
    this.files = files
    this.#store = TopicStore.open(files, probe)
    this.#compaction = new Compaction(this.#store)
    this.flushedBytes = walBytes(files)
  }

  do(each: Operation): void {
    switch (each.kind) {
      case 'append':
        this.#underWay = each.records.map(({ partition, record }) => {
          return { partition, record: { ...record, timestampMs: this.nowMs } }
        })
        this.#acknowledged.push(...appendTo(this.#store, this.#underWay, this.nowMs))
        this.#underWay = []
        this.flushedBytes = walBytes(this.files)
        return
      case 'compact':
        while (this.#compaction.step(this.nowMs));
        return
      case 'wait':
        this.nowMs += each.ms
        return
      default:
        each satisfies never
    }
  }

  history(): History {
    return { acknowledged: this.#acknowledged, underWay: this.#underWay, nowMs: this.nowMs }
  }

  close(): void {
    this.#store.close()
  }
}

interface Crash {
  readonly files: TopicFiles
  readonly history: History
  readonly flushedBytes: number
  readonly writtenBytes: number
  /** Lets go of what the killed writer holds; what is copied is copied before. */
  end(): void
}

class Killed extends Error {}

/** Runs operations up to a step, and leaves everything open as a SIGKILL does. */
function crashAt(operations: readonly Operation[], last: number): Crash {
  const files = makeTopic(newFolder(), { partitions: PARTITIONS, config })
  let step = 0
  const run = new Run(files, () => {
    if (step++ === last) throw new Killed()
  })
  try {
    for (const each of operations) run.do(each)
  } catch (error) {
    if (!(error instanceof Killed)) throw error
  }
  const { flushedBytes } = run
  return { files, history: run.history(), flushedBytes, writtenBytes: walBytes(files), end: () => run.close() }
}

function countSteps(operations: readonly Operation[]): number {
  let steps = 0
  const run = new Run(makeTopic(newFolder(), { partitions: PARTITIONS, config }), () => {
    steps++
  })
  for (const each of operations) run.do(each)
  run.close()
  return steps
}

/** Reopens what a crash left, checks it, goes on with it, and checks it again. */
function assertSurvived({ history }: Crash, files: TopicFiles): void {
  const found = recordsIn(files)
  const all = withWhatLanded(history, files)
  assertHolds({ ...history, acknowledged: all }, found)
  const next = new Run(files, () => {})
  next.nowMs = history.nowMs
  next.do({ kind: 'append', records: [0, 1].map((partition) => toPlaced({ partition, key: 'later', value: 'x' })) })
  next.do({ kind: 'compact' })
  next.close()
  assertHolds({ ...next.history(), acknowledged: [...all, ...next.history().acknowledged] }, recordsIn(files))
}

/** The acknowledged records, and those under way where the transaction came through: then all of them. */
function withWhatLanded({ acknowledged, underWay }: History, files: TopicFiles): readonly StoredRecord[] {
  const store = TopicStore.open(files)
  const ends = store.ends()
  store.close()
  const counts = Array.from({ length: PARTITIONS }, (_, partition) => countOf(acknowledged, partition))
  const landed = underWay.map(({ partition, record }) => {
    const offset = counts[partition] ?? 0
    counts[partition] = offset + 1
    return { ...record, partition, offset }
  })
  const all = [...acknowledged, ...landed]
  const hasLanded = ends.every((end, partition) => end === countOf(all, partition))
  if (hasLanded) return all
  assert.deepEqual(
    ends,
    ends.map((_, partition) => countOf(acknowledged, partition)),
    'a commit is there in whole or not at all',
  )
  return acknowledged
}

function countOf(records: readonly StoredRecord[], partition: number): number {
  return records.filter((each) => each.partition === partition).length
}

/** What the log holds is what was appended, in order, less what compaction may take. */
function assertHolds({ acknowledged, nowMs }: History, found: readonly StoredRecord[]): void {
  const place = ({ partition, offset }: StoredRecord): string => `${partition}/${offset}`
  const appended = new Map(acknowledged.map((each) => [place(each), each]))
  for (const each of found) assert.deepEqual(each, appended.get(place(each)))
  const order = found.map(({ partition, offset }) => partition * 1_000_000 + offset)
  assert.deepEqual(
    order,
    [...new Set(order)].toSorted((a, b) => a - b),
  )

  const present = new Set(found.map(place))
  const newest = new Map<string, StoredRecord>()
  for (const each of acknowledged) newest.set(`${each.partition}/${each.key.toString()}`, each)
  for (const each of acknowledged) {
    if (present.has(place(each))) continue
    const key = each.key.toString()
    const last = newest.get(`${each.partition}/${key}`)
    // Replaced by a later record: that one counts.
    if (last !== each) continue
    assert.equal(each.value, null, `${place(each)} is the last of its key and is gone`)
    assert.ok(!key.startsWith('$kubedelta/'), `${place(each)} is the last control record of its key and is gone`)
    assert.ok(nowMs - each.timestampMs >= RETENTION_MS, `${place(each)} is a tombstone that went too early`)
    const ghost = found.find((other) => other.partition === each.partition && other.key.equals(each.key))
    assert.equal(ghost, undefined, `${place(each)} is a tombstone that went before what it deletes`)
  }
}

function toPlaced(given: {
  readonly partition: number
  readonly key: string
  readonly value: string | null
}): PlacedRecord {
  const { partition, key } = given
  const isControl = key.startsWith('$kubedelta/')
  const value = given.value === null || isControl ? null : Buffer.from(given.value)
  const headers = isControl ? [{ name: 'epoch', value: '1' }] : []
  return { partition, record: { key: Buffer.from(key), value, headers, timestampMs: 1_000 } }
}

/** Updates, deletes that expire, control records, over several segments and passes. */
function fixedHistory(): readonly Operation[] {
  const append = (...keys: readonly string[]): Operation => ({
    kind: 'append',
    records: keys.map((key, index) => {
      const isDelete = key.startsWith('-')
      return toPlaced({
        partition: 0,
        key: isDelete ? key.slice(1) : key,
        value: isDelete ? null : `value ${index} of ${key}`,
      })
    }),
  })
  const compact: Operation = { kind: 'compact' }
  return [
    append('$kubedelta/fence', 'a', 'b'),
    append('a', 'b', 'c', 'd'),
    compact,
    append('-a', 'a', '$kubedelta/progress'),
    append('-b', '-c', 'd'),
    compact,
    append('e', 'e', 'e', '$kubedelta/progress'),
    compact,
    { kind: 'wait', ms: RETENTION_MS },
    append('f', 'f', 'f', 'f'),
    compact,
  ]
}

function walBytes({ database }: TopicFiles): number {
  const wal = `${database}-wal`
  return existsSync(wal) ? statSync(wal).size : 0
}

/** As node:sqlite says it. */
function diskFull(): Error {
  return Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: SQLITE.full })
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE.full
}

function newFolder(): string {
  return join(folder.path, String(folders++))
}
