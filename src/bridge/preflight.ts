// Asks for one object of a collection, so that what the apiserver refuses is known before a topic is touched.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { ListWatch } from '../watch/source.ts'

/**
 * Lists at most one object.
 * @throws KubedeltaError `forbidden`, `unauthorized`, `bad-selector`; what may pass by itself (throttling, a restart, an answer cut or garbled) is no refusal
 */
export async function assertListable(source: ListWatch, signal: AbortSignal): Promise<void> {
  try {
    for await (const frames of source.list({ resourceVersion: '', limit: 1 }, signal)) void frames
  } catch (error) {
    if (hasCode(error, 'server') && error.fields.status === 400) {
      throw new KubedeltaError('bad-selector', `Cannot list ${source.name}: ${error.message}`, { cause: error })
    }
    // The reflector meets it again, retries and reports it.
    if (hasCode(error, 'unreachable', 'throttled', 'server', 'expired', 'timeout', 'corrupt')) return
    throw error
  }
}
