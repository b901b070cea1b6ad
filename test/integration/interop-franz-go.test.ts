// needs: kafka, go
// The wire contract as others meet it: a Go reader that knows only the schema, and an older reader of a newer bridge's records.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import avro from 'avsc'
import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import { describeSchema, recordSchema } from '../../src/codec/avro.ts'
import { encodeRecord, RecordDecoder } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { connect } from '../../src/connect/connect.ts'
import { fromHeaders } from '../../src/record/control.ts'
import type { Control } from '../../src/record/control.ts'
import { entriesOf, replacementEntries } from '../../src/record/order.ts'
import type { WireEntry } from '../../src/record/order.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import type { StoredRecord, TopicLog, TopicRecord } from '../../src/topic/port.ts'
import { goTool } from '../support/go-tool.ts'
import { startKafka } from '../support/kafka.ts'
import { sampleRecord } from '../unit/record/samples.ts'

const PARTITIONS = 3
const schemaPath = fileURLToPath(new URL('../../schemas/record.avsc', import.meta.url))
const interop = { module: fileURLToPath(new URL('../interop', import.meta.url)), name: 'interop' }

describe('the wire contract', () => {
  const stack = new AsyncDisposableStack()
  const { signal } = stack.adopt(new AbortController(), (controller) => controller.abort())
  let brokers = ''
  let log: TopicLog

  before(async () => {
    const kafka = stack.use(await startKafka())
    brokers = kafka.brokers
    log = stack.use(await connect(`kafka://${brokers}`, { signal }))
  })
  after(async () => stack.disposeAsync())

  for (const kind of ['avro', 'json'] as const) {
    test(`a Go reader of ${kind} records reads equal keys, tombstones and values`, async () => {
      const topic = `interop.${kind}`
      const entries = changes()
      await write(log, topic, toTopicRecords(entries, encodeRecord({ kind })), signal)
      const lines = await readWithGo(topic)
      assert.deepEqual(
        new Set(lines.map(({ fingerprint }) => fingerprint).filter((each) => each !== undefined)),
        new Set(kind === 'avro' ? [recordSchema.fingerprint] : []),
      )
      for (const key of new Set(entries.map((entry) => entry.key))) {
        assert.deepEqual(
          lines.filter((line) => line.key === key).map(seenByGo),
          entries.filter((entry) => entry.key === key).map(expectedFromGo),
          key,
        )
      }
    })
  }

  test('a Go reader places keys in the same partitions', async () => {
    const topic = 'interop.partitions'
    const entries = Array.from({ length: 50 }, (_, index) => entriesOf(sampleRecord({ name: `cart-${index}` }))).flat()
    await write(log, topic, toTopicRecords(entries, encodeRecord({ kind: 'avro' })), signal)
    const lines = await readWithGo(topic)
    assert.equal(lines.length, 50)
    assert.deepEqual(
      lines.filter(({ partition, goPartition }) => partition !== goPartition),
      [],
    )
  })

  test('a Go reader sees control records as tombstones with text in their headers', async () => {
    const topic = 'interop.control'
    await write(
      log,
      topic,
      [toControlRecord(progressOf({ [recordSchema.fingerprint]: recordSchema.canonical }))],
      signal,
    )
    const [line] = await readWithGo(topic)
    assert.equal(line?.tombstone, true)
    assert.equal(line?.key, '$kubedelta/progress')
    assert.equal(line?.headers.synced, 'true')
    assert.equal(line?.headers.schemas, JSON.stringify({ [recordSchema.fingerprint]: recordSchema.canonical }))
  })

  test("an older reader reads a newer bridge's records, its schema learned from the progress record", async () => {
    const topic = 'interop.newer'
    const record = sampleRecord({ previous: { uid: 'u-0', resourceVersion: '9' } })
    const newer = newerBridge()
    const written = [
      { key: Buffer.from('shop/cart-0'), value: newer.encode(record), headers: [], timestampMs: record.observedAt },
      toControlRecord(progressOf({ [newer.fingerprint]: newer.canonical })),
    ]
    await write(log, topic, written, signal)

    const schemas = new SchemaStore()
    const decoder = new RecordDecoder(schemas)
    const values: Buffer[] = []
    for (const { key, value, headers } of await readAll(log, topic, signal)) {
      const control = fromHeaders(key.toString(), headers)
      if (control !== undefined) schemas.learn(control.schemas)
      if (value !== null) values.push(Buffer.from(value))
    }
    assert.deepEqual(
      values.map((value) => decoder.decode(value)),
      [record],
    )
  })

  async function readWithGo(topic: string): Promise<readonly GoLine[]> {
    const args = ['-brokers', brokers, '-topic', topic, '-schema', schemaPath]
    const { stdout } = await promisify(execFile)(await goTool(interop), args, { maxBuffer: 64 << 20 })
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): GoLine => JSON.parse(line))
  }
})

/** What test/interop prints. */
interface GoLine {
  readonly partition: number
  /** Where franz-go's own partitioner would have put the key. */
  readonly goPartition: number
  readonly timestamp: number
  readonly key: string
  readonly tombstone: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly fingerprint?: string
  readonly value: Readonly<Record<string, unknown>> | null
}

/** Every kind of entry, and text and numbers that are easily lost. */
function changes(): readonly WireEntry[] {
  const odd = Buffer.from('{"kind":"Pod","n":9223372036854775807,"f":1.0,"t":"é😀\\u2028\\/<&>","":{}}')
  const previous = { uid: 'u-0', resourceVersion: '9' }
  return [
    ...entriesOf(sampleRecord({ initial: true, cause: 'LIST' })),
    ...entriesOf(sampleRecord({ op: 'UPDATED', previous, object: odd })),
    ...entriesOf(sampleRecord({ op: 'DELETED', previous, finalStateUnknown: true, cause: 'RELIST' })),
    ...entriesOf(
      sampleRecord({
        namespace: null,
        name: 'system:"quoted"\n',
        kind: 'ClusterRole',
        group: 'rbac.authorization.k8s.io',
      }),
    ),
    ...replacementEntries(
      sampleRecord({ op: 'DELETED', name: 'cart-1', uid: 'old' }),
      sampleRecord({ name: 'cart-1', uid: 'new' }),
    ),
    ...entriesOf(sampleRecord({ name: 'withheld', object: null })),
    ...entriesOf(sampleRecord({ name: 'large', object: Buffer.from(`{"data":"${'x'.repeat(900_000)}"}`) })),
  ]
}

function expectedFromGo(entry: WireEntry): unknown {
  if (entry.kind === 'tombstone') {
    const { uid, resourceVersion, epoch, observedAt } = entry
    const headers = { uid, resourceVersion, epoch: String(epoch) }
    return { tombstone: true, headers, timestamp: observedAt, value: null }
  }
  const { record } = entry
  const value = { ...record, object: record.object?.toString() ?? null }
  return { tombstone: false, headers: {}, timestamp: record.observedAt, value }
}

function seenByGo({ tombstone, headers, timestamp, value }: GoLine): unknown {
  return { tombstone, headers, timestamp, value }
}

/** A bridge of a later version, which writes one field more. */
function newerBridge(): {
  readonly fingerprint: string
  readonly canonical: string
  encode(record: KubeRecord): Buffer
} {
  const own: { readonly fields: readonly object[] } = JSON.parse(recordSchema.text)
  const added = { name: 'generation', type: ['null', 'long'], default: null }
  const newer = describeSchema(JSON.stringify({ ...own, fields: [...own.fields, added] }))
  const type = avro.Type.forSchema(JSON.parse(newer.text))
  const head = Buffer.from([0xc3, 0x01, ...Buffer.from(newer.fingerprint, 'hex').toReversed()])
  return {
    fingerprint: newer.fingerprint,
    canonical: newer.canonical,
    encode: (record) =>
      Buffer.concat([head, type.toBuffer({ ...record, object: record.object?.toString() ?? null, generation: 5 })]),
  }
}

function progressOf(schemas: Readonly<Record<string, string>>): Control {
  return {
    kind: 'progress',
    clusterId: 'c-1',
    cluster: 'prod',
    streamId: 's-1',
    epoch: 3,
    producerId: '',
    holder: 'test',
    synced: true,
    resourceVersion: '10482',
    asOf: 1_760_000_000_123,
    partitions: PARTITIONS,
    scope: 'pods; namespaces: *; labels: *; fields: *',
    policy: '',
    schemas,
  }
}

async function write(
  log: TopicLog,
  topic: string,
  records: readonly TopicRecord[],
  signal: AbortSignal,
): Promise<void> {
  const config = new Map([['cleanup.policy', 'compact']])
  await log.admin.create({ topic, partitions: PARTITIONS, replicationFactor: -1, config }, signal)
  await using writer = await log.openWriter({ topic, transactionalId: `test/${topic}`, signal })
  await Promise.all(records.map((record) => writer.append(partitionOf(record.key, PARTITIONS), { records: [record] })))
}

async function readAll(log: TopicLog, topic: string, signal: AbortSignal): Promise<readonly StoredRecord[]> {
  const from = await log.admin.offsets(topic, 'earliest', signal)
  const until = await log.admin.offsets(topic, 'latest', signal)
  await using reader = await log.openReader({ signal })
  const all: StoredRecord[] = []
  for await (const { records } of reader.read({ topic, from, until, signal })) all.push(...records)
  return all
}
