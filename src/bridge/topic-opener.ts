// Opens the topics of resources: looks, creates, reads and checks them; no record is written.

import type { Logger } from '../base/log.ts'
import { RecordDecoder, type EncodeRecord } from '../codec/codec.ts'
import { resourceName } from '../object/resource.ts'
import { policyFor } from '../policy/policies.ts'
import { scopeText } from '../record/scope.ts'
import { topicName } from '../record/topic-name.ts'
import { planTopic, topicSpec, unfitTopic } from '../topic/plan.ts'
import type { TopicReader } from '../topic/port.ts'
import type { BridgedResource, BridgeOptions } from './bridge-options.ts'
import { assertOurs, readTopic, type ReadTopic } from './topic-session.ts'

/** A resource with its topic, read and checked. */
export interface OpenedTopic {
  readonly resource: BridgedResource
  readonly topic: ReadTopic
  readonly encode: EncodeRecord
}

/** The topics of one bridge. All methods throw as `readTopic`, `topic-unfit` besides, and what the log's admin throws. */
export class TopicOpener {
  readonly #options: BridgeOptions
  readonly #reader: TopicReader

  /** @param reader stays open as long as one of the topics is used */
  constructor(options: BridgeOptions, reader: TopicReader) {
    this.#options = options
    this.#reader = reader
  }

  /** The topic, created where there is none. */
  async open(resource: BridgedResource, signal: AbortSignal): Promise<OpenedTopic> {
    return this.complete(resource, await this.readExisting(resource, signal), signal)
  }

  /** The same, for what `readExisting` has found. */
  async complete(resource: BridgedResource, found: ReadTopic | undefined, signal: AbortSignal): Promise<OpenedTopic> {
    const topic = found ?? (await this.#createAndRead(resource, signal))
    return { resource, topic, encode: await this.#options.encoderFor(topic.options.topic, signal) }
  }

  /** The topic as it is, undefined where there is none. Changes nothing. */
  async readExisting(selected: BridgedResource, signal: AbortSignal): Promise<ReadTopic | undefined> {
    const topic = this.topicOf(selected)
    const found = await this.#options.connection.admin.describe(topic, signal)
    const plan = planTopic({ topic, partitions: selected.partitions }, found)
    switch (plan.kind) {
      case 'missing':
        return undefined
      case 'fit':
        for (const { what, fix } of plan.warnings) {
          this.#logOf(selected).warn('topic could be better', { topic, what, fix })
        }
        return this.read(selected, signal)
      case 'unfit':
        throw unfitTopic(topic, plan.problems)
      default:
        return plan satisfies never
    }
  }

  /**
   * The topic of a collection that is gone, with version and kind as its records have them; undefined where it is another cluster's or
   * holds no object. Changes nothing.
   */
  async openGone(selected: BridgedResource, signal: AbortSignal): Promise<OpenedTopic | undefined> {
    const topic = await this.readExisting(selected, signal)
    const origin = topic?.recovery.origin
    if (topic === undefined || origin === undefined || topic.index.size === 0) return undefined
    // Who a topic belongs to is for its records to say, not for its name.
    if (resourceName(origin) !== resourceName(selected.resource)) return undefined
    if (assertOurs(topic).kind !== 'same-cluster') return undefined
    const { version, kind, namespace } = origin
    const resource = { ...selected.resource, version, kind, namespaced: namespace !== null }
    return this.complete({ ...selected, resource }, topic, signal)
  }

  /** The topic from its beginning. */
  async read(selected: BridgedResource, signal: AbortSignal): Promise<ReadTopic> {
    const { metrics, schemas, clock, election } = this.#options
    const { resource } = selected
    const topic = this.topicOf(selected)
    const log = this.#logOf(selected)
    const startedAt = clock.now()
    const read = await readTopic(
      {
        ...this.#options,
        topic,
        scope: scopeText(selected),
        policy: policyFor(resource).text,
        decoder: new RecordDecoder(schemas),
        onUnreadable: (reason) => metrics.unreadable.inc({ resource: resourceName(resource), reason }),
        ...(election === undefined ? {} : { elected: { gate: election.gate, leaseMs: election.timing.leaseMs } }),
        log,
      },
      this.#reader,
      signal,
    )
    log.info('topic read', { topic, keys: read.index.size, epoch: read.recovery.epoch, ms: clock.now() - startedAt })
    return read
  }

  topicOf({ resource }: BridgedResource): string {
    const { prefix = 'kubedelta', cluster } = this.#options
    return topicName({ prefix, cluster, resource })
  }

  async #createAndRead(selected: BridgedResource, signal: AbortSignal): Promise<ReadTopic> {
    const { replicationFactor, connection } = this.#options
    const spec = topicSpec({ topic: this.topicOf(selected), partitions: selected.partitions, replicationFactor })
    await connection.admin.create(spec, signal)
    this.#logOf(selected).info('topic created', { topic: spec.topic, partitions: spec.partitions })
    return this.read(selected, signal)
  }

  #logOf({ resource }: BridgedResource): Logger {
    return this.#options.log.with({ resource: resourceName(resource) })
  }
}
