// Stamps what a reflector sees with time and place, before it waits in the queue.

import type { Clock } from '../base/clock.ts'
import { keyOf } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
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
export function stamping(sink: DeltaSink<Seen>, clock: Clock): DeltaSink<RawObject> {
  let sequence = 0
  function seen(object: RawObject): Seen {
    return { object, observedAt: clock.now(), sequence: ++sequence }
  }
  return {
    begin: (reason: ListReason) => sink.begin(reason),
    item: (object, signal) => sink.item(seen(object), signal),
    end: (resourceVersion, signal) => sink.end(resourceVersion, signal),
    add: (object, signal) => sink.add(seen(object), signal),
    update: (object, signal) => sink.update(seen(object), signal),
    delete: (object, signal) => sink.delete(seen(object), signal),
    bookmark: (resourceVersion) => sink.bookmark(resourceVersion),
  }
}
