// Shows which API groups discovery cannot reach, in the log and in the metrics.

import type { Logger } from '../base/log.ts'
import type { GaugeMetric } from '../base/metrics.ts'
import type { CatalogueWatch } from '../kube/catalogue-watch.ts'

export interface WatchGroupsOptions {
  /** Its label `resource` is `*.GROUP` for them. */
  readonly synced: GaugeMetric
  readonly log: Logger
}

/** The name under which a group is shown beside resources. */
export function nameOfGroup(group: string): string {
  return `*.${group}`
}

/** Follows the catalogue. @throws the signal's reason when it aborts */
export async function watchGroups(
  catalogue: Pick<CatalogueWatch, 'catalogues'>,
  { synced, log }: WatchGroupsOptions,
  signal: AbortSignal,
): Promise<void> {
  let before: ReadonlySet<string> = new Set()
  for await (const { unreachableGroups } of catalogue.catalogues(signal)) {
    const now = new Set(unreachableGroups)
    for (const group of now.difference(before)) {
      log.error('degraded: discovery could not reach a group', { group })
      synced.set({ resource: nameOfGroup(group) }, 0)
    }
    for (const group of before.difference(now)) {
      log.info('discovery reaches the group again', { group })
      synced.set({ resource: nameOfGroup(group) }, 1)
    }
    before = now
  }
}
