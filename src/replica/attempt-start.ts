// Begins a reading of a topic: at its start, or where a snapshot stands that may be gone on from.

import { partitionOf } from '../topic/partition.ts'
import type { TopicLog } from '../topic/port.ts'
import { Attempt, type AttemptOptions } from './attempt.ts'
import type { RebuildReason } from './rebuild.ts'
import type { Snapshots } from './snapshots.ts'
import { readRange } from './topic-range.ts'
import { Vouched, whoIsVouched } from './vouched.ts'

export interface AttemptStartOptions<T> extends Omit<
  AttemptOptions<T>,
  | 'range'
  | 'look'
  | 'topicPartitions'
  | 'sinceMs'
  | 'leaderEpochs'
  | 'brokenBatches'
  | 'acceptsSlow'
  | 'signal'
  | 'vouched'
> {
  readonly snapshots: Snapshots<T> | undefined
}

/** Begins the readings of one replica, one after the other. */
export class AttemptStart<T> {
  readonly #options: AttemptStartOptions<T>
  /** Over how many partitions the bridge said that it spreads keys; undefined: over all that the topic has. */
  #partitionCount: number | undefined

  constructor(options: AttemptStartOptions<T>) {
    this.#options = options
  }

  /** Takes note of why a reading ended. */
  noteRebuild(reason: RebuildReason, attempt: Attempt<T> | undefined): void {
    // A topic that was given more partitions under its bridge is written as before until that starts anew.
    this.#partitionCount = reason === 'partitions-changed' ? attempt?.reading.control?.partitions : undefined
  }

  /**
   * Looks where the topic begins and ends now: the end is what has to be reached.
   * @throws KubedeltaError `topic-missing`, and as `lookAtTopic`
   */
  async begin(
    log: TopicLog,
    { acceptsSlow, isResumable }: { readonly acceptsSlow: boolean; readonly isResumable: boolean },
    signal: AbortSignal,
  ): Promise<Attempt<T>> {
    const { look, earliest } = await readRange({ ...this.#options, admin: log.admin }, signal)
    const topicPartitions = earliest.size
    const { topic } = this.#options
    // What a snapshot begins behind the next control record says.
    const base = { ...this.#options, acceptsSlow, look, topicPartitions, vouched: new Vouched(), signal }
    if (isResumable) {
      const resumed = await this.#resume(base, earliest)
      if (resumed !== undefined) return resumed
    }
    const partitionCount = Math.min(this.#partitionCount ?? topicPartitions, topicPartitions)
    const { keys } = this.#options
    const wanted = keys && new Set([...keys].map((key) => partitionOf(Buffer.from(key), partitionCount)))
    const from = new Map(
      [...earliest].filter(([partition]) => partition < partitionCount && (wanted?.has(partition) ?? true)),
    )
    const range = { from, until: look.ends, partitionCount }
    const vouched = await whoIsVouched(log, { topic, from, until: look.ends }, signal)
    return new Attempt<T>({ ...base, vouched, range, sinceMs: look.atMs, leaderEpochs: new Map(), brokenBatches: 0 })
  }

  async #resume(
    base: Omit<AttemptOptions<T>, 'range' | 'sinceMs' | 'leaderEpochs' | 'brokenBatches'>,
    earliest: ReadonlyMap<number, number>,
  ): Promise<Attempt<T> | undefined> {
    const { snapshots } = this.#options
    const { look, topicPartitions } = base
    await using found = await snapshots?.resumable({ look, earliest, topicPartitions })
    if (snapshots === undefined || found === undefined) return undefined
    const { control, partitions, partitionCount, caughtUpAtMs, brokenBatches } = found.header
    const known = [...partitions]
    const attempt = new Attempt<T>({
      ...base,
      range: {
        from: new Map(known.map(([partition, { position }]) => [partition, position])),
        until: look.ends,
        partitionCount,
        known: { control, progress: new Map(known.map(([partition, { progress }]) => [partition, progress])) },
      },
      sinceMs: caughtUpAtMs,
      leaderEpochs: new Map(
        known.flatMap(([partition, { leaderEpoch }]) => (leaderEpoch === undefined ? [] : [[partition, leaderEpoch]])),
      ),
      brokenBatches,
    })
    return (await snapshots.load(found, attempt)) ? attempt : undefined
  }
}
