// Names the requests this adapter speaks, with the one range of versions each is written for.

import type { WireReader } from '../wire.ts'

/** A request of Kafka's protocol and the versions of it that are spoken here. */
export interface Api {
  readonly key: number
  readonly name: string
  readonly lowest: number
  readonly highest: number
}

/**
 * All of them stay below the flexible versions, except InitProducerId, whose version 3 brought the conditional form
 * (KIP-360), and Metadata, whose version 10 brought topic ids (KIP-516, Kafka 2.8). Together they ask for Kafka 2.5 or later.
 */
export const APIS = {
  produce: { key: 0, name: 'Produce', lowest: 8, highest: 8 },
  fetch: { key: 1, name: 'Fetch', lowest: 11, highest: 11 },
  listOffsets: { key: 2, name: 'ListOffsets', lowest: 3, highest: 3 },
  metadata: { key: 3, name: 'Metadata', lowest: 7, highest: 12 },
  findCoordinator: { key: 10, name: 'FindCoordinator', lowest: 2, highest: 2 },
  createTopics: { key: 19, name: 'CreateTopics', lowest: 4, highest: 4 },
  offsetForLeaderEpoch: { key: 23, name: 'OffsetForLeaderEpoch', lowest: 3, highest: 3 },
  initProducerId: { key: 22, name: 'InitProducerId', lowest: 3, highest: 4 },
  describeConfigs: { key: 32, name: 'DescribeConfigs', lowest: 2, highest: 2 },
} as const satisfies Readonly<Record<string, Api>>

/** One request, ready to be sent to a broker. */
export interface KafkaRequest<T> {
  readonly api: Api
  /** The body after the request header. `version` is the highest that both sides speak. */
  encode(version: number): Buffer
  decode(body: WireReader, version: number): Answered<T>
}

export interface Answered<T> {
  /** How long the broker asks this client to hold back (KIP-219). */
  readonly throttleMs: number
  readonly value: T
}
