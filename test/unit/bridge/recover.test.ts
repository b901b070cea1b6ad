import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger, type Logger } from '../../../src/base/log.ts'
import { Recovery } from '../../../src/bridge/recover.ts'
import { TopicIndex } from '../../../src/bridge/topic-index.ts'
import { toControlRecord } from '../../../src/bridge/wire.ts'
import { RecordDecoder } from '../../../src/codec/codec.ts'
import { SchemaStore } from '../../../src/codec/schema-source.ts'
import type { Progress } from '../../../src/record/control.ts'
import type { ReadBatch, ReadOptions, TopicReader } from '../../../src/topic/port.ts'

const { signal } = new AbortController()

/** A recovery from offset 0 of one partition, over batches; what was asked and said goes into the lists. */
function setUp(reads: ReadonlyArray<readonly ReadBatch[]>) {
  const asked: ReadOptions[] = []
  const said: string[] = []
  const unreadable: string[] = []
  const left = [...reads]
  async function* read(options: ReadOptions): AsyncIterable<ReadBatch> {
    asked.push(options)
    yield* left.shift() ?? []
  }
  const reader: TopicReader = { read, [Symbol.asyncDispose]: async () => {} }
  const log: Logger = { ...silentLogger, error: (message) => void said.push(message) }
  const schemas = new SchemaStore()
  const index = new TopicIndex()
  const recovery = new Recovery(index, new Map([[0, 0]]), {
    topic: 'x',
    reader,
    decoder: new RecordDecoder(schemas),
    schemas,
    log,
    onUnreadable: (reason) => void unreadable.push(reason),
  })
  return { recovery, reader, asked, said, unreadable }
}

const batch = { partition: 0, records: [], endOffset: 20 }

test('reading on begins behind what was read, and checks that the log still holds it', async () => {
  const { recovery, reader, asked } = setUp([
    [{ ...batch, nextOffset: 7, leaderEpoch: 3 }],
    [{ ...batch, nextOffset: 9 }],
  ])
  await recovery.read(new Map([[0, 7]]), signal)
  await recovery.follow(reader, () => {}, signal)
  await recovery.read(new Map([[0, 20]]), signal)
  const of = (options: ReadOptions | undefined) => [
    options?.from.get(0),
    options?.leaderEpochs?.get(0),
    options?.until?.get(0),
  ]
  assert.deepEqual(asked.map(of), [
    [0, undefined, 7],
    [7, 3, undefined],
    [9, 3, 20],
  ])
})

function progressBatch(partition: number, fields: Partial<Progress>): ReadBatch {
  const progress: Progress = {
    kind: 'progress',
    synced: true,
    resourceVersion: '50',
    clusterId: 'cluster-1',
    cluster: 'test',
    streamId: 'stream',
    epoch: 1,
    producerId: '',
    holder: 'before',
    asOf: 0,
    partitions: 2,
    scope: '',
    policy: 'none',
    schemas: {},
    ...fields,
  }
  return { ...batch, partition, nextOffset: 1, records: [{ ...toControlRecord(progress), partition, offset: 0 }] }
}

function tombstoneBatch(partition: number, resourceVersion: string): ReadBatch {
  const key = Buffer.from('default/gone')
  const headers = [{ name: 'resourceVersion', value: resourceVersion }]
  return {
    ...batch,
    partition,
    nextOffset: 1,
    records: [{ key, value: null, headers, partition, offset: 0, timestampMs: 0 }],
  }
}

for (const ahead of [0, 1]) {
  test(`of partitions that are not equally far the one behind says what was synced, with partition ${ahead} ahead`, async () => {
    const further = { epoch: 2, policy: 'new', resourceVersion: '70' }
    const { recovery } = setUp([
      [0, 1].map((partition) => progressBatch(partition, partition === ahead ? further : {})),
    ])
    await recovery.read(new Map(), signal)
    assert.deepEqual([recovery.synced?.epoch, recovery.synced?.policy], [1, 'none'])
    assert.equal(recovery.resourceVersion, '70')
  })
}

test('what stands before progress and is newer than the cluster was by then belongs to a history that is no more', async () => {
  const { recovery } = setUp([
    [
      // The deletion of what the restored cluster never had carries its last known state.
      tombstoneBatch(0, '70'),
      progressBatch(0, { resourceVersion: '60', newestResourceVersion: '62' }),
    ],
  ])
  await recovery.read(new Map(), signal)
  assert.equal(recovery.resourceVersion, '62')
})

test('of what stands behind progress the newest counts, whatever other partitions say', async () => {
  for (const behind of [0, 1]) {
    const { recovery } = setUp([
      [0, 1].flatMap((partition) => [
        progressBatch(partition, { resourceVersion: '60', newestResourceVersion: '60' }),
        ...(partition === behind ? [tombstoneBatch(partition, '61')] : []),
      ]),
    ])
    await recovery.read(new Map(), signal)
    assert.equal(recovery.resourceVersion, '61')
  }
})

test('a partition whose progress is still of the former history has its resourceVersion count', async () => {
  const { recovery } = setUp([
    [
      progressBatch(0, { resourceVersion: '60', newestResourceVersion: '60' }),
      progressBatch(1, { resourceVersion: '70' }),
    ],
  ])
  await recovery.read(new Map(), signal)
  assert.equal(recovery.resourceVersion, '70')
})

test('a broken batch is passed over loudly', async () => {
  const error = new KubedeltaError('corrupt', 'Cannot decode batch')
  const broken = [{ baseOffset: 3, nextOffset: 5, error }]
  const { recovery, said, unreadable } = setUp([[{ ...batch, nextOffset: 7, broken }]])
  await recovery.read(new Map([[0, 7]]), signal)
  assert.deepEqual(said, ['record batch on the topic cannot be read: its keys are unknown'])
  assert.deepEqual(unreadable, ['corrupt'])
  assert.equal(recovery.positions.get(0), 7)
})
