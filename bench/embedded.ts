// Measures the log in a directory beside a plain loop of inserts into SQLite, in one run: `node bench/embedded.ts [RECORDS]`.

import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabaseSync } from 'node:sqlite'
import { openEmbeddedLog } from '../src/embedded/embedded-log.ts'
import type { TopicRecord } from '../src/topic/port.ts'
import { print } from './support/report.ts'

const RECORDS = Number(process.argv[2] ?? 40_000)
const ROUNDS = 3
/** Appended and not acknowledged at once, as the bridge's bound of 64 MiB allows. */
const WINDOW = 5_000
const VALUE = Buffer.alloc(6_400, '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"cart-0"}} ')
/** Of the plain loop. */
const ROWS_A_COMMIT = 200

const signal = new AbortController().signal
const folder = await mkdtemp(join(tmpdir(), 'kubedelta-bench-embedded-'))
try {
  print(`${RECORDS} records of ${VALUE.length} bytes, best of ${ROUNDS} rounds, records/s`)
  const best = { log: 0, scan: 0, plain: 0, plainScan: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const log = await ofLog(join(folder, `log-${round}`))
    const plain = ofPlainLoop(join(folder, `plain-${round}.db`))
    best.log = Math.max(best.log, log.appends)
    best.scan = Math.max(best.scan, log.scans)
    best.plain = Math.max(best.plain, plain.appends)
    best.plainScan = Math.max(best.plainScan, plain.scans)
    print(
      `round ${round + 1}: log ${show(log.appends)} appends, ${show(log.scans)} scanned, main thread held up to ${log.heldMs.toFixed(0)} ms; ` +
        `plain loop ${show(plain.appends)} appends, ${show(plain.scans)} scanned, held up to ${plain.heldMs.toFixed(0)} ms`,
    )
  }
  print(`log:        ${show(best.log)} appends/s, ${show(best.scan)} scanned/s`)
  print(`plain loop: ${show(best.plain)} appends/s, ${show(best.plainScan)} scanned/s`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

interface Rates {
  readonly appends: number
  readonly scans: number
  readonly heldMs: number
}

/** Appended in a window, as the bridge does; every acknowledgement means a flush to disk. */
async function ofLog(directory: string): Promise<Rates> {
  await using log = await openEmbeddedLog({ directory })
  const topic = 'bench.pods'
  await log.admin.create({ topic, partitions: 1, replicationFactor: -1, config: new Map() }, signal)
  await using writer = await log.openWriter({ topic, transactionalId: topic, signal })
  const held = monitorEventLoopDelay({ resolution: 1 })
  held.enable()
  const appending = performance.now()
  const window: Array<Promise<unknown>> = []
  for (let index = 0; index < RECORDS; index++) {
    window.push(writer.append(0, { records: [record(index)] }))
    if (window.length >= WINDOW) await window[index - WINDOW + 1]
    // Only the newest WINDOW are waited for; the older ones have been.
    if (index % 100 === 0) await new Promise(setImmediate)
  }
  await writer.flush(signal)
  const appends = rate(appending)
  held.disable()
  await Promise.all(window)

  await using reader = await log.openReader({ signal })
  const scanning = performance.now()
  let seen = 0
  for await (const batch of reader.read({ topic, from: new Map([[0, 0]]), until: new Map([[0, RECORDS]]), signal })) {
    seen += batch.records.length
  }
  if (seen !== RECORDS) throw new Error(`Cannot measure: wanted ${RECORDS} records: read ${seen}`)
  return { appends, scans: rate(scanning), heldMs: held.max / 1e6 }
}

/** The least that SQLite has to do for it, on the main thread. */
function ofPlainLoop(path: string): Rates {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4096')
  database.exec('CREATE TABLE records (pos INTEGER PRIMARY KEY, timestamp INTEGER, key BLOB, value BLOB)')
  const insert = database.prepare('INSERT INTO records VALUES (?, ?, ?, ?)')
  let heldMs = 0
  const appending = performance.now()
  for (let index = 0; index < RECORDS; index += ROWS_A_COMMIT) {
    const begun = performance.now()
    database.exec('BEGIN')
    for (let at = index; at < Math.min(RECORDS, index + ROWS_A_COMMIT); at++) {
      const { key, timestampMs, value } = record(at)
      insert.run(at, timestampMs, key, value)
    }
    database.exec('COMMIT')
    heldMs = Math.max(heldMs, performance.now() - begun)
  }
  const appends = rate(appending)
  const scanning = performance.now()
  let bytes = 0
  for (const row of database.prepare('SELECT * FROM records ORDER BY pos').iterate()) bytes += String(row['pos']).length
  const scans = rate(scanning)
  database.close()
  if (bytes === 0) throw new Error('Cannot measure: nothing was read')
  return { appends, scans, heldMs }
}

function record(index: number): TopicRecord {
  return {
    key: Buffer.from(`shop/cart-${index % 20_000}`),
    value: VALUE,
    headers: [],
    timestampMs: 1_700_000_000_000 + index,
  }
}

function rate(since: number): number {
  return (RECORDS * 1_000) / (performance.now() - since)
}

function show(perSecond: number): string {
  return Math.round(perSecond).toLocaleString('en-US')
}
