// The metrics of replicas, made once for each registry however many caches share it.

import type { CounterMetric, GaugeMetric } from '../base/metrics.ts'
import { sharedMetrics } from '../base/shared-metrics.ts'

/** Metrics of replicas; `resource` is the collection's name, `reason` one of a few words. */
export interface ReplicaMetrics {
  readonly lag: GaugeMetric
  readonly asOf: GaugeMetric
  readonly contact: GaugeMetric
  readonly regressions: CounterMetric
  readonly unreadable: CounterMetric
  readonly degradedKeys: GaugeMetric
  readonly rebuilds: CounterMetric
  readonly digestChecks: CounterMetric
  readonly diverged: GaugeMetric
  readonly snapshotReads: CounterMetric
  readonly snapshotWrites: CounterMetric
  readonly snapshotBytes: GaugeMetric
  readonly snapshotAt: GaugeMetric
}

/** The replica metrics of a registry; without a registry they go nowhere. */
export const replicaMetrics = sharedMetrics((metrics): ReplicaMetrics => {
  return {
    lag: metrics.gauge('kubedelta_cache_lag_records', 'Offsets between the cache and the end of its topic', [
      'resource',
    ]),
    asOf: metrics.gauge(
      'kubedelta_cache_as_of_timestamp_seconds',
      'When the bridge wrote the progress record that the cache has reached, in seconds since the Unix epoch',
      ['resource'],
    ),
    contact: metrics.gauge(
      'kubedelta_cache_contact_timestamp_seconds',
      'All that stood on the topic at this moment is in the cache, in seconds since the Unix epoch',
      ['resource'],
    ),
    regressions: metrics.counter(
      'kubedelta_cache_regressions_total',
      'Records that went back in time, by epoch or resourceVersion, and were applied',
      ['resource', 'reason'],
    ),
    unreadable: metrics.counter(
      'kubedelta_cache_unreadable_records_total',
      'Records, or whole record batches, that could not be applied: their keys stay at the last good state',
      ['resource', 'reason'],
    ),
    degradedKeys: metrics.gauge(
      'kubedelta_cache_degraded_keys',
      'Keys that are not at their last state, because the record that holds it could not be applied',
      ['resource'],
    ),
    rebuilds: metrics.counter('kubedelta_cache_rebuilds_total', 'Times the topic was read again from its start', [
      'resource',
      'reason',
    ]),
    digestChecks: metrics.counter(
      'kubedelta_cache_digest_checks_total',
      'Digests of the bridge compared with the cache: same, different, or skipped where they cannot be',
      ['resource', 'result'],
    ),
    diverged: metrics.gauge(
      'kubedelta_cache_diverged',
      '1 while the cache differs from what the bridge says although its topic was read again, else 0',
      ['resource'],
    ),
    snapshotReads: metrics.counter(
      'kubedelta_cache_snapshot_reads_total',
      'Snapshots found on disk at a start: resumed, or why they were not',
      ['resource', 'result'],
    ),
    snapshotWrites: metrics.counter(
      'kubedelta_cache_snapshot_writes_total',
      'Snapshots written to disk, or failed to be',
      ['resource', 'result'],
    ),
    snapshotBytes: metrics.gauge('kubedelta_cache_snapshot_bytes', 'Size of the last snapshot written, in bytes', [
      'resource',
    ]),
    snapshotAt: metrics.gauge(
      'kubedelta_cache_snapshot_timestamp_seconds',
      'All that stood on the topic at this moment is in the last snapshot written, in seconds since the Unix epoch',
      ['resource'],
    ),
  }
})
