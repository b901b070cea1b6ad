// Wakes whoever waits for new records, whichever process appends them.

import { watch, type FSWatcher } from 'node:fs'

/** Without an event, what is waited for is looked at this often: some file systems report none. */
export const LOOK_AGAIN_MS = 500

/**
 * Waits for appends.
 *
 * - The writer touches a file after each commit, so an event means that the records can be read.
 * - Take `next()` before looking for records: what is appended after the look then still wakes.
 */
export class AppendWatch implements Disposable {
  readonly #watcher: FSWatcher | undefined
  #next = Promise.withResolvers<void>()

  /** @param path the file that is touched */
  constructor(path: string) {
    this.#watcher = openWatcher(path, () => this.#wake())
    // Looking again every LOOK_AGAIN_MS is all that is left then.
    this.#watcher?.on('error', () => this.#watcher?.close())
  }

  /** Resolves at the first append from now on. */
  next(): Promise<void> {
    return this.#next.promise
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
    this.#wake()
  }

  #wake(): void {
    const { resolve } = this.#next
    this.#next = Promise.withResolvers<void>()
    resolve()
  }
}

/** undefined where the system has no watch to give: their number is limited. */
function openWatcher(path: string, onEvent: () => void): FSWatcher | undefined {
  try {
    return watch(path, { persistent: false }, onEvent)
  } catch {
    // Nothing is lost: readers look again by themselves.
    return undefined
  }
}
