// Drives one reading: feeds it batches, looks at the topic beside, and waits out a log that cannot be reached.

import type { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { TopicLog } from '../topic/port.ts'
import type { Attempt } from './attempt.ts'
import { lookEveryMs, rebuildReasonOf, type RebuildReason } from './rebuild.ts'
import { watchTopic, type TopicLook } from './topic-look.ts'

export interface ReadAttemptOptions {
  readonly connection: TopicLog
  readonly topic: string
  readonly clock: Clock
  readonly log: Logger
  readonly backoff: Backoff
  /** Called before the first batch and after each. */
  readonly onTaken: () => Promise<void>
  /** Called after each look at the topic that found it as it was. */
  readonly onLook: () => void
  /** Whether there is something to show for which it is worth to go on where the log does not decode. */
  readonly isPatient: () => boolean
}

/**
 * Reads until the topic must be read again, or the signal aborts; nothing more is taken of it then. A log that cannot be reached is waited
 * for, and gone on from where it was.
 *
 * @returns why the topic must be read again; undefined when the signal aborted
 * @throws KubedeltaError what reading throws for good
 */
export async function readAttempt<T>(
  attempt: Attempt<T>,
  options: ReadAttemptOptions,
  signal: AbortSignal,
): Promise<RebuildReason | undefined> {
  const own = new AbortController()
  const both = AbortSignal.any([signal, own.signal])
  let seen: RebuildReason | undefined
  const onLook = (look: TopicLook): void => {
    seen = attempt.see(look)
    if (seen === undefined) options.onLook()
    else own.abort(new KubedeltaError('aborted', `Cannot go on reading: ${seen}`))
  }
  const everyMs = (): number => lookEveryMs(attempt.deleteRetentionMs)
  const watching = watchTopic({ ...options, admin: options.connection.admin }, { everyMs, onLook, signal: both })
  // Awaited below; until then a failure is no unhandled one.
  watching.catch((error: unknown) => own.abort(error))
  let reason: RebuildReason | undefined
  try {
    reason = await readOn(attempt, options, both)
  } catch (error) {
    if (!both.aborted) throw error
  } finally {
    own.abort()
    await watching
  }
  return signal.aborted ? undefined : (reason ?? seen)
}

async function readOn<T>(
  attempt: Attempt<T>,
  { connection, topic, clock, log, backoff, onTaken, isPatient }: ReadAttemptOptions,
  signal: AbortSignal,
): Promise<RebuildReason | undefined> {
  for (;;) {
    try {
      await using reader = await connection.openReader({ signal })
      await onTaken()
      const where = { from: attempt.positions(), leaderEpochs: attempt.leaderEpochs }
      for await (const batch of reader.read({ topic, ...where, signal })) {
        const reason = await attempt.take(batch, signal)
        if (reason !== undefined) return reason
        await onTaken()
      }
      return undefined
    } catch (error) {
      if (signal.aborted) return undefined
      const reason = rebuildReasonOf(error)
      if (reason === undefined && !mayReadOn(error, isPatient())) throw error
      log.warn('reading the topic ended', { topic, error })
      if (reason !== undefined) return reason
    }
    await clock.sleep(backoff.delay(), signal)
  }
}

/** What does not decode at all may after a repair of the log; until then what is visible is worth more than an end. */
function mayReadOn(error: unknown, isPatient: boolean): boolean {
  return (error instanceof KubedeltaError && error.retriable) || (hasCode(error, 'corrupt') && isPatient)
}
