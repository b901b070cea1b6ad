// Makes the metrics of one part of the program once for each registry, however many users it has.

import type { Metrics } from './metrics.ts'

/**
 * A function that gives the metrics of a registry: those that `create` made for its first user, since a registry refuses a second metric of
 * the same name. Without a registry they go nowhere.
 */
export function sharedMetrics<T extends object>(create: (metrics: Metrics) => T): (metrics: Metrics | undefined) => T {
  const made = new WeakMap<Metrics, T>()
  return (metrics = NOWHERE) => {
    const known = made.get(metrics)
    if (known !== undefined) return known
    const created = create(metrics)
    made.set(metrics, created)
    return created
  }
}

const NOWHERE: Metrics = {
  counter: () => ({ inc: () => {} }),
  gauge: () => ({ set: () => {} }),
  histogram: () => ({ observe: () => {} }),
  text: async () => '',
  contentType: 'text/plain',
}
