import assert from 'node:assert/strict'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { gzip, zstdCompress } from 'node:zlib'
import { BATCH_HEADER_BYTES, sealBatch } from '../../../src/kafka/batch-header.ts'
import { splitBatches } from '../../../src/kafka/batch-decode.ts'
import { encodeBatch } from '../../../src/kafka/batch-encode.ts'
import { CODEC_BITS } from '../../../src/kafka/compression.ts'
import { passable } from '../../../src/kafka/passable.ts'
import { readTaken } from '../../../src/kafka/taken.ts'
import type { ReadBatch } from '../../../src/topic/port.ts'

const MIB = 1024 * 1024
const AT_ONCE = 128 * MIB
const source = { topic: 'topic', partition: 0 }

/** One batch a size: a record with so many bytes of value, at the offset of its place. */
async function fetched(sizes: readonly number[], codec: keyof typeof PACK): Promise<Buffer> {
  const made = new Map<number, Buffer>()
  const batches: Buffer[] = []
  for (const [offset, size] of sizes.entries()) {
    const known = made.get(size) ?? (await batchOf(size, codec))
    made.set(size, known)
    const batch = Buffer.from(known)
    batch.writeBigInt64BE(BigInt(offset), 0)
    batches.push(batch)
  }
  return Buffer.concat(batches)
}

async function batchOf(size: number, codec: keyof typeof PACK): Promise<Buffer> {
  const record = { key: Buffer.from('k'), value: Buffer.alloc(size), headers: [], timestampMs: 5_000 }
  const plain = await encodeBatch([record], 'none')
  const packed = await PACK[codec](plain.subarray(BATCH_HEADER_BYTES))
  const batch = Buffer.concat([plain.subarray(0, BATCH_HEADER_BYTES), packed])
  batch.writeInt16BE(CODEC_BITS[codec], 21)
  batch.writeInt32BE(batch.length - 12, 8)
  sealBatch(batch, { producerId: -1n, epoch: -1 }, -1)
  return batch
}

const PACK = {
  none: async (bytes: Buffer) => bytes,
  gzip: promisify<Buffer, Buffer>(gzip),
  zstd: promisify<Buffer, Buffer>(zstdCompress),
}

async function* read(bytes: Buffer): AsyncGenerator<ReadBatch, void, undefined> {
  const range = { position: 0, until: Infinity, endOffset: Infinity }
  const batches = passable(splitBatches(bytes, source), range)
  yield* readTaken({ ...source, from: 0, until: Infinity, batches, endOffset: batches.length })
}

function bytesOf({ records }: ReadBatch): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
}

for (const codec of ['gzip', 'zstd'] as const) {
  test(`batches in ${codec} that inflate a thousandfold are not held together beyond 128 MiB, and none is missing`, async () => {
    const sizes = Array.from({ length: 24 }, (_, index) => (index % 12 === 3 ? 100 : index < 12 ? 3 : 12) * MIB)
    const bytes = await fetched(sizes, codec)
    assert.ok(bytes.length < 2 * MIB)
    const offsets: number[] = []
    let position = 0
    for await (const batch of read(bytes)) {
      assert.ok(bytesOf(batch) <= AT_ONCE, `${bytesOf(batch)} bytes together`)
      offsets.push(...batch.records.map(({ offset }) => offset))
      assert.ok(batch.nextOffset > position)
      position = batch.nextOffset
    }
    assert.deepEqual(offsets, [...sizes.keys()])
    assert.equal(position, sizes.length)
  })
}

test('a batch that no memory is given to is told as broken, and those around it come', async () => {
  const bytes = await fetched([1, 130 * MIB, 2, 130 * MIB], 'gzip')
  const offsets: number[] = []
  const passedOver: number[] = []
  for await (const { records, broken = [] } of read(bytes)) {
    offsets.push(...records.map(({ offset }) => offset))
    passedOver.push(...broken.map(({ baseOffset }) => baseOffset))
  }
  assert.deepEqual(
    [offsets, passedOver],
    [
      [0, 2],
      [1, 3],
    ],
  )
})

test('ordinary batches are read together, as many as a fetch brings at a time', async () => {
  const batches: number[] = []
  for await (const { records } of read(
    await fetched(
      Array.from({ length: 64 }, () => 16 * 1024),
      'gzip',
    ),
  )) {
    batches.push(records.length)
  }
  assert.deepEqual(batches, [32, 32])
})
