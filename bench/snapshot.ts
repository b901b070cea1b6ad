// Measures how long a cache takes to write its snapshot and to go on from it, and how long that holds the event loop: `node bench/snapshot.ts [OBJECTS] [BYTES]`.

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { createMetrics } from '../src/base/metrics.ts'
import { toControlRecord, toTopicRecords } from '../src/bridge/wire.ts'
import { encodeRecord } from '../src/codec/codec.ts'
import { topicCache, type TopicCache } from '../src/consumer/topic-cache.ts'
import type { Progress } from '../src/record/control.ts'
import { entriesOf } from '../src/record/order.ts'
import type { KubeRecord } from '../src/record/record.ts'
import { topicSpec } from '../src/topic/plan.ts'
import type { ReadBatch, ReadOptions, StoredRecord, TopicLog, TopicRecord } from '../src/topic/port.ts'
import { paddedPod, podIdentity } from './support/padded-pod.ts'
import { print } from './support/report.ts'
import { timed } from './support/timed.ts'

const OBJECTS = Number(process.argv[2] ?? 1_000_000)
const BYTES = Number(process.argv[3] ?? 250)
const RECORDS_A_BATCH = 1_000
const TOPIC = 'kubedelta.bench.pods'
const INTERVAL_MS = 2_000
const { signal } = new AbortController()
const encode = encodeRecord({ kind: 'avro' })
/** Stands behind everything that was published so far. */
let end = OBJECTS + 1

const none: TopicRecord = { key: Buffer.alloc(0), value: null, headers: [], timestampMs: 0 }

const progress: Progress = {
  kind: 'progress',
  clusterId: 'bench',
  cluster: 'bench',
  streamId: 'bench',
  epoch: 1,
  producerId: '1',
  holder: 'bench',
  asOf: 0,
  partitions: 1,
  scope: 'pods; namespaces: *; labels: *; fields: *',
  policy: '',
  schemas: {},
  synced: true,
  resourceVersion: '1',
}

const directory = mkdtempSync(join(tmpdir(), 'kubedelta-bench-'))
try {
  print(`${OBJECTS} objects of ${BYTES} bytes`)
  await first()
  await resumed()
} finally {
  rmSync(directory, { recursive: true })
}

async function first(): Promise<void> {
  const metrics = createMetrics()
  const cache = topicCache({
    from: log(),
    cluster: 'bench',
    resource: 'pods',
    metrics,
    snapshot: { directory, intervalMs: INTERVAL_MS },
  })
  const stop = new AbortController()
  const running = cache.run(stop.signal)
  print(`read from the topic      ${await timed(() => cache.whenLive(signal))}`)
  const written = async (): Promise<void> => {
    while (!/snapshot_writes_total\{[^}]*result="written"\} 1/.test(await metrics.text())) await turn()
  }
  print(`snapshot written         ${await timed(written)} (up to ${INTERVAL_MS} ms of it waiting)`)
  // News, so that there is something for a last one.
  end += 1
  await reaches(cache)
  stop.abort()
  print(`written at the end       ${await timed(() => running)}`)
  const [name = ''] = readdirSync(directory)
  print(`${(statSync(join(directory, name)).size / 1e6).toFixed(0)} MB`)
}

async function resumed(): Promise<void> {
  const metrics = createMetrics()
  const cache = topicCache({ from: log(), cluster: 'bench', resource: 'pods', metrics, snapshot: { directory } })
  const stop = new AbortController()
  const running = cache.run(stop.signal)
  print(`live from the snapshot   ${await timed(() => cache.whenLive(signal))}, ${cache.size()} objects`)
  if (!/snapshot_reads_total\{[^}]*result="resumed"\} 1/.test(await metrics.text())) throw new Error('It was not used')
  stop.abort()
  await running
}

async function reaches(cache: TopicCache<unknown>): Promise<void> {
  while (cache.status().offsets.done < end) await turn()
}

/** A log of one partition that makes its records as they are read: nothing of it is held. */
function log(): TopicLog {
  const dispose = async (): Promise<void> => {}
  const never = (): never => {
    throw new Error('Nobody writes')
  }
  return {
    admin: {
      list: async () => [TOPIC],
      describe: async () => ({ ...topicSpec({ topic: TOPIC, partitions: 1 }), topicId: 'id' }),
      create: never,
      offsets: async (_topic, at) => new Map([[0, at === 'latest' ? end : 0]]),
      [Symbol.asyncDispose]: dispose,
    },
    openWriter: never,
    openReader: async () => ({ read, [Symbol.asyncDispose]: dispose }),
    [Symbol.asyncDispose]: dispose,
  }
}

async function* read({ from, until, signal: reading }: ReadOptions): AsyncGenerator<ReadBatch> {
  const last = until?.get(0) ?? Infinity
  for (let at = from.get(0) ?? 0; !reading.aborted && at < last;) {
    await turn()
    if (at === end) continue
    const behind = Math.min(end, last, at + RECORDS_A_BATCH)
    const records = Array.from({ length: behind - at }, (_, index) => recordAt(at + index))
    at = behind
    yield { partition: 0, records, nextOffset: at, endOffset: end }
  }
}

function recordAt(offset: number): StoredRecord {
  const made =
    offset === OBJECTS ? toControlRecord(progress) : (toTopicRecords(entriesOf(podAt(offset)), encode)[0] ?? none)
  return { ...made, partition: 0, offset }
}

function podAt(offset: number): KubeRecord {
  const identity = podIdentity(offset % (OBJECTS + 1), offset + 1)
  return {
    op: 'ADDED',
    cause: 'LIST',
    finalStateUnknown: false,
    initial: true,
    cluster: 'bench',
    group: '',
    version: 'v1',
    resource: 'pods',
    kind: 'Pod',
    ...identity,
    previous: null,
    observedAt: 0,
    epoch: 1,
    object: paddedPod(identity, BYTES),
  }
}
