// Appends to a log and reads all of it back, so that a test can say what stands there and what does not.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Appended, StoredRecord, TopicLog, TopicRecord, TopicWriter } from '../../src/topic/port.ts'

/** Time for one story on a machine that is busy with others, after which a wait is a failure. */
export const STORY_MS = 150_000

/** A signal that ends a story that hangs. */
export function storySignal(): AbortSignal {
  return AbortSignal.timeout(STORY_MS)
}

/** A topic of its own. */
export async function freshTopic(
  log: TopicLog,
  options: {
    readonly partitions?: number
    readonly replicationFactor?: number
    readonly config?: Readonly<Record<string, string>>
  } = {},
): Promise<string> {
  const topic = `conformance.${randomUUID()}`
  const { partitions = 1, replicationFactor = -1, config = {} } = options
  const spec = { topic, partitions, replicationFactor, config: new Map(Object.entries(config)) }
  assert.equal(await log.admin.create(spec, storySignal()), 'created')
  return topic
}

export async function openWriter(log: TopicLog, topic: string): Promise<TopicWriter> {
  return log.openWriter({ topic, transactionalId: `conformance/${topic}`, compression: 'none', signal: storySignal() })
}

/** A record whose value says which it is. Of now: a broker removes what is older than the topic's retention. */
export function record(key: string, value: string | null, timestampMs = Date.now()): TopicRecord {
  return { key: Buffer.from(key), value: value === null ? null : Buffer.from(value), headers: [], timestampMs }
}

/** Appends one group for each value to partition 0. */
export function appendEach(
  writer: TopicWriter,
  values: readonly string[],
  partition = 0,
): Promise<readonly Appended[]> {
  return Promise.all(
    values.map(async (value) => writer.append(partition, { records: [record(`key-${value}`, value)] })),
  )
}

/** Every record of the topic from beginning to end, in the order of its partitions. */
export async function readAll(log: TopicLog, topic: string): Promise<readonly StoredRecord[]> {
  const signal = storySignal()
  const from = await log.admin.offsets(topic, 'earliest', signal)
  const until = await log.admin.offsets(topic, 'latest', signal)
  await using reader = await log.openReader({ signal })
  const records: StoredRecord[] = []
  for await (const batch of reader.read({ topic, from, until, signal })) {
    for (const { error } of batch.broken ?? []) throw error
    records.push(...batch.records)
  }
  signal.throwIfAborted()
  return records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
}

/** The values of a topic of one partition, in order; tombstones as null. */
export async function readValues(log: TopicLog, topic: string): Promise<readonly (string | null)[]> {
  return (await readAll(log, topic)).map(({ value }) => value?.toString() ?? null)
}

/** Nothing lost, nothing twice, in order, and each acknowledgement names the place where its record stands. */
export async function assertLog(
  log: TopicLog,
  topic: string,
  values: readonly string[],
  appended?: readonly Appended[],
): Promise<void> {
  const stored = await readAll(log, topic)
  assert.deepEqual(
    stored.map(({ value }) => shown(value)),
    values.map(shown),
  )
  if (appended === undefined) return
  const places = new Map(stored.map(({ value, offset }) => [value?.toString(), offset]))
  assert.deepEqual(
    appended.map(({ baseOffset }) => baseOffset),
    values.map((value) => places.get(value)),
  )
}

/** Long values by their length, so that a failure can be read. */
function shown(value: string | Buffer | null): string | null {
  return value !== null && value.length > 1_000 ? `${value.length} bytes` : String(value)
}

/** `prefix-0`, `prefix-1`, ... */
export function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}
