// The bridge's metrics by their public names; `resource` is `deployments.apps`, no label ever holds an object's name.

import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from '../base/metrics.ts'

export interface BridgeMetrics {
  readonly recordsPublished: CounterMetric
  readonly publishLatency: HistogramMetric
  readonly watchLastEvent: GaugeMetric
  readonly synced: GaugeMetric
  readonly relists: CounterMetric
  readonly objectsWithheld: CounterMetric
  readonly publishErrors: CounterMetric
  readonly policy: CounterMetric
  readonly fenced: CounterMetric
  readonly unreadable: CounterMetric
  readonly recordsCoalesced: CounterMetric
  readonly foreignRecords: CounterMetric
}

/** Registers the bridge's metrics; `bufferedBytes` is asked whenever they are scraped. */
export function createBridgeMetrics(metrics: Metrics, version: string, bufferedBytes: () => number): BridgeMetrics {
  metrics.gauge('kubedelta_buffered_bytes', 'Bytes of objects read and not yet acknowledged', [], bufferedBytes)
  metrics.gauge('kubedelta_build_info', 'Always 1; the version is the label', ['version']).set({ version }, 1)
  const fenced = metrics.counter('kubedelta_fenced_total', 'Times another writer took over a topic', [])
  fenced.inc({}, 0)
  return {
    fenced,
    recordsPublished: metrics.counter(
      'kubedelta_records_published_total',
      'Records acknowledged; the tombstone of a delete counts with its DELETED record',
      ['resource', 'op'],
    ),
    publishLatency: metrics.histogram(
      'kubedelta_publish_latency_seconds',
      'Seconds from arrival at the bridge to acknowledgement',
      ['resource'],
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    ),
    watchLastEvent: metrics.gauge(
      'kubedelta_watch_last_event_timestamp_seconds',
      'Unix time in seconds of the last event or bookmark of a watch',
      ['resource'],
    ),
    synced: metrics.gauge(
      'kubedelta_synced',
      '1 once the topic holds everything of the first list and the resource is not degraded, else 0',
      ['resource'],
    ),
    relists: metrics.counter('kubedelta_relists_total', 'Lists after the first one, by reason', ['resource', 'reason']),
    objectsWithheld: metrics.counter(
      'kubedelta_objects_withheld_total',
      'Records published with object: null, by reason',
      ['resource', 'reason'],
    ),
    publishErrors: metrics.counter('kubedelta_publish_errors_total', 'Appends that failed for good, by reason', [
      'resource',
      'reason',
    ]),
    policy: metrics.counter('kubedelta_policy_total', 'Objects that a policy changed, by action', [
      'resource',
      'action',
    ]),
    unreadable: metrics.counter(
      'kubedelta_unreadable_records_total',
      'Records found on the topic that do not decode, by reason',
      ['resource', 'reason'],
    ),
    recordsCoalesced: metrics.counter(
      'kubedelta_records_coalesced_total',
      'Records that a later update of their object replaced before they were handed to the broker',
      ['resource'],
    ),
    foreignRecords: metrics.counter(
      'kubedelta_foreign_records_total',
      'Records of other producers found on the topic while it was written',
      ['resource'],
    ),
  }
}
