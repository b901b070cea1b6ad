// Waits until a resourceVersion has been reached, as long as an apiserver does.

import type { Clock } from '../../base/clock.ts'
import { tooLarge } from './status.ts'
import type { Store } from './store.ts'

/** apiserver storage/cacher, blockTimeout. */
const BLOCK_MS = 3_000

/**
 * Resolves once the store has reached that version.
 * @throws StatusFailure 504 when it has not after 3 s; the signal's reason when it aborts
 */
export async function reached(
  version: number,
  { store, clock, signal }: { readonly store: Store; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  if (store.version >= version) return
  const done = new AbortController()
  const unsubscribe = store.subscribe(() => {
    if (store.version >= version) done.abort()
  })
  try {
    await clock.sleep(BLOCK_MS, AbortSignal.any([signal, done.signal]))
  } catch (error) {
    // Woken before its time: by the version, or by the end of the request.
    if (!done.signal.aborted || signal.aborted) throw error
  } finally {
    unsubscribe()
  }
  if (store.version < version) throw tooLarge(String(version), store.version)
}
