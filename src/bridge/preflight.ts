// Asks for one object of a collection, so that what the apiserver refuses is known before a topic is touched.

import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { retrying } from '../base/retry.ts'
import type { ListWatch } from '../watch/source.ts'

export interface PreflightOptions {
  readonly clock: Clock
  readonly log: Logger
  /** How long a throttled question is asked again. Milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Lists at most one object. A throttled answer says nothing of permissions, so the question waits and is asked again.
 * @throws KubedeltaError `forbidden`, `unauthorized`, `bad-selector`; `throttled` when the time is up; what may pass by itself (a
 *   restart, an answer cut or garbled) is no refusal
 */
export function assertListable(source: ListWatch, options: PreflightOptions): Promise<void> {
  return retrying(() => ask(source, options.signal), { action: `list ${source.name}`, ...options })
}

async function ask(source: ListWatch, signal: AbortSignal): Promise<void> {
  try {
    for await (const frames of source.list({ resourceVersion: '', limit: 1 }, signal)) void frames
  } catch (error) {
    if (hasCode(error, 'server') && error.fields.status === 400) {
      throw new KubedeltaError('bad-selector', `Cannot list ${source.name}: ${error.message}`, { cause: error })
    }
    // The reflector meets it again, retries and reports it.
    if (hasCode(error, 'unreachable', 'server', 'expired', 'timeout', 'corrupt')) return
    throw error
  }
}
