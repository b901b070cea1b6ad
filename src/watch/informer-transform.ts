// Turns the bytes of an object into what a cache keeps, by way of the user's transform where there is one.

import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { CounterMetric, Metrics } from '../base/metrics.ts'
import { sharedMetrics } from '../base/shared-metrics.ts'
import { deepFreeze } from '../cache/deep-freeze.ts'
import { bytesEntry, type Entry } from '../cache/entry.ts'
import { keyOf } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'

/**
 * Says what a cache keeps of an object, to save memory above all. It may change the object in place, which is its own.
 *
 * It is called once for each state that the apiserver sends, also for a deletion's last one. What the cache holds already never goes
 * through it again: not in a resync, not as the last state of a missed deletion. (client-go calls it twice on streamed lists.)
 */
export type Transform<T> = (object: T) => T

export interface EntryReaderOptions<T> {
  readonly transform: Transform<T> | undefined
  /** The name of the collection in metrics. */
  readonly resource: string
  readonly log: Logger
  readonly metrics: Metrics | undefined
}

/**
 * Makes entries.
 *
 * - Without a transform an entry holds the bytes, parsed when someone first looks.
 * - Who an object is comes from its bytes: a transform that drops or changes metadata moves no key.
 */
export class EntryReader<T> {
  readonly #options: EntryReaderOptions<T>
  readonly #failures: CounterMetric

  constructor(options: EntryReaderOptions<T>) {
    this.#options = options
    this.#failures = transformFailures(options.metrics)
  }

  /** The entry; undefined where the transform failed, which is logged and counted. */
  read(raw: RawObject): Entry<T> | undefined {
    const { transform, resource, log } = this.#options
    const entry = bytesEntry<T>(raw)
    if (transform === undefined) return entry
    try {
      return transformed(raw, transform)
    } catch (error) {
      this.#failures.inc({ resource })
      log.error('transform failed, the last good state stays', {
        key: entry.key,
        error: fromUnknown(error, 'Cannot transform object'),
      })
      return undefined
    }
  }
}

function transformed<T>(raw: RawObject, transform: Transform<T>): Entry<T> {
  const { namespace, name, uid, resourceVersion } = raw
  // The decode edge: T says what the apiserver's schema promises for this collection.
  const parsed: T = JSON.parse(raw.bytes.toString('utf8'))
  const object = transform(parsed)
  if (object === undefined || object instanceof Promise) {
    const current = object === undefined ? 'undefined' : 'a promise'
    throw new KubedeltaError('usage', `Cannot transform object: wanted an object: the transform returned ${current}`)
  }
  return {
    key: keyOf(namespace, name),
    namespace,
    name,
    uid,
    resourceVersion,
    bytes: undefined,
    object: deepFreeze(object),
  }
}

const transformFailures = sharedMetrics((metrics) =>
  metrics.counter(
    'kubedelta_cache_transform_errors_total',
    'States of objects that were withheld from the cache because its transform failed',
    ['resource'],
  ),
)
