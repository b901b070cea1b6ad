// Keeps a cache equal to a topic: reads it without a group, from its start, and follows it.

import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { CacheWriter } from '../cache/writer.ts'
import { compareResourceVersions, isComparable } from '../object/resource-version.ts'
import { fromHeaders, isReservedKey, type Control } from '../record/control.ts'
import { partitionOf } from '../topic/partition.ts'
import type { ReadBatch, StoredRecord, TopicAdmin, TopicLog } from '../topic/port.ts'
import { checkControl } from './check-control.ts'
import type { DegradedReason } from './degraded-keys.ts'
import { Intake } from './intake.ts'
import { beginReading, resourceVersionOf, STATES, stepReading } from './reading.ts'
import type { Reading, ReadingInput, ReplicaState } from './reading.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'
import { ReplicaSchemas, type FetchSchema } from './replica-schemas.ts'
import { replicaStatus, type ReplicaStatus } from './replica-status.ts'
import { Waiters } from './waiters.ts'

export interface ReplicaOptions<T> {
  readonly topic: string
  /** `deployments.apps`: what the topic has to hold. */
  readonly resource: string
  readonly writer: CacheWriter<T>
  readonly transform: ((object: T) => T) | undefined
  /** Only these keys, read from their partitions alone; undefined: all. */
  readonly keys: ReadonlySet<string> | undefined
  /** undefined where there is no schema registry. */
  readonly fetchSchema: FetchSchema | undefined
  readonly metrics: ReplicaMetrics
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/** Why a topic is read again from its start. */
export type RebuildReason = 'new-stream' | 'offset-out-of-range' | 'topic-missing' | 'unreachable'

/**
 * A cache fed by a topic.
 *
 * - A pure function of the log: for each key the last record in the order of its partition wins, whatever its epoch or
 *   resourceVersion.
 * - Nothing is visible before everything is: the first content is swapped in at once, then the changes come in order.
 * - A topic that was truncated or created anew is read again from its start; what was visible stays so until the new content is
 *   complete, and what is gone then is deleted.
 * - A handler without room holds the reading back.
 */
export class Replica<T> {
  readonly #options: ReplicaOptions<T>
  readonly #schemas: ReplicaSchemas
  readonly #waiters = new Waiters()
  /** undefined before the topic was found. */
  #attempt: Attempt<T> | undefined
  /** Whether a content counts that no progress record vouches for: only if somebody asked for that, and until one was vouched for. */
  #vouching: 'required' | 'waived' | 'given' = 'required'

  constructor(options: ReplicaOptions<T>) {
    this.#options = options
    this.#schemas = new ReplicaSchemas(options)
  }

  status(): ReplicaStatus {
    const status = replicaStatus(this.#attempt?.reading)
    // Whoever sees Live also sees the content, which comes a moment behind the record that completes it.
    return status.state === 'Live' && !this.#isVisible() ? { ...status, state: 'CatchingUp' } : status
  }

  /** Key -> why it is not at its last state. */
  degraded(): ReadonlyMap<string, DegradedReason> {
    return this.#attempt?.intake.degraded.reasons() ?? new Map()
  }

  /** Resolves once the state is this one or a later one. @throws the signal's reason; what ended the replica */
  whenState(state: ReplicaState, signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => STATES.indexOf(this.status().state) >= STATES.indexOf(state), signal)
  }

  /**
   * Resolves once the content is visible, whether the bridge vouched for it or not.
   * @throws the signal's reason; what ended the replica
   */
  async whenVisible(signal: AbortSignal): Promise<void> {
    if (this.#vouching === 'required') this.#vouching = 'waived'
    await this.#swapWhenComplete(signal)
    await this.#waiters.until(() => this.#isVisible(), signal)
  }

  /**
   * Resolves once everything up to this resourceVersion is visible.
   * @throws RangeError for one that cannot be compared; the signal's reason; what ended the replica
   */
  async waitForResourceVersion(resourceVersion: string, signal: AbortSignal): Promise<void> {
    if (!isComparable(resourceVersion)) {
      throw new RangeError(
        `Cannot wait for a resourceVersion: wanted digits without a leading zero: current value is ${JSON.stringify(resourceVersion)}`,
      )
    }
    await this.#waiters.until(() => {
      const reached = this.#attempt && resourceVersionOf(this.#attempt.reading)
      if (reached === undefined || !this.#isVisible()) return false
      return (compareResourceVersions(reached, resourceVersion) ?? -1) >= 0
    }, signal)
  }

  /**
   * Follows the topic until the signal aborts.
   * @throws KubedeltaError `topic-missing` when it is not there at the start; `topic-foreign`, `partitions-changed`, and what reading
   *   throws for good
   */
  async follow(connection: TopicLog, signal: AbortSignal): Promise<void> {
    const { topic, resource, metrics, clock, random, log } = this.#options
    const backoff = new Backoff(clock, random)
    try {
      for (;;) {
        const reason = await this.#readFromStart(connection, signal)
        if (reason === undefined) return
        metrics.rebuilds.inc({ resource, reason })
        log.warn('reading the topic again from its start', { topic, reason })
        // A new stream needs no patience: it is there, and each one is met once.
        if (reason !== 'new-stream') await clock.sleep(backoff.delay(), signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Nobody feeds it any more: who still waits, or waits later for what has not come, gets this error. */
  end(error: unknown): void {
    this.#waiters.end(error)
  }

  /** Resolves to undefined when the signal aborted. */
  async #readFromStart(connection: TopicLog, signal: AbortSignal): Promise<RebuildReason | undefined> {
    const { topic } = this.#options
    try {
      const { attempt, from } = await this.#begin(connection, signal)
      await using reader = await connection.openReader({ signal })
      await this.#swapWhenComplete(signal)
      for await (const batch of reader.read({ topic, from, signal })) {
        if ((await this.#takeBatch(attempt, batch, signal)) === 'new-stream') return 'new-stream'
        await this.#swapWhenComplete(signal)
      }
      return undefined
    } catch (error) {
      if (signal.aborted) return undefined
      const reason = this.#rebuildReason(error)
      if (reason === undefined) throw error
      this.#options.log.warn('reading the topic ended', { topic, error })
      return reason
    }
  }

  #rebuildReason(error: unknown): RebuildReason | undefined {
    if (hasCode(error, 'offset-out-of-range')) return 'offset-out-of-range'
    // At the start these are for whoever started it; once there was a topic, it may come back.
    if (this.#attempt === undefined) return undefined
    if (hasCode(error, 'topic-missing')) return 'topic-missing'
    return error instanceof KubedeltaError && error.retriable ? 'unreachable' : undefined
  }

  /** Looks where the topic begins and ends now: the end is what has to be reached. */
  async #begin(
    { admin }: TopicLog,
    signal: AbortSignal,
  ): Promise<{ readonly attempt: Attempt<T>; readonly from: ReadonlyMap<number, number> }> {
    const { topic, keys, log } = this.#options
    const earliest = await earliestOffsets(admin, topic, signal)
    const until = await admin.offsets(topic, 'latest', signal)
    const partitionCount = earliest.size
    const wanted = keys && new Set([...keys].map((key) => partitionOf(Buffer.from(key), partitionCount)))
    const from = new Map([...earliest].filter(([partition]) => wanted?.has(partition) ?? true))
    const intake = new Intake({ ...this.#options, schemas: this.#schemas, partitionCount, signal })
    const attempt = { intake, reading: beginReading({ from, until, partitionCount }) }
    this.#attempt = attempt
    log.info('cache recovers from its topic', { topic, partitions: from.size, offsets: this.status().offsets.toDo })
    this.#publish()
    return { attempt, from }
  }

  async #takeBatch(attempt: Attempt<T>, batch: ReadBatch, signal: AbortSignal): Promise<'go-on' | 'new-stream'> {
    const { partition, records, nextOffset, endOffset } = batch
    for (const stored of records) {
      const key = stored.key.toString()
      if (isReservedKey(key)) {
        if ((await this.#takeControl(attempt, key, stored)) === 'new-stream') return 'new-stream'
      } else {
        const room = attempt.intake.take(key, stored)
        if (room !== undefined) await room
      }
    }
    signal.throwIfAborted()
    this.#step(attempt, { kind: 'moved', partition, position: nextOffset, end: endOffset })
    this.#publish()
    return 'go-on'
  }

  async #takeControl(attempt: Attempt<T>, key: string, stored: StoredRecord): Promise<'go-on' | 'new-stream'> {
    const { topic, resource, writer } = this.#options
    const { intake } = attempt
    const { partition, offset } = stored
    const control = readControl(intake, key, stored)
    if (control === undefined) return 'go-on'
    const before = resourceVersionOf(attempt.reading)
    if (this.#step(attempt, { kind: 'control', partition, offset, control }) === 'new-stream') return 'new-stream'
    const { reading } = attempt
    // Any other stream is history, or an old leader's late word.
    if (reading.control?.streamId === control.streamId) {
      checkControl(control, { topic, resource, partitions: reading.partitionCount })
    }
    intake.noteEpoch(partition, control.epoch)
    if (this.#schemas.learn(control.schemas)) await intake.retry()
    const after = resourceVersionOf(reading)
    if (after !== undefined && after !== before && intake.isVisible) writer.bookmark(after)
    return 'go-on'
  }

  #step(attempt: Attempt<T>, input: ReadingInput): 'go-on' | 'new-stream' {
    const before = attempt.reading.state
    const step = stepReading(attempt.reading, input)
    if (step.kind === 'new-stream') return step.kind
    attempt.reading = step.reading
    if (step.reading.state !== before) this.#note(step.reading.state)
    return 'go-on'
  }

  #note(state: ReplicaState): void {
    const { log, topic } = this.#options
    switch (state) {
      case 'Recovering':
        return
      case 'CatchingUp':
        return log.info('cache has read its topic and waits for the progress of the bridge', { topic })
      case 'Live':
        this.#vouching = 'given'
        return log.info('cache is live', { topic })
      default:
        state satisfies never
    }
  }

  #publish(): void {
    const { metrics, resource } = this.#options
    const { offsets, asOf } = this.status()
    metrics.lag.set({ resource }, offsets.toDo)
    metrics.degradedKeys.set({ resource }, this.#attempt?.intake.degraded.size ?? 0)
    if (asOf !== undefined) metrics.asOf.set({ resource }, asOf / 1_000)
    this.#waiters.check()
  }

  #isVisible(): boolean {
    return this.#attempt?.intake.isVisible === true
  }

  async #swapWhenComplete(signal: AbortSignal): Promise<void> {
    if (this.#attempt === undefined || this.#attempt.intake.isVisible) return
    const { intake, reading } = this.#attempt
    const isComplete = reading.state === 'Live' || (reading.state === 'CatchingUp' && this.#vouching === 'waived')
    if (!isComplete) return
    const room = intake.swap(resourceVersionOf(reading) ?? '', signal)
    this.#waiters.check()
    await room
  }
}

/** One reading of the topic from its start, and the content it builds. */
interface Attempt<T> {
  readonly intake: Intake<T>
  reading: Reading
}

/** undefined for a digest, for what a later version writes, and for what cannot be read. */
function readControl<T>(intake: Intake<T>, key: string, stored: StoredRecord): Control | undefined {
  try {
    return fromHeaders(key, stored.headers)
  } catch (error) {
    intake.noteUnreadableControl(key, stored, error)
    return undefined
  }
}

async function earliestOffsets(
  admin: TopicAdmin,
  topic: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, number>> {
  try {
    return await admin.offsets(topic, 'earliest', signal)
  } catch (error) {
    if (!hasCode(error, 'topic-missing')) throw error
    throw new KubedeltaError(
      'topic-missing',
      `Cannot read topic ${topic}: wanted a topic that exists: start its bridge, create it with 'kubedelta topics apply', or name another one with 'topic'`,
      { cause: error, fields: { topic } },
    )
  }
}
