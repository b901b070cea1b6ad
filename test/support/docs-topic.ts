// A topic in memory with one pod, for the code in the documentation to read.

import { toControlRecord, toTopicRecords } from '../../src/bridge/wire.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { entriesOf } from '../../src/record/order.ts'
import { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import { progress, record } from '../unit/consumer/support.ts'

const TOPIC = 'kubedelta.prod.pods'

/** The topic, with what a bridge says once its first list is complete. */
export const log = new MemoryTopicLog()
await log.admin.create(topicSpec({ topic: TOPIC }), new AbortController().signal)
const control = toControlRecord(progress(1))
for (const each of [...toTopicRecords(entriesOf(record('cart-0', 1)), encodeRecord({ kind: 'json' })), control]) {
  log.inject(TOPIC, 0, each)
}
