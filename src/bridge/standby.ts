// Keeps the index of a topic in step with it while another bridge writes it.

import { hasCode } from '../base/errors.ts'
import { runAll } from '../base/lifecycle.ts'
import type { LeaderElection } from './leader-election.ts'
import { assertOurs, type ReadTopic } from './topic-session.ts'

export interface StandbyOptions<T> {
  readonly election: LeaderElection
  /** Reads a topic from its beginning. */
  readonly readAgain: (opened: T, signal: AbortSignal) => Promise<ReadTopic>
}

/**
 * Follows all topics until this bridge leads.
 * @returns the same, each topic as far as it was followed
 * @throws KubedeltaError `topic-foreign`, `scope-changed`, `partitions-changed` when a topic's writer is no longer of this cluster and
 *   scope; what the election and the reader throw
 */
export async function standBy<T extends { readonly topic: ReadTopic }>(
  opened: readonly T[],
  { election, readAgain }: StandbyOptions<T>,
  signal: AbortSignal,
): Promise<readonly T[]> {
  const leading = new AbortController()
  const followed = [...opened]
  await runAll(signal, [
    async (both) => {
      await election.leads(both)
      leading.abort()
    },
    ...opened.map((each, n) => async (both: AbortSignal) => {
      const options = {
        readAgain: (until: AbortSignal) => readAgain(each, until),
        leading: leading.signal,
        signal: both,
      }
      followed[n] = { ...each, topic: await followTopic(each.topic, options) }
    }),
  ])
  signal.throwIfAborted()
  return followed
}

interface FollowOptions {
  readonly readAgain: (signal: AbortSignal) => Promise<ReadTopic>
  /** Aborts when this bridge leads. */
  readonly leading: AbortSignal
  /** Aborts when it stops. */
  readonly signal: AbortSignal
}

async function followTopic(topic: ReadTopic, { readAgain, leading, signal }: FollowOptions): Promise<ReadTopic> {
  let current = topic
  const until = AbortSignal.any([leading, signal])
  while (!until.aborted) {
    const { connection, log } = current.options
    await using reader = await connection.openReader({ signal })
    const followed = current
    try {
      await current.recovery.follow(reader, () => void assertOurs(followed), until)
    } catch (error) {
      if (until.aborted) break
      if (!hasCode(error, 'offset-out-of-range', 'log-truncated', 'topic-recreated')) throw error
      log.warn('topic is no longer what was read of it: reading it again', { topic: current.options.topic, error })
      // Not ended by `leading`: half an index would be none.
      current = await readAgain(signal)
    }
  }
  return current
}
