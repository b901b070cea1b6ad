// Cuts a Kafka connection into frames and reads their headers.

/** Names of requests, as in https://kafka.apache.org/protocol#protocol_api_keys; those that a client of kubedelta may send. */
export const KAFKA_APIS = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetCommit: 8,
  OffsetFetch: 9,
  FindCoordinator: 10,
  JoinGroup: 11,
  Heartbeat: 12,
  LeaveGroup: 13,
  SyncGroup: 14,
  DescribeGroups: 15,
  ListGroups: 16,
  SaslHandshake: 17,
  ApiVersions: 18,
  CreateTopics: 19,
  DeleteTopics: 20,
  DeleteRecords: 21,
  InitProducerId: 22,
  OffsetForLeaderEpoch: 23,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
  DescribeAcls: 29,
  CreateAcls: 30,
  DeleteAcls: 31,
  DescribeConfigs: 32,
  AlterConfigs: 33,
  SaslAuthenticate: 36,
  CreatePartitions: 37,
  IncrementalAlterConfigs: 44,
  DescribeCluster: 60,
} as const

export type KafkaApi = keyof typeof KAFKA_APIS

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(KAFKA_APIS).map(([name, key]) => [key, name]))

export interface RequestHeader {
  /** A name of KAFKA_APIS, or the number of one that is not there. */
  readonly api: string
  readonly version: number
  readonly correlationId: number
}

/** Reads the header of a whole request frame. */
export function requestHeader(frame: Buffer): RequestHeader {
  const key = frame.readInt16BE(4)
  return { api: NAMES.get(key) ?? String(key), version: frame.readInt16BE(6), correlationId: frame.readInt32BE(8) }
}

/** Reads the correlation id of a whole response frame. */
export function responseCorrelationId(frame: Buffer): number {
  return frame.readInt32BE(4)
}

/** The frames of a connection, each whole, with its length in front. A frame that never ends is dropped with the connection. */
export async function* frames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let parts: Buffer[] = []
  let held = 0
  let wanted = 4
  for await (const chunk of chunks) {
    parts.push(chunk)
    held += chunk.length
    while (held >= wanted) {
      const [first] = parts
      let bytes = parts.length === 1 && first !== undefined ? first : Buffer.concat(parts)
      const length = 4 + bytes.readInt32BE(0)
      if (bytes.length >= length) {
        yield bytes.subarray(0, length)
        bytes = bytes.subarray(length)
        wanted = 4
      } else {
        wanted = length
      }
      parts = [bytes]
      held = bytes.length
    }
  }
}
