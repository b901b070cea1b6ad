// Turns the names a user selected into the resources a cluster serves.

import type { BridgedResource } from '../bridge/bridge-options.ts'
import { KubedeltaError } from '../base/errors.ts'
import { everything, findResource } from '../kube/catalogue.ts'
import type { Catalogue } from '../kube/catalogue.ts'
import { resourceName } from '../object/resource.ts'
import type { Resource } from '../object/resource.ts'
import type { ResourceSelection } from './resource-selections.ts'

export interface ResolveOptions {
  readonly resources: readonly ResourceSelection[]
  readonly exclude: readonly string[]
  readonly partitions: ReadonlyMap<string, number>
}

/**
 * The selected resources, each once, in the order they were named; a name wins over '*'.
 *
 * With '*', a namespace takes cluster-scoped resources out rather than refusing them.
 *
 * @throws KubedeltaError `unknown-resource`; `usage` for a namespace of a cluster-scoped resource, one resource selected in two
 *   ways, or --partitions for a resource that is not selected
 */
export function resolveResources(options: ResolveOptions, catalogue: Catalogue): readonly BridgedResource[] {
  const selected = new Map<string, BridgedResource>()
  for (const selection of options.resources.filter(({ resource }) => resource !== '*')) {
    const resource = findResource(catalogue, selection.resource)
    const next = select(resource, selection, true)
    if (!resource.namespaced && next.namespaces.length > 0) throw clusterScoped(resource, next.namespaces)
    const before = selected.get(resourceName(resource))
    if (before !== undefined && !isSameSelection(before, next)) throw selectedTwice(resource)
    selected.set(resourceName(resource), next)
  }
  for (const selection of options.resources.filter(({ resource }) => resource === '*')) {
    for (const resource of everything(catalogue, { exclude: options.exclude })) {
      const isOutside = selection.namespaces.length > 0 && !resource.namespaced
      if (isOutside || selected.has(resourceName(resource))) continue
      selected.set(resourceName(resource), select(resource, selection, false))
    }
  }
  return withPartitions(selected, options.partitions, catalogue)
}

function select(resource: Resource, selection: ResourceSelection, named: boolean): BridgedResource {
  const { namespaces, labelSelector, fieldSelector, partitions } = selection
  return { resource, namespaces, labelSelector, fieldSelector, partitions, named }
}

function withPartitions(
  selected: ReadonlyMap<string, BridgedResource>,
  partitions: ReadonlyMap<string, number>,
  catalogue: Catalogue,
): readonly BridgedResource[] {
  const counts = new Map([...partitions].map(([name, count]) => [resourceName(findResource(catalogue, name)), count]))
  const unselected = [...counts.keys()].find((name) => !selected.has(name))
  if (unselected !== undefined) {
    throw new KubedeltaError(
      'usage',
      `Cannot use --partitions ${unselected}=${counts.get(unselected)}: wanted a resource of -r: it is not selected`,
    )
  }
  return [...selected].map(([name, entry]) => ({ ...entry, partitions: counts.get(name) ?? entry.partitions }))
}

function isSameSelection(a: BridgedResource, b: BridgedResource): boolean {
  return (
    a.labelSelector === b.labelSelector &&
    a.fieldSelector === b.fieldSelector &&
    a.partitions === b.partitions &&
    a.namespaces.toSorted().join() === b.namespaces.toSorted().join()
  )
}

function clusterScoped(resource: Resource, namespaces: readonly string[]): KubedeltaError {
  return new KubedeltaError(
    'usage',
    `Cannot select namespaces of ${resourceName(resource)}: wanted a namespaced resource, or no namespaces: it is cluster-scoped: current value is ${namespaces.join(', ')}`,
  )
}

function selectedTwice(resource: Resource): KubedeltaError {
  return new KubedeltaError(
    'usage',
    `Cannot select ${resourceName(resource)} twice: wanted one selection a resource: two entries differ in namespaces, selectors or partitions`,
  )
}
