// The bridge of one cluster: checks every topic, then carries all resources side by side.

import type { ByteBudget, Bytes } from '../base/byte-budget.ts'
import type { Clock } from '../base/clock.ts'
import { hasCode, isAbort } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import type { Logger } from '../base/log.ts'
import { Permits } from '../base/permits.ts'
import { RecordDecoder, type EncodeRecord } from '../codec/codec.ts'
import type { SchemaStore } from '../codec/schema-source.ts'
import { resourceName, type Resource } from '../object/resource.ts'
import { policyFor } from '../policy/policies.ts'
import { scopeText } from '../record/scope.ts'
import { topicName } from '../record/topic-name.ts'
import { planTopic, topicSpec, unfitTopic } from '../topic/plan.ts'
import type { Compression, TopicLog, TopicReader } from '../topic/port.ts'
import type { ListWatch } from '../watch/source.ts'
import type { BridgeMetrics } from './bridge-metrics.ts'
import { underElection, type LeaderElection } from './leader-election.ts'
import { assertListable } from './preflight.ts'
import type { ProgressIntervals } from './progress-writer.ts'
import { ResourceBridge } from './resource-bridge.ts'
import { standBy } from './standby.ts'
import type { CandidateStatus, ResourceHealth } from './status.ts'
import { takeLeads, type TakenTopic } from './take-leads.ts'
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
  /** Decides when this bridge may write; absent where it is the only one. */
  readonly election?: LeaderElection
  /** Whether a later update of an object may replace one that waits for the broker. @default true */
  readonly coalesce?: boolean
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

/** A resource with its topic, read and checked. */
interface OpenedTopic {
  readonly resource: BridgedResource
  readonly topic: ReadTopic
  readonly encode: EncodeRecord
}

/** What all objects on their way may take together. */
export const BUFFER_BYTES = 64 * 1024 * 1024

/** First lists at once: each may bring all it can until its topic holds it back. */
const MAX_FIRST_LISTS = 4

/** Topics checked and read at once at start. */
const MAX_TOPIC_READS = 4

/**
 * A bridge from one cluster to one log.
 *
 * - Before anything is written or fenced, every topic is read and checked, and every named resource is listed once.
 * - With an election it then stands by, its indexes kept in step with the topics, until it leads.
 * - Every topic is fenced before anything is published.
 * - Then each resource runs by itself: one that is refused later is degraded, the others go on.
 * - A failure that cannot be retried ends all of them, after what is on its way has been waited for.
 */
export class Bridge {
  readonly #options: BridgeOptions
  #running: readonly ResourceBridge[] = []
  /** Every topic was read to its end. */
  #hasRead = false

  constructor(options: BridgeOptions) {
    this.#options = options
  }

  /** Of every resource; empty until all topics are fenced. */
  health(): readonly ResourceHealth[] {
    return this.#running.map((resource) => resource.health())
  }

  /** Where it stands in its election; undefined where there is none. */
  candidate(): CandidateStatus | undefined {
    const status = this.#options.election?.status()
    return this.#hasRead || status === undefined ? status : { ...status, role: 'starting' }
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
      // Here and not where an append fails: all that are under way fail together, and a progress record may be the only one.
      if (hasCode(error, 'fenced')) this.#options.metrics.fenced.inc({})
      // Stopped while it was starting: nothing was appended that anyone would wait for.
      if (!signal.aborted || !isAbort(error)) throw error
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { connection, resources, election } = this.#options
    await Promise.all(resources.filter(({ named }) => named).map((resource) => this.#assertListable(resource, signal)))
    await using reader = await connection.openReader({ signal })
    // What is refused is found in topics that are there: before any other is created, or a schema registered.
    const found = await this.#forEach((resource, both) => this.#readExisting(resource, reader, both), signal)
    const opened = await this.#forEach(async (resource, both, n) => {
      const topic = found[n] ?? (await this.#createAndRead(resource, reader, both))
      return { resource, topic, encode: await this.#options.encoderFor(topic.options.topic, both) }
    }, signal)
    this.#hasRead = true
    const readAgain = ({ resource }: OpenedTopic, both: AbortSignal): Promise<ReadTopic> =>
      this.#read(resource, reader, both)
    // Awaited here: the reader is theirs until they end.
    if (election === undefined) {
      await this.#lead(opened, signal)
    } else {
      const work = async (both: AbortSignal): Promise<void> =>
        this.#lead(await standBy(opened, { election, readAgain }, both), both)
      await underElection(election, work, signal)
    }
  }

  /** Fences all topics, then runs until one of them fails or the signal aborts. */
  async #lead(opened: readonly OpenedTopic[], signal: AbortSignal): Promise<void> {
    const { budget, election } = this.#options
    await using leads = await takeLeads(opened, { inTurn: election === undefined }, signal)
    // What one topic holds back does not hold back the others.
    using shares = new DisposableStack()
    const firstLists = new Permits(MAX_FIRST_LISTS)
    this.#running = leads.taken.map((taken) => this.#resourceBridge(taken, firstLists, shares.use(budget.share())))
    await runAll(
      signal,
      this.#running.map((resource) => (both: AbortSignal) => resource.run(both)),
    )
  }

  async #assertListable(resource: BridgedResource, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#sources(resource).map((source) => assertListable(source, signal)))
  }

  /** For each resource, a few at once; where one fails the others end before that is thrown. */
  async #forEach<T>(
    run: (resource: BridgedResource, signal: AbortSignal, n: number) => Promise<T>,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    const permits = new Permits(MAX_TOPIC_READS)
    const results: T[] = []
    await runAll(
      signal,
      this.#options.resources.map((resource, n) => async (both: AbortSignal) => {
        const done = await permits.acquire(both)
        try {
          results[n] = await run(resource, both, n)
        } finally {
          done()
        }
      }),
    )
    signal.throwIfAborted()
    return results
  }

  #resourceBridge(taken: TakenTopic<OpenedTopic>, firstLists: Permits, budget: Bytes): ResourceBridge {
    const { resource: selected, topic, encode, leadership } = taken
    const { progressIntervals = { changedMs: 10_000, quietMs: 60_000 }, coalesce = true } = this.#options
    return new ResourceBridge({
      ...this.#options,
      ...selected,
      sources: this.#sources(selected),
      topic,
      leadership,
      policy: policyFor(selected.resource),
      encode,
      firstLists,
      budget,
      coalesce,
      progressIntervals,
      log: this.#logOf(selected),
    })
  }

  /** The topic as it is, undefined where there is none. Changes nothing. */
  async #readExisting(
    selected: BridgedResource,
    reader: TopicReader,
    signal: AbortSignal,
  ): Promise<ReadTopic | undefined> {
    const { connection } = this.#options
    const topic = this.#topicOf(selected)
    const plan = planTopic({ topic, partitions: selected.partitions }, await connection.admin.describe(topic, signal))
    switch (plan.kind) {
      case 'missing':
        return undefined
      case 'fit':
        for (const { what, fix } of plan.warnings) {
          this.#logOf(selected).warn('topic could be better', { topic, what, fix })
        }
        return this.#read(selected, reader, signal)
      case 'unfit':
        throw unfitTopic(topic, plan.problems)
      default:
        return plan satisfies never
    }
  }

  async #createAndRead(selected: BridgedResource, reader: TopicReader, signal: AbortSignal): Promise<ReadTopic> {
    const { replicationFactor, connection } = this.#options
    const spec = topicSpec({ topic: this.#topicOf(selected), partitions: selected.partitions, replicationFactor })
    await connection.admin.create(spec, signal)
    this.#logOf(selected).info('topic created', { topic: spec.topic, partitions: spec.partitions })
    return this.#read(selected, reader, signal)
  }

  async #read(selected: BridgedResource, reader: TopicReader, signal: AbortSignal): Promise<ReadTopic> {
    const { metrics, schemas, clock, election } = this.#options
    const { resource } = selected
    const topic = this.#topicOf(selected)
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
      reader,
      signal,
    )
    log.info('topic read', { topic, keys: read.index.size, epoch: read.recovery.epoch, ms: clock.now() - startedAt })
    return read
  }

  #topicOf({ resource }: BridgedResource): string {
    const { prefix = 'kubedelta', cluster } = this.#options
    return topicName({ prefix, cluster, resource })
  }

  #logOf({ resource }: BridgedResource): Logger {
    return this.#options.log.with({ resource: resourceName(resource) })
  }

  #sources(selected: BridgedResource): readonly ListWatch[] {
    const namespaces = selected.namespaces.length === 0 ? [undefined] : selected.namespaces
    return namespaces.map((namespace) => this.#options.createSource(selected, namespace))
  }
}
