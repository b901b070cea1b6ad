// A log whose readers come to their batches in another way: later, changed, or not at all.

import type { ReadBatch, ReadOptions, TopicLog, TopicReader } from '../../src/topic/port.ts'

/** How a reader of the log in front reads by means of one of the log behind. */
export type ReadThrough = (reader: TopicReader, options: ReadOptions) => AsyncIterable<ReadBatch>

/** The log with other readers; disposing of it leaves the log behind as it is. */
export function readThrough(log: TopicLog, read: ReadThrough): TopicLog {
  return {
    admin: log.admin,
    openWriter: (options) => log.openWriter(options),
    openReader: async (options) => {
      const reader = await log.openReader(options)
      return {
        read: (wanted) => read(reader, wanted),
        [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
      }
    },
    [Symbol.asyncDispose]: async () => {},
  }
}
