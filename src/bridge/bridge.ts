// The bridge of one cluster: checks every topic, then carries all resources side by side.

import { hasCode, isAbort } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import { Permits } from '../base/permits.ts'
import type { BridgedResource, BridgeOptions } from './bridge-options.ts'
import { Carrier, sourcesOf } from './carrier.ts'
import { underElection } from './leader-election.ts'
import { assertListable } from './preflight.ts'
import { standBy } from './standby.ts'
import type { CandidateStatus, ResourceHealth } from './status.ts'
import { takeLeads } from './take-leads.ts'
import { TopicOpener, type OpenedTopic } from './topic-opener.ts'
import type { ReadTopic } from './topic-session.ts'

export type { BridgedResource, BridgeOptions } from './bridge-options.ts'

/** Topics checked and read at once at start. */
const MAX_TOPIC_READS = 4

/** What all objects on their way may take together. */
export const BUFFER_BYTES = 64 * 1024 * 1024

/**
 * A bridge from one cluster to one log.
 *
 * - Before anything is written or fenced, every topic is read and checked, and every named resource is listed once.
 * - With an election it then stands by, its indexes kept in step with the topics, until it leads.
 * - Every topic is fenced before anything is published.
 * - Then each resource runs by itself: one that is refused later is degraded, the others go on. What is selected later joins them.
 * - A failure that cannot be retried ends all of them, after what is on its way has been waited for.
 */
export class Bridge {
  readonly #options: BridgeOptions
  #carrier: Carrier | undefined
  /** Every topic was read to its end. */
  #hasRead = false

  constructor(options: BridgeOptions) {
    this.#options = options
  }

  /** Of every resource; empty until all topics are fenced. */
  health(): readonly ResourceHealth[] {
    return this.#carrier?.health() ?? []
  }

  /** Where it stands in its election; undefined where there is none. */
  candidate(): CandidateStatus | undefined {
    const status = this.#options.election?.status()
    return this.#hasRead || status === undefined ? status : { ...status, role: 'starting' }
  }

  /**
   * Resolves when the signal aborts, once everything appended is acknowledged or 10 seconds have passed.
   * @throws KubedeltaError `forbidden`, `throttled`, `bad-selector`, `topic-unfit`, `topic-foreign`, `scope-changed`, `partitions-changed`
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
    const { connection, election } = this.#options
    await this.#assertListable(signal)
    await using reader = await connection.openReader({ signal })
    const opener = new TopicOpener(this.#options, reader)
    // What is refused is found in topics that are there: before any other is created, or a schema registered.
    const found = await this.#forEach((resource, both) => opener.readExisting(resource, both), signal)
    const opened = await this.#forEach((resource, both, n) => opener.complete(resource, found[n], both), signal)
    this.#hasRead = true
    const readAgain = ({ resource }: OpenedTopic, both: AbortSignal): Promise<ReadTopic> => opener.read(resource, both)
    // Awaited here: the reader is theirs until they end.
    if (election === undefined) {
      await this.#lead(opened, opener, signal)
    } else {
      const work = async (both: AbortSignal): Promise<void> =>
        this.#lead(await standBy(opened, { election, readAgain }, both), opener, both)
      await underElection(election, work, signal)
    }
  }

  /** Fences all topics, then runs until one of them fails or the signal aborts. */
  async #lead(opened: readonly OpenedTopic[], opener: TopicOpener, signal: AbortSignal): Promise<void> {
    await using leads = await takeLeads(opened, { inTurn: this.#options.election === undefined }, signal)
    this.#carrier = new Carrier(this.#options, opener)
    await this.#carrier.run(leads.taken, signal)
  }

  /** What was asked for by name. */
  async #assertListable(signal: AbortSignal): Promise<void> {
    const { resources, clock, log, startupTimeoutMs: timeoutMs = 30_000 } = this.#options
    const sources = resources.flatMap((resource) => (resource.named ? sourcesOf(this.#options, resource) : []))
    await runAll(
      signal,
      sources.map((source) => (both) => assertListable(source, { clock, log, timeoutMs, signal: both })),
    )
    signal.throwIfAborted()
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
}
