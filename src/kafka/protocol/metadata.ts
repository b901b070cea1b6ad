// Asks a broker which brokers there are and who leads which partition.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'

export interface BrokerAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export interface PartitionMetadata {
  readonly partition: number
  readonly errorCode: number
  /** -1 while there is none. */
  readonly leader: number
  readonly replicas: number
}

export interface TopicMetadata {
  readonly topic: string
  readonly errorCode: number
  readonly partitions: readonly PartitionMetadata[]
}

export interface ClusterMetadata {
  readonly brokers: readonly BrokerAddress[]
  readonly controllerId: number
  readonly topics: readonly TopicMetadata[]
}

/**
 * Metadata of these topics, or of all. Errors stay with their topic: kafkajs' own request throws when any topic of the
 * cluster has one.
 */
export function metadataRequest(topics: readonly string[] | 'all'): KafkaRequest<ClusterMetadata> {
  return {
    api: APIS.metadata,
    encode() {
      const writer = new WireWriter()
      if (topics === 'all') writer.int32(-1)
      else writer.array(topics, (topic) => writer.string(topic))
      return writer.boolean(false).bytes()
    },
    decode(body) {
      const throttleMs = body.int32()
      const brokers = body.array(() => {
        const broker = { nodeId: body.int32(), host: body.string(), port: body.int32() }
        body.nullableString()
        return broker
      })
      body.nullableString()
      const controllerId = body.int32()
      const found = body.array(() => {
        const errorCode = body.int16()
        const topic = body.string()
        body.boolean()
        const partitions = body.array(() => {
          const partitionError = body.int16()
          const partition = body.int32()
          const leader = body.int32()
          body.int32()
          const replicas = body.array(() => body.int32()).length
          body.array(() => body.int32())
          body.array(() => body.int32())
          return { partition, errorCode: partitionError, leader, replicas }
        })
        return { topic, errorCode, partitions }
      })
      return { throttleMs, value: { brokers, controllerId, topics: found } }
    },
  }
}
