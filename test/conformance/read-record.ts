// Reads one record whose position is known.

import { hasCode } from '../../src/base/errors.ts'
import type { StoredRecord, TopicReader } from '../../src/topic/port.ts'

interface RecordPosition {
  readonly topic: string
  readonly partition: number
  /** Below the partition's end: a read beyond it waits for the record to come. */
  readonly offset: number
  readonly signal: AbortSignal
}

/**
 * The record at an offset, or undefined when compaction or retention has removed it.
 * Key and value are slices of what was fetched: copy what you keep.
 * @throws KubedeltaError as the reader's iteration does, except `offset-out-of-range`; the signal's reason
 */
export async function readRecord(reader: TopicReader, position: RecordPosition): Promise<StoredRecord | undefined> {
  const { topic, partition, offset, signal } = position
  const from = new Map([[partition, offset]])
  const until = new Map([[partition, offset + 1]])
  try {
    for await (const batch of reader.read({ topic, from, until, signal })) {
      const found = batch.records.find((record) => record.offset === offset)
      if (found !== undefined) return found
    }
  } catch (error) {
    // The log now begins behind it: the record is gone, which is an answer here.
    if (!hasCode(error, 'offset-out-of-range')) throw error
  }
  signal.throwIfAborted()
  return undefined
}
