// Stamps what a reflector sees with time and place, before it waits in the queue.

import type { Clock } from '../base/clock.ts'
import { keyOf } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
import { newerResourceVersion } from '../object/resource-version.ts'
import type { DeltaSink, ListReason } from '../watch/delta.ts'

export interface Seen {
  readonly object: RawObject
  /** Milliseconds since the Unix epoch. */
  readonly observedAt: number
  /** Its place among all that this watch brought: rises by one each. */
  readonly sequence: number
}

/** The topic key of what was seen. */
export function keyOfSeen({ object }: Seen): string {
  return keyOf(object.namespace, object.name)
}

/**
 * The bytes that it holds until it is acknowledged: the object's own, the same again in the record's value, and about what its facts and
 * its place in the queue take.
 */
export function sizeOfSeen({ object }: Seen): number {
  return 2 * object.bytes.length + OVERHEAD_BYTES
}

const OVERHEAD_BYTES = 512

/** Passes everything on to a queue, stamped. */
export class Stamping implements DeltaSink<RawObject> {
  readonly #sink: DeltaSink<Seen>
  readonly #clock: Clock
  #sequence = 0
  #newest = ''

  constructor(sink: DeltaSink<Seen>, clock: Clock) {
    this.#sink = sink
    this.#clock = clock
  }

  /** The newest resourceVersion that the cluster has shown in its present history; noted before it is passed on. '' before the first list. */
  get newestResourceVersion(): string {
    return this.#newest
  }

  begin(reason: ListReason): void {
    this.#sink.begin(reason)
  }

  item(object: RawObject, signal: AbortSignal): Promise<void> | void {
    return this.#sink.item(this.#seen(object), signal)
  }

  end(resourceVersion: string, signal: AbortSignal): Promise<void> | void {
    // A reflector's list is older than what came before it only where an etcd was restored: that is of a history that is no more.
    this.#newest = resourceVersion
    return this.#sink.end(resourceVersion, signal)
  }

  add(object: RawObject, signal: AbortSignal): Promise<void> | void {
    return this.#sink.add(this.#seen(object), signal)
  }

  update(object: RawObject, signal: AbortSignal): Promise<void> | void {
    return this.#sink.update(this.#seen(object), signal)
  }

  delete(object: RawObject, signal: AbortSignal): Promise<void> | void {
    return this.#sink.delete(this.#seen(object), signal)
  }

  bookmark(resourceVersion: string): void {
    this.#noted(resourceVersion)
    this.#sink.bookmark(resourceVersion)
  }

  #seen(object: RawObject): Seen {
    this.#noted(object.resourceVersion)
    return { object, observedAt: this.#clock.now(), sequence: ++this.#sequence }
  }

  #noted(resourceVersion: string): void {
    this.#newest = newerResourceVersion(this.#newest, resourceVersion)
  }
}
