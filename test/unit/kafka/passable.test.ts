import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { splitBatches } from '../../../src/kafka/batch-decode.ts'
import { encodeBatch } from '../../../src/kafka/batch-encode.ts'
import { sealBatch } from '../../../src/kafka/batch-header.ts'
import { passable } from '../../../src/kafka/passable.ts'

const LAST_OFFSET_DELTA = 23

/** Batches of two records each, at 10, 12, 14, ...; those named are damaged behind their checksum. */
async function fetched(count: number, damage: Readonly<Record<number, (batch: Buffer) => void>> = {}): Promise<Buffer> {
  const record = { key: Buffer.from('k'), value: Buffer.from('v'), headers: [], timestampMs: 5_000 }
  const batches = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const batch = await encodeBatch([record, record], 'none')
      sealBatch(batch, { producerId: -1n, epoch: -1 }, -1)
      batch.writeBigInt64BE(BigInt(10 + 2 * index), 0)
      damage[index]?.(batch)
      return batch
    }),
  )
  return Buffer.concat(batches)
}

function places(bytes: Buffer, range: { position: number; until?: number; endOffset: number }): readonly number[][] {
  const batches = splitBatches(bytes, { topic: 'topic', partition: 0 })
  return passable(batches, { until: Infinity, ...range }).map(({ header, nextOffset }) => [
    header.baseOffset,
    nextOffset,
  ])
}

const setDelta =
  (delta: number) =>
  (batch: Buffer): void =>
    void batch.writeInt32BE(delta, LAST_OFFSET_DELTA)

describe('of the batches of a fetch', () => {
  test('those between position and end are passed', async () => {
    assert.deepEqual(places(await fetched(4), { position: 13, until: 15, endOffset: 18 }), [
      [12, 14],
      [14, 16],
    ])
  })

  test('a damaged one ends where the next begins, wherever it says it does', async () => {
    for (const delta of [-7, 0, 5, 1_000_000]) {
      const bytes = await fetched(3, { 1: setDelta(delta) })
      const behind = delta === 0 ? 13 : 14
      assert.deepEqual(
        places(bytes, { position: 10, endOffset: 16 }),
        [
          [10, 12],
          [12, behind],
          [14, 16],
        ],
        String(delta),
      )
    }
  })

  test('a damaged last one is left for the next fetch', async () => {
    const bytes = await fetched(3, { 2: setDelta(1_000) })
    assert.deepEqual(places(bytes, { position: 10, endOffset: 5_000 }), [
      [10, 12],
      [12, 14],
    ])
  })

  test('an intact one that ends behind the end as the broker told it is passed as a whole', async () => {
    assert.deepEqual(places(await fetched(1), { position: 10, endOffset: 11 }), [[10, 12]])
    assert.deepEqual(places(await fetched(3), { position: 10, endOffset: 13 }), [
      [10, 12],
      [12, 14],
      [14, 16],
    ])
  })

  test('a damaged one alone is passed one offset at a time, where it says more than there is', async () => {
    const bytes = await fetched(1, { 0: setDelta(1_000) })
    assert.deepEqual(places(bytes, { position: 10, endOffset: 12 }), [[10, 11]])
    assert.deepEqual(places(bytes, { position: 11, endOffset: 12 }), [[10, 12]])
  })
})
