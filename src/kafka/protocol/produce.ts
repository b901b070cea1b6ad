// Sends one record batch to the leader of its partition.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'
import { readPartitions } from './partition-answers.ts'

export interface ProduceAnswer {
  readonly errorCode: number
  readonly baseOffset: number
  readonly message: string | null
}

/** One batch for one partition, acknowledged by all in-sync replicas. `timeoutMs`: how long the broker waits for them. */
export function produceRequest(
  topic: string,
  partition: number,
  batch: Buffer,
  timeoutMs: number,
): KafkaRequest<ProduceAnswer> {
  return {
    api: APIS.produce,
    encode() {
      const writer = new WireWriter(batch.length + topic.length * 3 + 64)
      // No transactional id: the batch carries the producer's epoch, which is all that fencing needs (KIP-98, KIP-360).
      writer.string(null).int16(-1).int32(timeoutMs).int32(1).string(topic).int32(1).int32(partition)
      return writer.int32(batch.length).raw(batch).bytes()
    },
    decode(body) {
      const [answer] = readPartitions(body, (): ProduceAnswer => {
        body.int32()
        const errorCode = body.int16()
        const baseOffset = body.int64()
        body.int64()
        body.int64()
        const recordErrors = body.array(() => {
          body.int32()
          return body.nullableString()
        })
        const message = body.nullableString()
        return { errorCode, baseOffset, message: message ?? recordErrors[0] ?? null }
      })
      return { throttleMs: body.int32(), value: answer ?? { errorCode: -1, baseOffset: -1, message: 'empty answer' } }
    },
  }
}
