// Says where the time of a slow list went.

import type { Logger } from '../base/log.ts'
import type { ListReason } from './delta.ts'

/** One list from its request to the end of its hand-over; all times in milliseconds since the Unix epoch. */
export class ListTrace {
  readonly #reason: ListReason
  readonly #requestedMs: number
  #firstByteMs: number | undefined
  #itemsMs: number | undefined
  items = 0

  constructor(reason: ListReason, requestedMs: number) {
    this.#reason = reason
    this.#requestedMs = requestedMs
  }

  heard(atMs: number): void {
    this.#firstByteMs ??= atMs
  }

  allItems(atMs: number): void {
    this.#itemsMs = atMs
  }

  /** Logs the list; one of over 10 s as a warning with its phases, as client-go does (reflector.go, initTrace.LogIfLong). */
  log(log: Logger, resourceVersion: string, endMs: number): void {
    const fields = { reason: this.#reason, items: this.items, resourceVersion, durationMs: endMs - this.#requestedMs }
    if (fields.durationMs <= 10_000) {
      log.info('listed', fields)
      return
    }
    const firstByteMs = this.#firstByteMs ?? endMs
    const itemsMs = this.#itemsMs ?? endMs
    log.warn('listed slowly', {
      ...fields,
      firstByteMs: firstByteMs - this.#requestedMs,
      itemsMs: itemsMs - firstByteMs,
      endMs: endMs - itemsMs,
    })
  }
}
