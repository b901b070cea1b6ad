// A log whose readers get something else than what stands on it, as after a fault of theirs.

import type { ReadBatch, ReadOptions, StoredRecord, TopicLog, TopicReader } from '../../src/topic/port.ts'

/** What a reader gets in place of a record. */
export type Lie = (stored: StoredRecord) => readonly StoredRecord[]

/** @param lieNow asked for each batch; undefined: the truth */
export function lyingLog(log: TopicLog, lieNow: () => Lie | undefined): TopicLog {
  async function* read(reader: TopicReader, options: ReadOptions): AsyncIterable<ReadBatch> {
    for await (const batch of reader.read(options)) {
      const lie = lieNow()
      yield lie === undefined ? batch : { ...batch, records: batch.records.flatMap(lie) }
    }
  }
  return {
    admin: log.admin,
    openWriter: (options) => log.openWriter(options),
    openReader: async (options) => {
      const reader = await log.openReader(options)
      return {
        read: (readOptions) => read(reader, readOptions),
        [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
      }
    },
    [Symbol.asyncDispose]: async () => {},
  }
}
