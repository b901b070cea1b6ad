// A log whose readers get something else than what stands on it, as after a fault of theirs.

import type { StoredRecord, TopicLog } from '../../src/topic/port.ts'
import { readThrough } from './read-through.ts'

/** What a reader gets in place of a record. */
export type Lie = (stored: StoredRecord) => readonly StoredRecord[]

/** @param lieNow asked for each batch; undefined: the truth */
export function lyingLog(log: TopicLog, lieNow: () => Lie | undefined): TopicLog {
  return readThrough(log, async function* read(reader, options) {
    for await (const batch of reader.read(options)) {
      const lie = lieNow()
      yield lie === undefined ? batch : { ...batch, records: batch.records.flatMap(lie) }
    }
  })
}
