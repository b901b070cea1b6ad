// Asks a leader where the records of a leader epoch end in its log.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'
import { readPartitions } from './partition-answers.ts'

export interface EpochQuestion {
  readonly partition: number
  /** Of the leader that is asked, as the metadata has it: another one answers with an error. */
  readonly currentLeaderEpoch: number
  /** The one asked about. */
  readonly leaderEpoch: number
}

export interface EpochEnd {
  readonly partition: number
  readonly errorCode: number
  /** The highest one in the log that is not above the one asked about; -1: the log knows none, so the one asked about is not in it. */
  readonly leaderEpoch: number
  /** Behind the last record of that epoch; -1 as above. */
  readonly endOffset: number
}

/** Ends of leader epochs of partitions that share a leader (KIP-320). */
export function offsetForLeaderEpochRequest(
  topic: string,
  questions: readonly EpochQuestion[],
): KafkaRequest<readonly EpochEnd[]> {
  return {
    api: APIS.offsetForLeaderEpoch,
    encode() {
      // Replica -1: a client.
      const writer = new WireWriter().int32(-1).int32(1).string(topic)
      writer.array(questions, ({ partition, currentLeaderEpoch, leaderEpoch }) => {
        writer.int32(partition).int32(currentLeaderEpoch).int32(leaderEpoch)
      })
      return writer.bytes()
    },
    decode(body) {
      const throttleMs = body.int32()
      const value = readPartitions(body, () => {
        const errorCode = body.int16()
        const partition = body.int32()
        return { partition, errorCode, leaderEpoch: body.int32(), endOffset: body.int64() }
      })
      return { throttleMs, value }
    },
  }
}
