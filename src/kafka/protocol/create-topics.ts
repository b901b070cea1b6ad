// Creates one topic.

import type { TopicSpec } from '../../topic/port.ts'
import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'

export interface CreateTopicAnswer {
  readonly errorCode: number
  readonly message: string | null
}

/** Only the controller takes it. `timeoutMs`: how long the broker waits until the topic stands. */
export function createTopicRequest(spec: TopicSpec, timeoutMs: number): KafkaRequest<CreateTopicAnswer> {
  return {
    api: APIS.createTopics,
    encode() {
      const writer = new WireWriter()
      writer.int32(1).string(spec.topic).int32(spec.partitions).int16(spec.replicationFactor).int32(0)
      writer.array([...spec.config], ([name, value]) => writer.string(name).string(value))
      return writer.int32(timeoutMs).boolean(false).bytes()
    },
    decode(body) {
      const throttleMs = body.int32()
      const answers = body.array(() => {
        body.string()
        return { errorCode: body.int16(), message: body.nullableString() }
      })
      return { throttleMs, value: answers[0] ?? { errorCode: -1, message: 'empty answer' } }
    },
  }
}
