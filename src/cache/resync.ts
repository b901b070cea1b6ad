// Resyncs handlers from the cache alone, for feeds that have no reflector to do it.

import { aborted } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import type { CacheWriter } from './writer.ts'

/** Shows all objects again to the handlers that are due, each time the check period is over, until the signal aborts. */
export async function runResync<T>(writer: CacheWriter<T>, clock: Clock, signal: AbortSignal): Promise<void> {
  const checkMs = writer.resyncCheckMs()
  if (checkMs === 0) return aborted(signal)
  try {
    for (;;) {
      await clock.sleep(checkMs, signal)
      if (writer.shouldResync()) await writer.resync(signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
