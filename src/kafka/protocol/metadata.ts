// Asks a broker which brokers there are and who leads which partition.

import { WireWriter, type WireReader } from '../wire.ts'
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
  /** Higher with each election. */
  readonly leaderEpoch: number
  readonly replicas: number
}

export interface TopicMetadata {
  readonly topic: string
  readonly errorCode: number
  /** 32 hexadecimal digits; undefined where the broker knows none: before Kafka 2.8, or of a topic that is missing. */
  readonly topicId: string | undefined
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
    encode: (version) => (version >= FLEXIBLE ? encodeFlexible(topics, version) : encodePlain(topics, version)),
    decode(body, version) {
      if (version >= FLEXIBLE) body.skipTags()
      const throttleMs = body.int32()
      const value = version >= FLEXIBLE ? decodeFlexible(body, version) : decodePlain(body, version)
      return { throttleMs, value }
    },
  }
}

/**
 * The first version with compact forms and tags (KIP-482).
 *
 * Source: https://github.com/apache/kafka/blob/4.1/clients/src/main/resources/common/message/MetadataResponse.json
 */
const FLEXIBLE = 9
const WITH_TOPIC_IDS = 10
/** From here on both sides may speak of permitted operations, which nobody asks for here. */
const WITH_OPERATIONS = 8
/** From here on nothing is said of operations on the cluster. */
const WITHOUT_CLUSTER_OPERATIONS = 11
const NO_ID = '0'.repeat(32)

function encodePlain(topics: readonly string[] | 'all', version: number): Buffer {
  const writer = new WireWriter()
  if (topics === 'all') writer.int32(-1)
  else writer.array(topics, (topic) => writer.string(topic))
  writer.boolean(false)
  if (version >= WITH_OPERATIONS) writer.boolean(false).boolean(false)
  return writer.bytes()
}

function encodeFlexible(topics: readonly string[] | 'all', version: number): Buffer {
  // The leading 0 is the empty tag section at the end of the request header.
  const writer = new WireWriter().int8(0)
  writer.compactArray(topics === 'all' ? null : topics, (topic) => {
    if (version >= WITH_TOPIC_IDS) writer.int64(0).int64(0)
    writer.compactString(topic).uvarint(0)
  })
  writer.boolean(false)
  if (version < WITHOUT_CLUSTER_OPERATIONS) writer.boolean(false)
  return writer.boolean(false).uvarint(0).bytes()
}

function decodePlain(body: WireReader, version: number): ClusterMetadata {
  const brokers = body.array(() => {
    const broker = { nodeId: body.int32(), host: body.string(), port: body.int32() }
    body.nullableString()
    return broker
  })
  body.nullableString()
  const controllerId = body.int32()
  const topics = body.array(() => {
    const errorCode = body.int16()
    const topic = body.string()
    body.boolean()
    const partitions = body.array(() => {
      const head = partitionHead(body)
      const replicas = body.array(() => body.int32()).length
      body.array(() => body.int32())
      body.array(() => body.int32())
      return { ...head, replicas }
    })
    if (version >= WITH_OPERATIONS) body.int32()
    return { topic, errorCode, topicId: undefined, partitions }
  })
  return { brokers, controllerId, topics }
}

function decodeFlexible(body: WireReader, version: number): ClusterMetadata {
  const brokers = body.compactArray(() => {
    const broker = { nodeId: body.int32(), host: body.compactString(), port: body.int32() }
    body.compactString()
    body.skipTags()
    return broker
  })
  body.compactString()
  const controllerId = body.int32()
  const topics = body.compactArray(() => {
    const errorCode = body.int16()
    const topic = body.compactString()
    const topicId = version >= WITH_TOPIC_IDS ? body.uuid() : NO_ID
    body.boolean()
    const partitions = body.compactArray(() => {
      const head = partitionHead(body)
      const replicas = body.compactArray(() => body.int32()).length
      body.compactArray(() => body.int32())
      body.compactArray(() => body.int32())
      body.skipTags()
      return { ...head, replicas }
    })
    body.int32()
    body.skipTags()
    return { topic, errorCode, topicId: topicId === NO_ID ? undefined : topicId, partitions }
  })
  return { brokers, controllerId, topics }
}

function partitionHead(body: WireReader): Omit<PartitionMetadata, 'replicas'> {
  const errorCode = body.int16()
  const partition = body.int32()
  return { partition, errorCode, leader: body.int32(), leaderEpoch: body.int32() }
}
