import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { hasCode } from '../../../src/base/errors.ts'
import { decodeBatch, splitBatches } from '../../../src/kafka/batch-decode.ts'
import { encodeBatch } from '../../../src/kafka/batch-encode.ts'
import { sealBatch } from '../../../src/kafka/batch-header.ts'
import type { StoredRecord } from '../../../src/topic/port.ts'

const source = { topic: 'topic', partition: 1 }
const nobody = { producerId: -1n, epoch: -1 }

/** A batch of two records at offset 10, changed before its checksum is made. */
async function changed(change: (batch: Buffer) => Buffer | void): Promise<Buffer> {
  const record = { key: Buffer.from('k'), value: Buffer.from('v'), headers: [], timestampMs: 5_000 }
  const batch = await encodeBatch([record, { ...record, timestampMs: 6_000 }], 'none')
  batch.writeBigInt64BE(10n, 0)
  const result = change(batch) ?? batch
  result.writeInt32BE(result.length - 12, 8)
  sealBatch(result, nobody, -1)
  return result
}

async function decoded(bytes: Buffer): Promise<readonly StoredRecord[]> {
  const batches = await Promise.all(splitBatches(bytes, source).map(async (batch) => decodeBatch(batch, source)))
  return batches.flat()
}

const ATTRIBUTES = 21

describe('a batch', () => {
  for (const [bits, name] of [
    [2, 'snappy'],
    [3, 'lz4'],
  ] as const) {
    test(`compressed with ${name} is unsupported, with its place named`, async () => {
      const bytes = await changed((batch) => void batch.writeInt16BE(bits, ATTRIBUTES))
      await assert.rejects(decoded(bytes), (error) => {
        return hasCode(error, 'unsupported') && error.message.includes(name) && error.fields['offset'] === 10
      })
    })
  }

  test('that marks a transaction has no records', async () => {
    assert.deepEqual(await decoded(await changed((batch) => void batch.writeInt16BE(0b110000, ATTRIBUTES))), [])
  })

  test('without records moves the position behind what it held', async () => {
    const bytes = await changed((batch) => {
      batch.writeInt32BE(0, 57)
      return batch.subarray(0, 61)
    })
    assert.equal(splitBatches(bytes, source)[0]?.header.nextOffset, 12)
    assert.deepEqual(await decoded(bytes), [])
  })

  test('with the broker as its clock gives every record the time of the batch', async () => {
    const records = await decoded(await changed((batch) => void batch.writeInt16BE(0b1000, ATTRIBUTES)))
    assert.deepEqual(
      records.map(({ timestampMs }) => timestampMs),
      [6_000, 6_000],
    )
  })

  test('of an older format is unsupported', async () => {
    const bytes = await changed((batch) => void batch.writeInt8(1, 16))
    await assert.rejects(decoded(bytes), (error) => hasCode(error, 'unsupported'))
  })

  test('whose records end early is corrupt', async () => {
    await assert.rejects(decoded(await changed((batch) => batch.subarray(0, -1))), (error) => hasCode(error, 'corrupt'))
  })

  test('of more records than memory is given to is corrupt', async () => {
    const bytes = await changed((batch) => {
      const record = Buffer.from([12, 0, 0, 0, 1, 1, 0])
      const many = gzipSync(Buffer.concat(Array.from({ length: 600_000 }, () => record)))
      const dense = Buffer.concat([batch.subarray(0, 61), many])
      dense.writeInt16BE(1, ATTRIBUTES)
      dense.writeInt32BE(600_000, 57)
      return dense
    })
    assert.ok(bytes.length < 100_000)
    await assert.rejects(decoded(bytes), (error) => {
      const { cause } = error instanceof Error ? error : {}
      return hasCode(error, 'corrupt') && /at most 500000 records: current value is 600000/.test(String(cause))
    })
  })

  test('that does not inflate is corrupt', async () => {
    const bytes = await changed((batch) => {
      batch.writeInt16BE(1, ATTRIBUTES)
      return Buffer.concat([batch.subarray(0, 61), gzipSync('text').subarray(0, 10)])
    })
    await assert.rejects(decoded(bytes), (error) => hasCode(error, 'corrupt') && error.fields['offset'] === 10)
  })

  test('with an impossible length is corrupt', async () => {
    const bytes = await changed(() => {})
    bytes.writeInt32BE(-5, 8)
    await assert.rejects(decoded(bytes), (error) => hasCode(error, 'corrupt'))
  })
})
