// Compares what a cache holds with what its bridge says that the topic holds, and decides what follows from a difference.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Entry } from '../cache/entry.ts'
import { Digest, isSameSum, type DigestSum } from '../record/digest.ts'
import { partitionOf } from '../topic/partition.ts'
import type { RebuildReason } from './rebuild.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'

export interface DigestChecksOptions {
  readonly topic: string
  readonly resource: string
  readonly metrics: ReplicaMetrics
  readonly clock: Clock
  readonly log: Logger
}

/** A digest that was read, and the same of what the cache holds where it stands. */
export interface ComparedDigest {
  readonly partition: number
  readonly offset: number
  readonly wanted: DigestSum
  readonly current: DigestSum
}

/** Reading again mends what went wrong in a cache; what is wrong on the topic it does not, and each time costs all of it. */
export const REBUILD_AT_MOST_EVERY_MS = 6 * 60 * 60 * 1_000

/**
 * The digests of one replica, over all of its readings.
 *
 * - A difference makes the topic be read again; one that is found within `REBUILD_AT_MOST_EVERY_MS` of that is an alarm instead.
 * - The alarm of a partition lasts until a digest of it is the same again.
 */
export class DigestChecks {
  readonly #options: DigestChecksOptions
  #rebuiltAtMs: number | undefined
  readonly #diverged = new Set<number>()

  constructor(options: DigestChecksOptions) {
    this.#options = options
  }

  /** Whether the cache differs from what the bridge says although the topic was read again. */
  get hasDiverged(): boolean {
    return this.#diverged.size > 0
  }

  /** Takes note of a digest that cannot be compared. */
  skip(): void {
    this.#count('skipped')
  }

  /** Takes note of a comparison. Returns why the topic must be read again, if it must. */
  judge({ partition, offset, wanted, current }: ComparedDigest): RebuildReason | undefined {
    const { topic, clock, log } = this.#options
    if (isSameSum(wanted, current)) {
      this.#count('same')
      if (this.#diverged.delete(partition)) log.info('cache holds again what its bridge says', { topic, partition })
      return undefined
    }
    this.#count('different')
    const fields = { topic, partition, offset, wanted: printSum(wanted), current: printSum(current) }
    const now = clock.now()
    if (this.#rebuiltAtMs !== undefined && now - this.#rebuiltAtMs < REBUILD_AT_MOST_EVERY_MS) {
      this.#diverged.add(partition)
      log.error('cache differs from what its bridge says, and reading the topic again has not helped', fields)
      return undefined
    }
    this.#rebuiltAtMs = now
    log.warn('cache differs from what its bridge says', fields)
    return 'digest-mismatch'
  }

  #count(result: 'same' | 'different' | 'skipped'): void {
    const { metrics, resource } = this.#options
    metrics.digestChecks.inc({ resource, result })
  }
}

/**
 * Sums up the entries of one partition, with turns for everything else in between.
 * @param entries all of a cache; their objects are not looked at
 * @throws the signal's reason
 */
export async function sumOfPartition(
  entries: Iterable<Entry<unknown>>,
  { partition, partitionCount }: { readonly partition: number; readonly partitionCount: number },
  signal: AbortSignal,
): Promise<DigestSum> {
  const digest = new Digest()
  let met = 0
  for (const { key, uid, resourceVersion = '' } of entries) {
    if (partitionCount === 1 || partitionOf(Buffer.from(key), partitionCount) === partition) {
      digest.add({ key, uid, resourceVersion })
    }
    met += 1
    if (met % ENTRIES_A_TURN !== 0) continue
    await nextTurn()
    signal.throwIfAborted()
  }
  return digest.sum()
}

/** About 2 ms. */
const ENTRIES_A_TURN = 1_000

function printSum({ count, digest }: DigestSum): string {
  return `${count} keys ${digest}`
}
