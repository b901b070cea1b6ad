// What is to be carried, again and again as the cluster comes to serve something else.

import { hasCode } from '../base/errors.ts'
import type { BridgeOptions } from '../bridge/bridge.ts'
import type { BridgedResource, Selection } from '../bridge/bridge-options.ts'
import { everything, findServed, presenceOf, type Catalogue } from '../kube/catalogue.ts'
import type { CatalogueWatch } from '../kube/catalogue-watch.ts'
import { parseResourceName, resourceName, type Resource } from '../object/resource.ts'
import { resolveResources, type ResolveOptions } from './resolve-resources.ts'

/**
 * The selections after the start.
 *
 * - What was named stays what it was at the start, whatever else comes to have that name.
 * - What was excluded at the start stays so; an exclusion that names nothing any more excludes nothing.
 * - Only where '*' was selected does anything come that was not there at the start.
 */
export function followSelections(
  options: ResolveOptions,
  catalogue: Pick<CatalogueWatch, 'current' | 'catalogues'>,
): NonNullable<BridgeOptions['selections']> {
  const atStart = {
    selected: resolveResources(options, catalogue.current),
    excluded: excludedBy(options, catalogue.current),
  }
  return async function* (signal) {
    for await (const current of catalogue.catalogues(signal)) yield selectionOf(options, current, atStart)
  }
}

interface AtStart {
  readonly selected: readonly BridgedResource[]
  readonly excluded: ReadonlySet<string>
}

/** What is selected of a catalogue, given what was at the start. */
export function selectionOf(options: ResolveOptions, catalogue: Catalogue, atStart: AtStart): Selection {
  const named = atStart.selected.filter((selected) => selected.named)
  const names = new Set(named.map(({ resource }) => resourceName(resource)))
  const wild = options.resources.find(({ resource }) => resource === '*')
  const excluded = new Set([...atStart.excluded, ...excludedBy(options, catalogue)])
  const unnamed = (resource: Resource): BridgedResource | undefined => {
    if (wild === undefined || names.has(resourceName(resource)) || excluded.has(resourceName(resource)))
      return undefined
    if (wild.namespaces.length > 0 && !resource.namespaced) return undefined
    const { namespaces, labelSelector, fieldSelector } = wild
    const before = atStart.selected.find((selected) => resourceName(selected.resource) === resourceName(resource))
    const partitions = before === undefined ? wild.partitions : before.partitions
    return { resource, namespaces, labelSelector, fieldSelector, partitions, named: false }
  }
  return {
    resources: [
      ...named.flatMap((selected) => {
        const resource = catalogue.resources.find((each) => isListable(each) && isSame(each, selected.resource))
        return resource === undefined ? [] : [{ ...selected, resource }]
      }),
      ...everything(catalogue).flatMap((resource) => unnamed(resource) ?? []),
    ],
    unreachableGroups: catalogue.unreachableGroups,
    serves: (resource) => catalogue.resources.some((each) => isListable(each) && isIdentical(each, resource)),
    ifGone(name) {
      const resource = resourceOf(name)
      return presenceOf(catalogue, resource) === 'gone' ? unnamed(resource) : undefined
    },
  }
}

function excludedBy({ exclude }: ResolveOptions, catalogue: Catalogue): ReadonlySet<string> {
  const served = exclude.filter((text) => isKnown(catalogue, text))
  const left = new Set(everything(catalogue, { exclude: served }).map(resourceName))
  return new Set(everything(catalogue).map(resourceName)).difference(left)
}

function isKnown(catalogue: Catalogue, text: string): boolean {
  try {
    findServed(catalogue, text)
    return true
  } catch (error) {
    if (hasCode(error, 'unknown-resource')) return false
    throw error
  }
}

function isListable({ verbs }: Resource): boolean {
  return verbs.includes('list') && verbs.includes('watch')
}

function isSame(a: Resource, b: Resource): boolean {
  return a.group === b.group && a.resource === b.resource
}

function isIdentical(a: Resource, b: Resource): boolean {
  return isSame(a, b) && a.version === b.version && a.kind === b.kind && a.namespaced === b.namespaced
}

/** A collection of which the name alone is known. */
function resourceOf(name: string): Resource {
  return {
    ...parseResourceName(name),
    version: '',
    kind: '',
    namespaced: true,
    singular: '',
    shortNames: [],
    verbs: ['list', 'watch'],
  }
}
