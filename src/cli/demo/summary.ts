// Says in plain text how the demo ended.

import { layOut } from '../../print/table.ts'
import { escapeText } from '../terminal-text.ts'
import type { DemoRun } from './demo-run.ts'
import type { FollowedResource } from './followed-resource.ts'
import type { RecordTally } from './record-tally.ts'
import { totalMissed } from './outage.ts'
import { recoveredText } from './recovered.ts'

/** How many differences are named before the rest is only counted. */
const MAX_NAMED = 10

/** The end of a run. */
export interface Outcome {
  readonly text: string
  /** Whether the cache is not what the cluster is, or a deletion was not made good. */
  readonly isLost: boolean
}

/** What a summary looks at. */
export interface EndedRun extends Pick<DemoRun, 'outages' | 'recovered' | 'unrecovered'> {
  readonly resources: ReadonlyArray<
    Pick<FollowedResource, 'resource' | 'clusterStates' | 'cacheStates' | 'difference'> & {
      readonly tally: Pick<RecordTally, 'published' | 'recovered'>
    }
  >
}

/** The table of resources, what the outages did, and whether anything was lost. */
export function summarize(run: EndedRun): Outcome {
  const lost = lostOf(run)
  const objects = run.resources.reduce((sum, resource) => sum + resource.clusterStates().size, 0)
  const verdict =
    lost.length === 0
      ? [
          `Nothing was lost: the caches equal the cluster, ${objects} objects`,
          'with the same keys, uids and resourceVersions.',
        ]
      : [`LOST: ${lost.length} differences between cluster and caches:`, ...lost.slice(0, MAX_NAMED).map(escapeText)]
  if (lost.length > MAX_NAMED) verdict.push(`and ${lost.length - MAX_NAMED} more`)
  return { text: [table(run), ...outages(run), ...verdict, ''].join('\n'), isLost: lost.length > 0 }
}

const COUNTS = ['CLUSTER', 'CACHE', 'ADDED', 'UPDATED', 'DELETED', 'RECOVERED'] as const

function table({ resources }: EndedRun): string {
  const rows = resources.map((each) => {
    const { published, recovered } = each.tally
    return [
      each.clusterStates().size,
      each.cacheStates().size,
      published.ADDED,
      published.UPDATED,
      published.DELETED,
      recovered.ADDED + recovered.UPDATED + recovered.DELETED,
    ]
  })
  const total = rows.reduce((sums, row) => row.map((count, column) => count + (sums[column] ?? 0)), [])
  const cells = (counts: readonly number[]): readonly string[] =>
    COUNTS.map((name, column) => String(counts[column] ?? 0).padStart(name.length))
  return layOut([
    ['RESOURCE', ...COUNTS],
    ...resources.map(({ resource }, index) => [resource, ...cells(rows[index] ?? [])]),
    ['total', ...cells(total)],
  ])
}

function outages(run: EndedRun): readonly string[] {
  if (run.outages.length === 0) return []
  const missed = run.outages.map((outage) => {
    const { created, changed, deleted } = totalMissed(outage)
    return `Without a bridge for ${seconds(outage.durationMs)}: ${created} objects created, ${changed} changed, ${deleted} deleted.`
  })
  return [
    ...missed,
    `Recovered: ${recoveredText(run.recovered())}`,
    '(more than was missed: the cluster went on while the next bridge started).',
  ]
}

function lostOf(run: EndedRun): readonly string[] {
  const differences = run.resources.flatMap((each) => {
    const { missing, extra, stale } = each.difference()
    return [
      ...missing.map((key) => `${each.resource} ${key}: only in the cluster`),
      ...extra.map((key) => `${each.resource} ${key}: only in the cache`),
      ...stale.map((key) => `${each.resource} ${key}: another version in the cache`),
    ]
  })
  return [...differences, ...run.unrecovered().map((key) => `${key}: deleted, and no Delete with its last state`)]
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
