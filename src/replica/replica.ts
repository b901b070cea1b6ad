// Keeps a cache equal to a topic: reads it without a group, from its start, and follows it.

import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import type { Logger } from '../base/log.ts'
import type { CacheWriter } from '../cache/writer.ts'
import { compareResourceVersions, isComparable } from '../object/resource-version.ts'
import type { TopicLog } from '../topic/port.ts'
import type { Attempt } from './attempt.ts'
import { AttemptStart } from './attempt-start.ts'
import { partitionsChanged } from './check-control.ts'
import type { DegradedReason } from './degraded-keys.ts'
import { DigestChecks } from './digest-checks.ts'
import { readAttempt } from './read-attempt.ts'
import { resourceVersionOf, STATES, type ReplicaState } from './reading.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'
import { ReplicaSchemas, type FetchSchema } from './replica-schemas.ts'
import { replicaStatus, type ReplicaStatus } from './replica-status.ts'
import { Snapshots, type SnapshotsOptions } from './snapshots.ts'
import type { Selection } from './selection.ts'
import { Waiters } from './waiters.ts'

export interface ReplicaOptions<T> {
  readonly topic: string
  /** `deployments.apps`: what the topic has to hold. */
  readonly resource: string
  readonly writer: CacheWriter<T>
  readonly transform: ((object: T) => T) | undefined
  /** Only these keys, read from their partitions alone; undefined: all. */
  readonly keys: ReadonlySet<string> | undefined
  /** undefined: everything. */
  readonly selection: Selection<T> | undefined
  /** undefined where there is no schema registry. */
  readonly fetchSchema: FetchSchema | undefined
  /** undefined: none are kept. */
  readonly snapshot: Pick<SnapshotsOptions<T>, 'directory' | 'intervalMs' | 'content'> | undefined
  readonly metrics: ReplicaMetrics
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/**
 * A cache fed by a topic.
 *
 * - A pure function of the log: for each key the last record in the order of its partition wins, whatever its epoch or
 *   resourceVersion.
 * - Nothing is visible before everything is: the first content is swapped in at once, then the changes come in order.
 * - Where the log is no longer what was read, or tombstones may be missing, the topic is read again from its start; what was visible
 *   stays so until the new content is complete, and what is gone then is deleted.
 * - A log that cannot be reached is waited for, and gone on from where it was.
 * - A handler without room holds the reading back.
 */
export class Replica<T> {
  readonly #options: ReplicaOptions<T>
  readonly #schemas: ReplicaSchemas
  readonly #snapshots: Snapshots<T> | undefined
  readonly #digests: DigestChecks
  readonly #waiters = new Waiters()
  /** The reading under way; undefined before the topic was found. */
  #attempt: Attempt<T> | undefined
  /** The reading whose content is visible: the same one, or the one before it while that is under way. */
  #shown: Attempt<T> | undefined
  /** Whether a content counts that no progress record vouches for: only if somebody asked for that, and until one was vouched for. */
  #vouching: 'required' | 'waived' | 'given' = 'required'

  constructor(options: ReplicaOptions<T>) {
    this.#options = options
    // What is kept is copied into the cache's storage.
    this.#schemas = new ReplicaSchemas({ ...options, objects: 'slices' })
    this.#digests = new DigestChecks(options)
    const { snapshot } = options
    this.#snapshots = snapshot && new Snapshots({ ...options, ...snapshot, schemas: this.#schemas })
  }

  status(): ReplicaStatus {
    const status = replicaStatus({
      reading: this.#attempt?.reading,
      shown: this.#shown,
      brokenBatches: this.#shown?.brokenBatches ?? this.#attempt?.brokenBatches ?? 0,
      nowMs: this.#options.clock.now(),
    })
    // Whoever sees Live also sees the content, which comes a moment behind the record that completes it.
    return status.state === 'Live' && !this.#isVisible() ? { ...status, state: 'CatchingUp' } : status
  }

  /** Key -> why it is not at its last state. */
  degraded(): ReadonlyMap<string, DegradedReason> {
    return (this.#shown ?? this.#attempt)?.intake.degraded.reasons() ?? new Map()
  }

  /** Whether the content differs from what the bridge says although the topic was read again. */
  get hasDiverged(): boolean {
    return this.#digests.hasDiverged
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

  /** Makes what it needs on this machine. @throws KubedeltaError `usage` for a directory of snapshots that cannot be written to */
  async prepare(): Promise<void> {
    await this.#snapshots?.prepare()
  }

  /**
   * Follows the topic until the signal aborts, and writes the last snapshot then.
   * @throws KubedeltaError `topic-missing` when it is not there at the start; `topic-foreign`, `partitions-changed`, and what reading
   *   throws for good
   */
  async follow(connection: TopicLog, signal: AbortSignal): Promise<void> {
    const snapshots = this.#snapshots
    const onDue = (): void => {
      if (this.#attempt !== undefined) snapshots?.tick(this.#attempt, signal)
    }
    await runAll(signal, [
      (both) => this.#readAgainAndAgain(connection, both),
      async (both) => snapshots?.run(onDue, both),
    ])
    if (this.#attempt === this.#shown) await snapshots?.finish(this.#shown)
  }

  /** Nobody feeds it any more: who still waits, or waits later for what has not come, gets this error. */
  end(error: unknown): void {
    this.#waiters.end(error)
  }

  async #readAgainAndAgain(connection: TopicLog, signal: AbortSignal): Promise<void> {
    const { topic, resource, metrics, clock, random, log } = this.#options
    const backoff = new Backoff(clock, random)
    const start = new AttemptStart<T>({
      ...this.#options,
      schemas: this.#schemas,
      snapshots: this.#snapshots,
      digests: this.#digests,
    })
    for (let slow = 0; ;) {
      const attempt = await this.#begin(connection, { start, acceptsSlow: slow >= MAX_SLOW, backoff }, signal)
      let state: ReplicaState = 'Recovering'
      const onTaken = async (): Promise<void> => {
        state = this.#noteState(state)
        this.#publish()
        await this.#swapWhenComplete(signal)
        this.#snapshots?.tick(attempt, signal)
      }
      const options = { connection, topic, clock, log, backoff, onTaken }
      const onLook = (): void => this.#publish()
      const isPatient = (): boolean => this.#shown !== undefined
      const reason = await readAttempt(attempt, { ...options, onLook, isPatient }, signal)
      if (reason === undefined) return
      metrics.rebuilds.inc({ resource, reason })
      log.warn('reading the topic again from its start', { topic, reason })
      slow = reason === 'slow-rebuild' ? slow + 1 : 0
      start.noteRebuild(reason, attempt)
      if (reason === 'partitions-changed') this.#checkPartitions()
      // A new stream needs no patience: it is there, and each one is met once.
      if (reason !== 'new-stream') await clock.sleep(backoff.delay(), signal)
    }
  }

  /** Begins a reading; once there has been one, however long the log cannot be reached or the topic is missing. */
  async #begin(
    connection: TopicLog,
    { start, acceptsSlow, backoff }: ReadingPlan<T>,
    signal: AbortSignal,
  ): Promise<Attempt<T>> {
    const { topic, clock, log } = this.#options
    for (let isFirst = true; ; isFirst = false) {
      try {
        this.#attempt = await start.begin(connection, { acceptsSlow, isResumable: this.#attempt === undefined }, signal)
        log.info('cache recovers from its topic', {
          topic,
          partitions: this.#attempt.reading.partitions.size,
          offsets: this.status().offsets.toDo,
        })
        this.#publish()
        return this.#attempt
      } catch (error) {
        // At the start it is for whoever started it.
        if (signal.aborted || this.#attempt === undefined || !mayPass(error)) throw error
        if (isFirst) log.warn('waiting for the topic', { topic, error })
        await clock.sleep(backoff.delay(), signal)
      }
    }
  }

  /** Once something is visible it stays, and the topic is read again until its partitions are those that were written. */
  #checkPartitions(): void {
    const { reading, topicPartitions: partitions } = this.#attempt ?? {}
    if (this.#shown !== undefined || reading?.control === undefined || partitions === undefined) return
    const written = reading.control.partitions
    if (written > partitions) throw partitionsChanged(written, { topic: this.#options.topic, partitions })
  }

  /** Tells of a state that has been reached since the one before. */
  #noteState(before: ReplicaState): ReplicaState {
    const { log, topic } = this.#options
    const state = this.#attempt?.reading.state ?? before
    if (state === before) return state
    if (state === 'CatchingUp') log.info('cache has read its topic and waits for the progress of the bridge', { topic })
    if (state === 'Live') {
      this.#vouching = 'given'
      log.info('cache is live', { topic })
    }
    return state
  }

  #publish(): void {
    const { metrics, resource } = this.#options
    const { offsets, asOf, contactAt } = this.status()
    metrics.lag.set({ resource }, offsets.toDo)
    metrics.degradedKeys.set({ resource }, (this.#shown ?? this.#attempt)?.intake.degraded.size ?? 0)
    metrics.diverged.set({ resource }, this.hasDiverged ? 1 : 0)
    if (asOf !== undefined) metrics.asOf.set({ resource }, asOf / 1_000)
    if (contactAt !== undefined) metrics.contact.set({ resource }, contactAt / 1_000)
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
    this.#shown = this.#attempt
    this.#shown.noteVisible()
    this.#publish()
    await room
  }
}

/** How often a reading that was too slow is made again before it is taken as it is. */
const MAX_SLOW = 2

interface ReadingPlan<T> {
  readonly start: AttemptStart<T>
  readonly acceptsSlow: boolean
  readonly backoff: Backoff
}

function mayPass(error: unknown): boolean {
  return hasCode(error, 'topic-missing') || (error instanceof KubedeltaError && error.retriable)
}
