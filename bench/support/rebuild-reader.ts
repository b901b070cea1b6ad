// Reads a whole topic in a process of its own, in one of several ways, and prints what that took as one line of JSON.

import { rmSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import { topicCache } from '../../src/consumer.ts'

/**
 * - `cache`: topicCache until it is Live.
 * - `save`: the same, which leaves a snapshot behind; `resume`: the same from that snapshot.
 * - `map`: kafkajs into a Map of Buffers; `parse`: the same with JSON.parse of each record.
 */
export type ReaderKind = 'cache' | 'save' | 'resume' | 'map' | 'parse'

export interface ReaderQuestion {
  readonly kind: ReaderKind
  readonly brokers: string
  readonly topic: string
  readonly cluster: string
  /** Partition -> offset behind its last record: where `map` and `parse` are done. */
  readonly ends: readonly number[]
  /** Where `save` and `resume` keep their snapshot. */
  readonly directory: string
}

export interface ReaderFigures {
  /** `cache`: from `run` to Live, connecting included; the others: from the moment the group is joined to the last record. */
  readonly seconds: number
  readonly cpuSeconds: number
  readonly objects: number
  /** The highest resident set of the process. */
  readonly peakRssBytes: number
  /** On V8's heap, after a collection, beyond what stood there before; in all objects. */
  readonly heapBytes: number
  /** Heap and everything outside of it that V8 knows of. */
  readonly totalBytes: number
  /** The longest time for which the event loop was held. */
  readonly longestPauseMs: number
}

interface Rebuilt {
  readonly seconds: number
  readonly objects: number
  /** Keeps what was built from being collected before it was weighed. */
  readonly held: unknown
  readonly stop: () => Promise<void>
}

const question: ReaderQuestion = JSON.parse(process.argv[2] ?? '')
const collect = global.gc
if (collect === undefined) throw new Error('Cannot measure: wanted --expose-gc: start it by bench/rebuild.ts')
const before = weigh(collect)
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const rebuilt = await rebuild(question)
delay.disable()
const { user, system } = process.cpuUsage()
const peakRssBytes = process.resourceUsage().maxRSS * 1024
const after = weigh(collect)
const figures: ReaderFigures = {
  seconds: rebuilt.seconds,
  cpuSeconds: (user + system) / 1e6,
  objects: rebuilt.objects,
  peakRssBytes,
  heapBytes: after.heap - before.heap,
  totalBytes: after.total - before.total,
  longestPauseMs: delay.max / 1e6,
}
await rebuilt.stop()
if (rebuilt.held === undefined) throw new Error('Cannot measure: nothing was built')
process.stdout.write(`${JSON.stringify(figures)}\n`)

function weigh(collectGarbage: NodeJS.GCFunction): { readonly heap: number; readonly total: number } {
  // Buffers go with the collection after the one that finds them dead.
  collectGarbage({ type: 'major', execution: 'sync' })
  collectGarbage({ type: 'major', execution: 'sync' })
  const { heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed, total: heapUsed + external }
}

async function rebuild(asked: ReaderQuestion): Promise<Rebuilt> {
  switch (asked.kind) {
    case 'cache':
    case 'save':
    case 'resume':
      return rebuildCache(asked)
    case 'map':
      return rebuildMap(asked, (value) => value)
    case 'parse':
      return rebuildMap(asked, (value) => (value === null ? null : JSON.parse(value.toString())))
    default:
      return asked.kind satisfies never
  }
}

async function rebuildCache({ kind, brokers, cluster, directory }: ReaderQuestion): Promise<Rebuilt> {
  const ending = new AbortController()
  // From nothing: the round before left one.
  if (kind === 'save') rmSync(directory, { recursive: true, force: true })
  const snapshot = kind === 'cache' ? {} : { snapshot: { directory } }
  const cache = topicCache<object>({ from: `kafka://${brokers}`, cluster, resource: 'pods', ...snapshot })
  // Loaded when it is first asked for, which is no part of reading: kafkajs too is loaded before the clock starts.
  await import('../../src/kafka/kafka-log.ts')
  const start = performance.now()
  const running = cache.run(ending.signal)
  await cache.whenLive(ending.signal)
  const seconds = (performance.now() - start) / 1000
  const stop = async (): Promise<void> => {
    ending.abort()
    await running
  }
  return { seconds, objects: cache.size(), held: cache, stop }
}

async function rebuildMap(
  { brokers, topic, ends }: ReaderQuestion,
  keep: (value: Buffer | null) => unknown,
): Promise<Rebuilt> {
  const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs
  const inflate = promisify<Buffer, Buffer>(zstdDecompress)
  // kafkajs comes without zstd; this is the quickest one that Node has.
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async () => Promise.reject(new Error('Cannot compress: this process reads only')),
    decompress: (bytes: Buffer) => inflate(bytes),
  })
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: `bench-${process.pid}` })
  const content = new Map<string, unknown>()
  const open = new Map(ends.map((end, partition) => [partition, end]))
  const done = Promise.withResolvers<void>()
  let start = performance.now()
  consumer.on(consumer.events.GROUP_JOIN, () => {
    start = performance.now()
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch: { partition, messages } }) => {
      for (const { key, value } of messages) content.set(String(key), keep(value))
      const last = messages.at(-1)
      if (last !== undefined && Number(last.offset) + 1 >= (open.get(partition) ?? 0)) open.delete(partition)
      if (open.size === 0) done.resolve()
    },
  })
  await done.promise
  const seconds = (performance.now() - start) / 1000
  return { seconds, objects: content.size, held: content, stop: () => consumer.disconnect() }
}
