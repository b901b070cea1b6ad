// Record batches as a broker hands them out.

import assert from 'node:assert/strict'
import { decodeBatch, splitBatches } from '../../src/kafka/batch-decode.ts'
import { encodeBatch } from '../../src/kafka/batch-encode.ts'
import { crc32c } from '../../src/kafka/crc32c.ts'
import { sealBatch } from '../../src/kafka/batch-header.ts'
import type { Compression, StoredRecord } from '../../src/topic/port.ts'
import { fuzz } from './fuzz.ts'

const source = { topic: 'topic', partition: 0 }

async function batchOf(compression: Compression, count: number): Promise<Buffer> {
  const records = Array.from({ length: count }, (_, index) => ({
    key: Buffer.from(`shop/cart-${index}`),
    value: index % 3 === 2 ? null : Buffer.from(JSON.stringify({ index, text: 'x'.repeat(index * 10) })),
    headers: index % 3 === 2 ? [{ name: 'uid', value: `u-${index}` }] : [],
    timestampMs: 1_760_000_000_000 + index,
  }))
  const batch = await encodeBatch(records, compression)
  sealBatch(batch, { producerId: 4711n, epoch: 3 }, 0)
  return batch
}

const frames = [
  await batchOf('none', 1),
  await batchOf('none', 12),
  await batchOf('gzip', 12),
  await batchOf('zstd', 12),
]
const contents = new Map(await Promise.all(frames.map(async (frame) => [frame, await recordsOf(frame)] as const)))
const [first, ...rest] = frames
assert.ok(first)

fuzz({
  name: 'what a record batch holds comes out as it was put in, or not at all',
  frames: [first, ...rest],
  mend: seal,
  decode: async (input, original) => {
    const records = await recordsOf(input)
    for (const { key, value } of records) assert.ok(key.length + (value?.length ?? 0) >= 0)
    // With its checksum unmended, damage is either outside of what the checksum covers or found.
    const wanted = original === undefined ? undefined : contents.get(original)
    if (wanted !== undefined && records.length > 0) assert.deepEqual(contentOf(records), contentOf(wanted))
  },
  refusals: ['corrupt', 'unsupported'],
})

async function recordsOf(fetched: Buffer): Promise<readonly StoredRecord[]> {
  const batches = splitBatches(fetched, source)
  return (await Promise.all(batches.map(async (batch) => decodeBatch(batch, source)))).flat()
}

/** Offsets stem from the base offset, which brokers set after the checksum was made. */
function contentOf(records: readonly StoredRecord[]): unknown {
  return records.map(({ key, value, headers, timestampMs }) => ({ key, value, headers, timestampMs }))
}

/** Gives the damaged bytes a length and a checksum that fit, so that the records themselves have to be refused. */
function seal(frame: Buffer): Buffer {
  if (frame.length < 61) return frame
  const sealed = Buffer.from(frame)
  sealed.writeInt32BE(sealed.length - 12, 8)
  sealed[16] = 2
  sealed.writeUInt32BE(crc32c(sealed.subarray(21)), 17)
  return sealed
}
