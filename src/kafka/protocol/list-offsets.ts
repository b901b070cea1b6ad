// Asks a leader where partitions begin or end.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'
import { readPartitions } from './partition-answers.ts'

export interface ListedOffset {
  readonly partition: number
  readonly errorCode: number
  readonly offset: number
}

/** First offsets still kept, or offsets after the last record, of partitions that share a leader. */
export function listOffsetsRequest(
  topic: string,
  partitions: readonly number[],
  at: 'earliest' | 'latest',
): KafkaRequest<readonly ListedOffset[]> {
  return {
    api: APIS.listOffsets,
    encode() {
      const writer = new WireWriter()
      writer.int32(-1).int8(0).int32(1).string(topic)
      writer.array(partitions, (partition) => writer.int32(partition).int64(at === 'earliest' ? -2 : -1))
      return writer.bytes()
    },
    decode(body) {
      const throttleMs = body.int32()
      const value = readPartitions(body, () => {
        const partition = body.int32()
        const errorCode = body.int16()
        body.int64()
        return { partition, errorCode, offset: body.int64() }
      })
      return { throttleMs, value }
    },
  }
}
