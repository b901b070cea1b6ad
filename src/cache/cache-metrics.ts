// The metrics of stores and handlers, made once for each registry however many caches share it.

import type { CounterMetric, GaugeMetric } from '../base/metrics.ts'
import { sharedMetrics } from '../base/shared-metrics.ts'

/** Metrics of caches; `resource` is the collection's name, `index` and `handler` are names that the program gave. */
export interface CacheMetrics {
  readonly objects: GaugeMetric
  readonly indexErrors: CounterMetric
  readonly handlerErrors: CounterMetric
}

/** The cache metrics of a registry; without a registry they go nowhere. */
export const cacheMetrics = sharedMetrics((metrics): CacheMetrics => {
  return {
    objects: metrics.gauge('kubedelta_cache_objects', 'Objects in the cache', ['resource']),
    indexErrors: metrics.counter(
      'kubedelta_cache_index_errors_total',
      'Objects left out of an index because its function failed',
      ['resource', 'index'],
    ),
    handlerErrors: metrics.counter('kubedelta_cache_handler_errors_total', 'Changes on which a handler failed', [
      'resource',
      'handler',
    ]),
  }
})
