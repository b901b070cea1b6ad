// The bridge of one cluster: checks every topic, then carries all resources side by side.

import type { ByteBudget } from '../base/byte-budget.ts'
import type { Clock } from '../base/clock.ts'
import { isAbort } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import type { Logger } from '../base/log.ts'
import { Permits } from '../base/permits.ts'
import { RecordDecoder, type EncodeRecord } from '../codec/codec.ts'
import type { SchemaStore } from '../codec/schema-source.ts'
import { resourceName, type Resource } from '../object/resource.ts'
import { policyFor } from '../policy/policies.ts'
import { scopeText } from '../record/scope.ts'
import { topicName } from '../record/topic-name.ts'
import { planTopic, unfitTopic } from '../topic/plan.ts'
import type { Compression, TopicLog, TopicReader } from '../topic/port.ts'
import type { ListWatch } from '../watch/source.ts'
import type { BridgeMetrics } from './bridge-metrics.ts'
import { assertListable } from './preflight.ts'
import type { ProgressIntervals } from './progress-writer.ts'
import { ResourceBridge } from './resource-bridge.ts'
import type { ResourceHealth } from './status.ts'
import { readTopic, type ReadTopic } from './topic-session.ts'

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
  /** undefined: never. Milliseconds. */
  readonly resyncMs: number | undefined
  /** Bytes of objects read and not yet acknowledged, over all resources. */
  readonly budget: ByteBudget
  /** @default 10 s while there are changes, 60 s otherwise */
  readonly progressIntervals?: ProgressIntervals
  readonly metrics: BridgeMetrics
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** What all objects on their way may take together. */
export const BUFFER_BYTES = 64 * 1024 * 1024

/** First lists at once: each may bring all it can until its topic holds it back. */
const MAX_FIRST_LISTS = 4

/** Topics read at once at start. */
const MAX_TOPIC_READS = 4

/**
 * A bridge from one cluster to one log.
 *
 * - Before anything is written or fenced, every topic is read and checked, and every named resource is listed once.
 * - Then each resource runs by itself: one that is refused later is degraded, the others go on.
 * - A failure that cannot be retried ends all of them, after what is on its way has been waited for.
 */
export class Bridge {
  readonly #options: BridgeOptions
  #running: readonly ResourceBridge[] = []

  constructor(options: BridgeOptions) {
    this.#options = options
  }

  /** Of every resource; empty until all topics have been checked. */
  health(): readonly ResourceHealth[] {
    return this.#running.map((resource) => resource.health())
  }

  /**
   * Resolves when the signal aborts, once everything appended is acknowledged or 10 seconds have passed.
   * @throws KubedeltaError `forbidden`, `bad-selector`, `topic-unfit`, `topic-foreign`, `scope-changed`, `partitions-changed`
   *   before it writes; `fenced` and what the topic writer throws later
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#run(signal)
    } catch (error) {
      // Stopped while it was starting: nothing was appended that anyone would wait for.
      if (!signal.aborted || !isAbort(error)) throw error
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { connection, resources } = this.#options
    await Promise.all(resources.filter(({ named }) => named).map((resource) => this.#assertListable(resource, signal)))
    await using reader = await connection.openReader({ signal })
    const reads = new Permits(MAX_TOPIC_READS)
    const firstLists = new Permits(MAX_FIRST_LISTS)
    this.#running = await Promise.all(
      resources.map(async (resource) => {
        const done = await reads.acquire(signal)
        try {
          return await this.#prepare(resource, { reader, firstLists }, signal)
        } finally {
          done()
        }
      }),
    )
    await runAll(
      signal,
      this.#running.map((resource) => (both: AbortSignal) => resource.run(both)),
    )
  }

  async #assertListable(resource: BridgedResource, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#sources(resource).map((source) => assertListable(source, signal)))
  }

  async #prepare(
    selected: BridgedResource,
    { reader, firstLists }: { readonly reader: TopicReader; readonly firstLists: Permits },
    signal: AbortSignal,
  ): Promise<ResourceBridge> {
    const { resource } = selected
    const log = this.#options.log.with({ resource: resourceName(resource) })
    const policy = policyFor(resource)
    const topic = await this.#readTopic(selected, { reader, log, policyText: policy.text }, signal)
    const encode = await this.#options.encoderFor(topic.options.topic, signal)
    const { progressIntervals = { changedMs: 10_000, quietMs: 60_000 } } = this.#options
    const sources = this.#sources(selected)
    return new ResourceBridge({
      ...this.#options,
      ...selected,
      sources,
      topic,
      policy,
      encode,
      firstLists,
      progressIntervals,
      log,
    })
  }

  async #readTopic(
    { resource, namespaces, labelSelector, fieldSelector, partitions }: BridgedResource,
    { reader, log, policyText }: { readonly reader: TopicReader; readonly log: Logger; readonly policyText: string },
    signal: AbortSignal,
  ): Promise<ReadTopic> {
    const { prefix = 'kubedelta', cluster, metrics, schemas, clock } = this.#options
    const topic = topicName({ prefix, cluster, resource })
    await this.#ensureTopic({ topic, partitions, log }, signal)
    const startedAt = clock.now()
    const read = await readTopic(
      {
        ...this.#options,
        topic,
        scope: scopeText({ resource, namespaces, labelSelector, fieldSelector }),
        policy: policyText,
        decoder: new RecordDecoder(schemas),
        onUnreadable: (reason) => metrics.unreadable.inc({ resource: resourceName(resource), reason }),
        now: () => clock.now(),
        log,
      },
      reader,
      signal,
    )
    log.info('topic read', { topic, keys: read.index.size, epoch: read.recovery.epoch, ms: clock.now() - startedAt })
    return read
  }

  async #ensureTopic(
    {
      topic,
      partitions,
      log,
    }: { readonly topic: string; readonly partitions: number | undefined; readonly log: Logger },
    signal: AbortSignal,
  ): Promise<void> {
    const { connection, replicationFactor } = this.#options
    const plan = planTopic({ topic, partitions, replicationFactor }, await connection.admin.describe(topic, signal))
    switch (plan.kind) {
      case 'missing':
        await connection.admin.create(plan.spec, signal)
        log.info('topic created', { topic, partitions: plan.spec.partitions })
        return
      case 'fit':
        for (const { what, fix } of plan.warnings) log.warn('topic could be better', { topic, what, fix })
        return
      case 'unfit':
        throw unfitTopic(topic, plan.problems)
      default:
        return plan satisfies never
    }
  }

  #sources(selected: BridgedResource): readonly ListWatch[] {
    const namespaces = selected.namespaces.length === 0 ? [undefined] : selected.namespaces
    return namespaces.map((namespace) => this.#options.createSource(selected, namespace))
  }
}
