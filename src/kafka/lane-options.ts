// What one partition's lane is given.

import type { Clock } from '../base/clock.ts'
import type { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Compression } from '../topic/port.ts'
import type { Cluster } from './cluster.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'

export interface LaneOptions {
  readonly topic: string
  readonly partition: number
  readonly compression: Compression
  /** The topic's max.message.bytes. */
  readonly maxBatchBytes: number
  /** The partition's end when the writer was opened. */
  readonly endOffset: number
  /** Sequence number of the first batch. */
  readonly firstSequence: number
  readonly identity: ProducerIdentity
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Logger
  /** How long the broker waits for its replicas. */
  readonly replicationTimeoutMs: number
  /** How long the topic may be unknown to the brokers before the writer gives up. */
  readonly missingTopicGraceMs: number
  /** What was sent longer ago than this is not sent again before the identity is taken anew. */
  readonly renewalIntervalMs: number
  /** Aborts when the writer is disposed or has failed. */
  readonly signal: AbortSignal
  /** Only a new producer epoch helps this lane. */
  readonly onReopen: () => void
  /** Nothing helps this lane. */
  readonly onFailure: (error: KubedeltaError) => void
}
