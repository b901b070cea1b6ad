// Says when a handler has seen everything that was there when it began to listen.

import { abortable } from '../base/abort.ts'

/** Something whose first content one can wait for. */
export interface Synced {
  hasSynced(): boolean
  /** Resolves once `hasSynced`. @throws the signal's reason when it aborts first */
  whenSynced(signal: AbortSignal): Promise<void>
}

/**
 * Counts what is still to be done before a sync is complete: it is once the source has said that it gave everything, and everything
 * it gave has been finished (client-go synctrack.SingleFileTracker).
 */
export class SyncTracker implements Synced {
  readonly #done = Promise.withResolvers<void>()
  #open = 0
  #given = false
  #synced = false

  /** So many more things to do; called before `allGiven` for whatever the source still had to give. */
  started(count = 1): void {
    this.#open += count
  }

  finished(): void {
    if (this.#open === 0) throw new RangeError('Cannot finish: nothing was started')
    this.#open -= 1
    this.#settle()
  }

  /** The source has given everything. */
  allGiven(): void {
    this.#given = true
    this.#settle()
  }

  hasSynced(): boolean {
    return this.#synced
  }

  async whenSynced(signal: AbortSignal): Promise<void> {
    if (!this.#synced) await abortable(this.#done.promise, signal)
  }

  #settle(): void {
    if (this.#synced || !this.#given || this.#open > 0) return
    this.#synced = true
    this.#done.resolve()
  }
}

/**
 * Waits until all of them have synced: caches, registrations of handlers.
 * Resolves to false when the signal aborts first, as client-go's does when it is stopped.
 */
export async function waitForCacheSync(signal: AbortSignal, ...caches: readonly Synced[]): Promise<boolean> {
  try {
    await Promise.all(caches.map((cache) => cache.whenSynced(signal)))
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}
