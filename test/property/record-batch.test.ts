// Whatever is put into a record batch comes out of it again, and nothing damaged comes out at all.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { hasCode } from '../../src/base/errors.ts'
import { decodeBatch, splitBatches } from '../../src/kafka/batch-decode.ts'
import { encodeBatch } from '../../src/kafka/batch-encode.ts'
import { readBatchHeader, sealBatch } from '../../src/kafka/batch-header.ts'
import { VarintReader, varintSize, writeVarint } from '../../src/kafka/varint.ts'
import type { Compression, TopicRecord } from '../../src/topic/port.ts'

const source = { topic: 'topic', partition: 3 }
const sender = { producerId: 4711n, epoch: 12 }

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const records: fc.Arbitrary<TopicRecord[]> = fc.array(
  fc.record(
    {
      key: bytes,
      value: fc.option(bytes),
      headers: fc.array(fc.record({ name: text, value: text }, { noNullPrototype: true }), { maxLength: 4 }),
      timestampMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 40 },
)
const compression = fc.constantFrom<Compression>('none', 'gzip', 'zstd')

async function sealed(some: readonly TopicRecord[], codec: Compression, baseOffset = 0): Promise<Buffer> {
  const batch = await encodeBatch(some, codec)
  sealBatch(batch, sender, 99)
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  return batch
}

describe('record batch', () => {
  test('encoded records decode to the same records', async () => {
    await fc.assert(
      fc.asyncProperty(records, compression, fc.nat(), async (some, codec, baseOffset) => {
        const [batch, ...others] = splitBatches(await sealed(some, codec, baseOffset), source)
        assert.ok(batch)
        assert.equal(others.length, 0)
        assert.equal(batch.header.nextOffset, baseOffset + some.length)
        assert.deepEqual(
          [batch.header.producerId, batch.header.producerEpoch, batch.header.baseSequence],
          [4711n, 12, 99],
        )
        const expected = some.map((record, index) => ({ ...record, partition: 3, offset: baseOffset + index }))
        assert.deepEqual(await decodeBatch(batch, source), expected)
      }),
    )
  })

  test('batches cut off anywhere are left out whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(records, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (some, part) => {
          const batches = await Promise.all(some.map(async (each) => sealed(each, 'none')))
          const whole = Buffer.concat(batches)
          const cut = Math.floor(whole.length * part)
          const ends = batches.map((_, index) =>
            batches.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0),
          )
          assert.equal(splitBatches(whole.subarray(0, cut), source).length, ends.filter((end) => end <= cut).length)
        },
      ),
    )
  })

  test('a flipped bit in what the checksum covers is corrupt, with its place named', async () => {
    await fc.assert(
      fc.asyncProperty(records, compression, fc.nat(), fc.nat({ max: 7 }), async (some, codec, position, bit) => {
        const damaged = await sealed(some, codec, 42)
        const at = 21 + (position % (damaged.length - 21))
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit)
        const header = readBatchHeader(damaged, 0)
        assert.ok(header)
        await assert.rejects(decodeBatch({ header, bytes: damaged }, source), (error) => {
          return hasCode(error, 'corrupt') && error.fields['offset'] === 42 && error.fields['partition'] === 3
        })
      }),
    )
  })

  test('another sender changes nothing but the sender', async () => {
    await fc.assert(
      fc.asyncProperty(
        records,
        fc.nat({ max: 32_767 }),
        fc.nat({ max: 2 ** 31 - 1 }),
        async (some, epoch, sequence) => {
          const batch = await sealed(some, 'none')
          sealBatch(batch, { producerId: 2n ** 62n, epoch }, sequence)
          const [resealed] = splitBatches(batch, source)
          assert.ok(resealed)
          assert.deepEqual(
            [resealed.header.producerId, resealed.header.producerEpoch, resealed.header.baseSequence],
            [2n ** 62n, epoch, sequence],
          )
          assert.equal((await decodeBatch(resealed, source)).length, some.length)
        },
      ),
    )
  })

  test('varints of any size are read as they were written', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 }), (value) => {
        const room = Buffer.alloc(12)
        const end = writeVarint(room, 1, value)
        assert.equal(end - 1, varintSize(value))
        const reader = new VarintReader(room, 1)
        assert.equal(reader.next(), value)
        assert.equal(reader.at, end)
      }),
    )
  })
})
