// What a bridge is told: which resources to carry, from where to where, and how.

import type { ByteBudget } from '../base/byte-budget.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { EncodeRecord } from '../codec/codec.ts'
import type { SchemaStore } from '../codec/schema-source.ts'
import type { Resource } from '../object/resource.ts'
import type { Compression, TopicLog } from '../topic/port.ts'
import type { ListWatch } from '../watch/source.ts'
import type { BridgeMetrics } from './bridge-metrics.ts'
import type { LeaderElection } from './leader-election.ts'
import type { ProgressIntervals } from './progress-writer.ts'

/** One resource to bridge, and what of it. */
export interface BridgedResource {
  readonly resource: Resource
  /** Empty: all. */
  readonly namespaces: readonly string[]
  readonly labelSelector: string
  readonly fieldSelector: string
  /** Of its topic; undefined: 1 when it is created, any number that it has. */
  readonly partitions: number | undefined
  /** Asked for by name, not by '*': a refusal at start ends the run. */
  readonly named: boolean
}

/** What a bridge is to carry, by what the cluster serves now. */
export interface Selection {
  readonly resources: readonly BridgedResource[]
  /** Groups that could not be reached, so that nothing can be said about what they serve. Sorted. */
  readonly unreachableGroups: readonly string[]
  /** Whether a collection is served as it stands here: in this version and scope. */
  serves(resource: Resource): boolean
  /**
   * Given the name of a collection in topics: how it would be carried, where it is certain that the cluster does not serve it, and it
   * would be carried if it were. Version and kind are for its records to say.
   */
  ifGone(name: string): BridgedResource | undefined
}

export interface BridgeOptions {
  readonly connection: TopicLog
  readonly resources: readonly BridgedResource[]
  /** The source of one resource in one namespace, or in all. */
  readonly createSource: (resource: BridgedResource, namespace: string | undefined) => ListWatch
  readonly cluster: string
  readonly clusterId: string
  /** @default 'kubedelta' */
  readonly prefix?: string
  /** Who leads, for people: host and process. */
  readonly holder: string
  readonly adoptTopic: boolean
  readonly applyScopeChange: boolean
  readonly replicationFactor: number
  readonly compression: Compression
  /** The encoder of values for one topic. */
  readonly encoderFor: (topic: string, signal: AbortSignal) => Promise<EncodeRecord>
  /** Writer schemas of the values written: fingerprint -> text. */
  readonly writtenSchemas: Readonly<Record<string, string>>
  readonly schemas: SchemaStore
  readonly fetchSchema?: (id: number, signal: AbortSignal) => Promise<void>
  /** What is to be carried as that changes, `resources` first; its iteration ends by the signal's reason. Absent: it never changes. */
  readonly selections?: (signal: AbortSignal) => AsyncIterable<Selection>
  /** Decides when this bridge may write; absent where it is the only one. */
  readonly election?: LeaderElection
  /** Whether a later update of an object may replace one that waits for the broker. @default true */
  readonly coalesce?: boolean
  /** undefined: never. Milliseconds. */
  readonly resyncMs: number | undefined
  /** How long a throttled question whether a resource may be listed is repeated at the start. Milliseconds. @default 30_000 */
  readonly startupTimeoutMs?: number
  /** How long a resourceVersion that the cluster has not reached is asked for again, before a consistent list is. @default 60_000 */
  readonly tooLargeRetryMs?: number
  /** Bytes of objects read and not yet acknowledged, over all resources. */
  readonly budget: ByteBudget
  /** @default 10 s while there are changes, 60 s otherwise */
  readonly progressIntervals?: ProgressIntervals
  /** A digest record of each partition this often; 0: never. Milliseconds. @default 600_000 */
  readonly digestIntervalMs?: number
  readonly metrics: BridgeMetrics
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}
