// The door to prom-client: named metrics in one registry, printed in the Prometheus text format.

import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string>>

export interface CounterMetric {
  inc(labels: Labels, by?: number): void
}
export interface GaugeMetric {
  set(labels: Labels, value: number): void
}
export interface HistogramMetric {
  observe(labels: Labels, value: number): void
}

/** A set of metrics; label values come from bounded sets and never hold an object's name. */
export interface Metrics {
  counter(name: string, help: string, labelNames: readonly string[]): CounterMetric
  gauge(name: string, help: string, labelNames: readonly string[], collect?: () => number): GaugeMetric
  histogram(name: string, help: string, labelNames: readonly string[], buckets: readonly number[]): HistogramMetric
  /** All metrics in the Prometheus text format. */
  text(): Promise<string>
  readonly contentType: string
}

/** An empty registry of its own: nothing is shared between two bridges in one process. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  return {
    contentType: registry.contentType,
    counter(name, help, labelNames) {
      const metric = new Counter({ name, help, labelNames: [...labelNames], registers: [registry] })
      return { inc: (labels, by = 1) => metric.inc(labels, by) }
    },
    gauge(name, help, labelNames, collect) {
      const metric: Gauge = new Gauge({
        name,
        help,
        labelNames: [...labelNames],
        registers: [registry],
        ...(collect === undefined ? {} : { collect: () => metric.set(collect()) }),
      })
      return { set: (labels, value) => metric.set(labels, value) }
    },
    histogram(name, help, labelNames, buckets) {
      const metric = new Histogram({
        name,
        help,
        labelNames: [...labelNames],
        buckets: [...buckets],
        registers: [registry],
      })
      return { observe: (labels, value) => metric.observe(labels, value) }
    },
    text: () => registry.metrics(),
  }
}
