// Fetches raw record batches without a consumer group.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'
import { readPartitions } from './partition-answers.ts'

export interface FetchWant {
  readonly partition: number
  readonly offset: number
  /** Of the leader that is asked, as the metadata has it: another one answers with an error (KIP-320). @default not compared */
  readonly currentLeaderEpoch?: number
}

export interface FetchedPartition {
  readonly partition: number
  readonly errorCode: number
  /** The end that readers may see. */
  readonly highWatermark: number
  /** Raw batches, the last one possibly cut off; a slice of the response. */
  readonly batches: Buffer
}

export interface FetchLimits {
  /** How long the broker waits for the first byte. */
  readonly maxWaitMs: number
  /** For the whole response; one whole batch comes even if it is larger (KIP-74). */
  readonly maxBytes: number
  readonly maxBytesPerPartition: number
}

/** The next batches of some partitions of one topic, outside of any fetch session. */
export function fetchRequest(
  topic: string,
  wants: readonly FetchWant[],
  limits: FetchLimits,
): KafkaRequest<readonly FetchedPartition[]> {
  return {
    api: APIS.fetch,
    encode() {
      const writer = new WireWriter()
      // Replica -1: a client. Read uncommitted: a bridge writes no transactions, so nothing is ever aborted.
      writer.int32(-1).int32(limits.maxWaitMs).int32(1).int32(limits.maxBytes).int8(0)
      // Session id 0 with epoch -1: one full fetch, no session (KIP-227).
      writer.int32(0).int32(-1).int32(1).string(topic)
      writer.array(wants, (want) => {
        writer
          .int32(want.partition)
          .int32(want.currentLeaderEpoch ?? NOT_COMPARED)
          .int64(want.offset)
          .int64(-1)
          .int32(limits.maxBytesPerPartition)
      })
      return writer.int32(0).string('').bytes()
    },
    decode(body) {
      const throttleMs = body.int32()
      const sessionError = body.int16()
      body.int32()
      const fetched = readPartitions(body, (): FetchedPartition => {
        const partition = body.int32()
        const errorCode = body.int16()
        const highWatermark = body.int64()
        body.int64()
        body.int64()
        body.array(() => {
          body.int64Exact()
          body.int64Exact()
        })
        body.int32()
        return { partition, errorCode, highWatermark, batches: body.bytes() }
      })
      if (sessionError === 0) return { throttleMs, value: fetched }
      const failed = wants.map(({ partition }) => ({
        partition,
        errorCode: sessionError,
        highWatermark: -1,
        batches: Buffer.alloc(0),
      }))
      return { throttleMs, value: failed }
    },
  }
}

const NOT_COMPARED = -1
