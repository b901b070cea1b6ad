import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import type { ReadBatch, ReadOptions, StoredRecord, TopicReader } from '../../../src/topic/port.ts'
import { readRecord } from '../../../src/topic/read-record.ts'

function stored(offset: number): StoredRecord {
  return { partition: 2, offset, key: Buffer.from('k'), value: Buffer.from(`v${offset}`), headers: [], timestampMs: 0 }
}

/** A reader of fixed batches that notes what it was asked for. */
function readerOf(batches: readonly ReadBatch[], end?: Error): TopicReader & { asked?: ReadOptions } {
  const reader: TopicReader & { asked?: ReadOptions } = {
    async *read(options) {
      reader.asked = options
      yield* batches
      if (end !== undefined) throw end
    },
    async [Symbol.asyncDispose]() {},
  }
  return reader
}

const position = { topic: 'topic', partition: 2, offset: 7, signal: new AbortController().signal }

describe('one record', () => {
  test('is read by a read of one offset', async () => {
    const reader = readerOf([{ partition: 2, records: [stored(7)], nextOffset: 8, endOffset: 20 }])
    assert.equal(String((await readRecord(reader, position))?.value), 'v7')
    assert.deepEqual(reader.asked?.from, new Map([[2, 7]]))
    assert.deepEqual(reader.asked?.until, new Map([[2, 8]]))
  })

  test('that compaction removed is undefined', async () => {
    const reader = readerOf([{ partition: 2, records: [], nextOffset: 8, endOffset: 20 }])
    assert.equal(await readRecord(reader, position), undefined)
  })

  test('before the beginning of the log is undefined', async () => {
    const gone = new KubedeltaError('offset-out-of-range', 'gone')
    assert.equal(await readRecord(readerOf([], gone), position), undefined)
  })

  test('that cannot be read is an error', async () => {
    const corrupt = new KubedeltaError('corrupt', 'damaged')
    await assert.rejects(readRecord(readerOf([], corrupt), position), corrupt)
  })
})
