// Lists, describes and creates topics; never alters one.

import type { Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { TopicAdmin, TopicDescription, TopicSpec } from '../topic/port.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, ERROR, refused } from './error-codes.ts'
import { createTopicRequest } from './protocol/create-topics.ts'
import { describeTopicConfigRequest } from './protocol/describe-configs.ts'
import { listOffsetsRequest } from './protocol/list-offsets.ts'
import { retrying } from '../base/retry.ts'

export interface KafkaAdminOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  /** How long a question is repeated while no broker answers it. */
  readonly operationTimeoutMs: number
  /** Told when that takes long. */
  readonly log: Logger
}

/** Every call retries what may pass within `operationTimeoutMs` and then fails with the last reason. */
export class KafkaAdmin implements TopicAdmin {
  readonly #cluster: Cluster
  readonly #options: KafkaAdminOptions

  constructor(options: KafkaAdminOptions) {
    this.#cluster = options.cluster
    this.#options = options
  }

  async list(signal: AbortSignal): Promise<readonly string[]> {
    return this.#retrying('list topics', signal, async () => {
      const { topics } = await this.#cluster.metadata('all')
      return topics.map(({ topic }) => topic)
    })
  }

  async describe(topic: string, signal: AbortSignal): Promise<TopicDescription | undefined> {
    return this.#retrying(`describe topic ${topic}`, signal, async () => {
      try {
        const metadata = await this.#cluster.refresh(topic)
        const config = await this.#config(topic)
        const replicationFactor = Math.min(...metadata.partitions.map(({ replicas }) => replicas))
        const { topicId } = metadata
        const description = { topic, partitions: metadata.partitions.length, replicationFactor, config }
        return topicId === undefined ? description : { ...description, topicId }
      } catch (error) {
        if (error instanceof KubedeltaError && error.code === 'topic-missing') return undefined
        throw error
      }
    })
  }

  async create(spec: TopicSpec, signal: AbortSignal): Promise<'created' | 'exists'> {
    const created = await this.#retrying(`create topic ${spec.topic}`, signal, async () => {
      const { errorCode, message } = await this.#cluster.sendController(createTopicRequest(spec, CREATE_TIMEOUT_MS))
      if (errorCode === ERROR.none) return 'created' as const
      if (errorCode === ERROR.topicAlreadyExists) return 'exists' as const
      throw refused(`create topic ${spec.topic}`, errorCode, {
        message,
        permission: `Create on topic ${spec.topic}`,
        fields: { topic: spec.topic },
      })
    })
    await this.#standing(spec.topic, signal)
    return created
  }

  async offsets(topic: string, at: 'earliest' | 'latest', signal: AbortSignal): Promise<ReadonlyMap<number, number>> {
    return this.#retrying(`read the offsets of topic ${topic}`, signal, async () => {
      const metadata = await this.#cluster.refresh(topic)
      const byLeader = Map.groupBy(metadata.partitions, ({ leader }) => leader)
      const answers = await Promise.all(
        [...byLeader].map(async ([leader, partitions]) => {
          const wanted = partitions.map(({ partition }) => partition)
          return this.#cluster.send(leader, listOffsetsRequest(topic, wanted, at))
        }),
      )
      const offsets = new Map<number, number>()
      for (const { partition, errorCode, offset } of answers.flat()) {
        if (errorCode !== ERROR.none) {
          throw refused(`read the offsets of topic ${topic}`, errorCode, { fields: { topic, partition } })
        }
        offsets.set(partition, offset)
      }
      return offsets
    })
  }

  /** The connections belong to the log that made this. */
  async [Symbol.asyncDispose](): Promise<void> {}

  async #config(topic: string): Promise<ReadonlyMap<string, string>> {
    const { errorCode, message, config } = await this.#cluster.sendAny(describeTopicConfigRequest(topic))
    if (errorCode === ERROR.none) return config
    throw refused(`read the configuration of topic ${topic}`, errorCode, {
      message,
      permission: `DescribeConfigs on topic ${topic}`,
      fields: { topic },
    })
  }

  /** A created topic reaches the brokers' metadata a little later; until then who asks is told that it is missing. */
  async #standing(topic: string, signal: AbortSignal): Promise<void> {
    await this.#retrying(`see topic ${topic}`, signal, async () => {
      const { topics } = await this.#cluster.metadata([topic])
      const found = topics.find((each) => each.topic === topic)
      if (found !== undefined && brokerError(found.errorCode).code === 'forbidden') return
      const stands = found?.errorCode === ERROR.none && found.partitions.every(({ leader }) => leader >= 0)
      if (!stands)
        throw new KubedeltaError('unreachable', `Cannot see topic ${topic}: its partitions have no leaders yet`)
    })
  }

  async #retrying<T>(action: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const { clock, operationTimeoutMs, log } = this.#options
    return retrying(attempt, { action, clock, signal, timeoutMs: operationTimeoutMs, log })
  }
}

const CREATE_TIMEOUT_MS = 10_000
