// Why a topic is read again from its start, and how long a cache may be out of contact before it has to be.

import { hasCode } from '../base/errors.ts'

/**
 * Why a topic is read again from its start:
 *
 * - `new-stream`: another bridge's content began behind what was read.
 * - `topic-recreated`, `topic-missing`: another topic stands under the name, or none for a while.
 * - `offset-out-of-range`, `log-truncated`: the log no longer holds what was read, or never did.
 * - `partitions-changed`: the bridge spreads its keys over another number of partitions.
 * - `cut-off`: what was deleted meanwhile may have left no trace, after more than half of delete.retention.ms without contact.
 * - `slow-rebuild`: the reading itself took longer than delete.retention.ms.
 * - `digest-mismatch`: the cache held something else than the bridge said.
 */
export type RebuildReason =
  | 'new-stream'
  | 'topic-recreated'
  | 'topic-missing'
  | 'offset-out-of-range'
  | 'log-truncated'
  | 'partitions-changed'
  | 'cut-off'
  | 'slow-rebuild'
  | 'digest-mismatch'

const CODES = ['topic-recreated', 'topic-missing', 'offset-out-of-range', 'log-truncated'] as const

/** The reason that an error of a reader is; undefined where reading again would not mend it, or reading on does. */
export function rebuildReasonOf(error: unknown): (typeof CODES)[number] | undefined {
  return CODES.find((code) => hasCode(error, code))
}

/** How long a cache may be without contact: half of the time for which tombstones stay. Milliseconds. */
export function contactLimitMs(deleteRetentionMs: number): number {
  return Math.max(MIN_LIMIT_MS, deleteRetentionMs / 2)
}

/** How often to look at the topic, so that a silent one is not taken for one that cannot be reached. Milliseconds. */
export function lookEveryMs(deleteRetentionMs: number): number {
  return Math.min(LOOK_EVERY_MS, contactLimitMs(deleteRetentionMs) / 4)
}

const LOOK_EVERY_MS = 30_000

/** Under this a cache would do nothing but read again; brokers compact every 15 s at most (log.cleaner.backoff.ms). */
const MIN_LIMIT_MS = 1_000
