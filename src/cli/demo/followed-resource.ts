// One resource of the demo: the cluster's objects, the topic's records and the cache's content side by side.

import { runAll } from '../../base/lifecycle.ts'
import type { Clock } from '../../base/clock.ts'
import { topicCache, type TopicCache } from '../../consumer/topic-cache.ts'
import type { KubeRecord } from '../../record/record.ts'
import type { SimulatedCluster } from '../../testing/index.ts'
import type { TopicLog } from '../../topic/port.ts'
import { RecordTally } from './record-tally.ts'
import { statesOf, type States } from '../compare-states.ts'
import { differenceOf, type Difference } from './states.ts'

/** The name by which a log in a directory knows its cluster. */
const CLUSTER = 'kubernetes'

/** How often it is looked whether the bridge has made the topic. */
const LOOK_AGAIN_MS = 100

export interface FollowedResourceOptions {
  /** `pods`, `deployments.apps` */
  readonly resource: string
  readonly cluster: SimulatedCluster
  readonly connection: TopicLog
  readonly clock: Clock
  readonly onRecord: (resource: string, record: KubeRecord, key: string) => void
}

/** A resource that is followed from the cluster to the cache. */
export class FollowedResource {
  readonly resource: string
  readonly tally: RecordTally
  readonly #options: FollowedResourceOptions
  readonly #cache: TopicCache<unknown>

  constructor(options: FollowedResourceOptions) {
    const { resource, connection, clock, onRecord } = options
    this.resource = resource
    this.#options = options
    this.#cache = topicCache<unknown>({ from: connection, cluster: CLUSTER, resource, clock })
    this.tally = new RecordTally({
      topic: this.#cache.topic,
      connection,
      onRecord: (record, key) => onRecord(resource, record, key),
    })
  }

  /** Waits for the topic, then feeds the cache and counts the records until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { connection, clock } = this.#options
    while ((await connection.admin.describe(this.#cache.topic, signal)) === undefined) {
      await clock.sleep(LOOK_AGAIN_MS, signal)
    }
    await runAll(signal, [(both) => this.#cache.run(both), (both) => this.tally.run(both)])
  }

  /** What the cluster holds now. */
  clusterStates(): States {
    return statesOf(this.#options.cluster.objects(this.resource))
  }

  /** What the cache holds now. */
  cacheStates(): States {
    return statesOf(this.#cache.list())
  }

  /** Where cluster and cache differ now. */
  difference(): Difference {
    return differenceOf(this.clusterStates(), this.cacheStates())
  }

  /** Resolves once everything that stands on the topic is in the cache; for when nobody writes. */
  async readToEnd(signal: AbortSignal): Promise<void> {
    const { connection, clock } = this.#options
    const end = (await connection.admin.offsets(this.#cache.topic, 'latest', signal)).get(0) ?? 0
    while (this.tally.position < end || this.#cache.status().offsets.done < end) {
      await clock.sleep(LOOK_AGAIN_MS, signal)
    }
  }
}
