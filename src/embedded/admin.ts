// Lists, describes and creates the topics of a directory.

import { KubedeltaError } from '../base/errors.ts'
import type { TopicAdmin, TopicDescription, TopicSpec } from '../topic/port.ts'
import { sqliteError } from './sqlite.ts'
import { createTopicDatabase, missingTopic } from './topic-database.ts'
import { createTopicDirectory, fileBirth, fileIdentity, isTopicName, listTopics, topicFiles } from './topic-files.ts'
import { TopicView } from './topic-view.ts'

/** Every call answers from the files, and leaves nothing open. */
export class EmbeddedAdmin implements TopicAdmin {
  readonly #root: string

  /** @param root the log's directory; it need not exist */
  constructor(root: string) {
    this.#root = root
  }

  async list(): Promise<readonly string[]> {
    return listTopics(this.#root)
  }

  async describe(topic: string): Promise<TopicDescription | undefined> {
    const files = topicFiles(this.#root, topic)
    if (!isTopicName(topic) || fileIdentity(files.database) === undefined) return undefined
    const topicId = fileBirth(files.database)
    using view = new TopicView(files)
    return {
      topic,
      partitions: view.partitions,
      replicationFactor: 1,
      ...(topicId === undefined ? {} : { topicId }),
      replicated: false,
      config: view.config,
    }
  }

  async create(spec: TopicSpec): Promise<'created' | 'exists'> {
    const { topic } = spec
    if (!isTopicName(topic)) {
      throw new KubedeltaError(
        'rejected',
        `Cannot create topic ${JSON.stringify(topic)} in a directory: wanted at most 249 letters, digits, '.', '_' and '-', and no dot in front`,
      )
    }
    if (spec.replicationFactor > 1) {
      throw new KubedeltaError(
        'usage',
        `Cannot create topic ${topic} in a directory: wanted a replication factor of 1: current value is ${spec.replicationFactor}: a directory keeps one copy`,
      )
    }
    try {
      return createTopicDirectory(this.#root, topic, (files) => createTopicDatabase(files, spec))
    } catch (error) {
      throw sqliteError(error, { action: `create topic ${topic}`, path: this.#root })
    }
  }

  async offsets(topic: string, at: 'earliest' | 'latest'): Promise<ReadonlyMap<number, number>> {
    const files = topicFiles(this.#root, topic)
    if (!isTopicName(topic)) throw missingTopic(`read the offsets of topic ${topic}`, topic)
    using view = new TopicView(files)
    const offsetOf = (partition: number): number => (at === 'earliest' ? 0 : view.end(partition))
    return new Map(Array.from({ length: view.partitions }, (_, partition) => [partition, offsetOf(partition)]))
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
