// Reads every configuration in force of one topic.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'

export interface DescribeConfigsAnswer {
  readonly errorCode: number
  readonly message: string | null
  /** Name -> value; without those that the broker keeps secret. */
  readonly config: ReadonlyMap<string, string>
}

export function describeTopicConfigRequest(topic: string): KafkaRequest<DescribeConfigsAnswer> {
  return {
    api: APIS.describeConfigs,
    encode: () => new WireWriter().int32(1).int8(TOPIC).string(topic).int32(-1).boolean(false).bytes(),
    decode(body) {
      const throttleMs = body.int32()
      const answers = body.array(() => {
        const errorCode = body.int16()
        const message = body.nullableString()
        body.int8()
        body.string()
        const config = new Map<string, string>()
        body.array(() => {
          const name = body.string()
          const value = body.nullableString()
          body.boolean()
          body.int8()
          body.boolean()
          body.array(() => {
            body.string()
            body.nullableString()
            body.int8()
          })
          if (value !== null) config.set(name, value)
        })
        return { errorCode, message, config }
      })
      return { throttleMs, value: answers[0] ?? { errorCode: -1, message: 'empty answer', config: new Map() } }
    },
  }
}

/** The resource type of topics. */
const TOPIC = 2
