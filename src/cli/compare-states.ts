// Compares what a cluster lists with what a topic holds, telling real differences from changes on their way.

/** Key -> uid and resourceVersion, as one text. */
export type States = ReadonlyMap<string, string>

export interface Difference {
  readonly kind: 'settled' | 'moving'
  /** Keys that only the cluster has. Sorted, as the others. */
  readonly missing: readonly string[]
  /** Keys that only the topic has. */
  readonly extra: readonly string[]
  /** Keys at different versions. */
  readonly stale: readonly string[]
  /** Key -> both sides, for the next comparison. */
  readonly sides: ReadonlyMap<string, string>
}

/**
 * The differences of one comparison.
 *
 * `settled` when there are none, or when each was there in the comparison before with the very same versions on both sides: what
 * was only on its way has moved since.
 * @param before the comparison before this one
 */
export function compareStates(cluster: States, topic: States, before: Difference | undefined): Difference {
  const missing = [...cluster.keys()].filter((key) => !topic.has(key)).toSorted(byText)
  const extra = [...topic.keys()].filter((key) => !cluster.has(key)).toSorted(byText)
  const stale = [...cluster]
    .flatMap(([key, state]) => (topic.has(key) && topic.get(key) !== state ? [key] : []))
    .toSorted(byText)
  const sides = new Map(
    [...missing, ...extra, ...stale].map((key) => [key, `${cluster.get(key) ?? ''} | ${topic.get(key) ?? ''}`]),
  )
  const isSettled = [...sides].every(([key, side]) => before?.sides.get(key) === side)
  return { kind: isSettled ? 'settled' : 'moving', missing, extra, stale, sides }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
