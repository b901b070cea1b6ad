// What a cluster serves, and how a resource is found in it by the names kubectl takes.

import { editDistance } from '../base/edit-distance.ts'
import { KubedeltaError } from '../base/errors.ts'
import { resourceName, type Resource } from '../object/resource.ts'

/** The collections a cluster serves. */
export interface Catalogue {
  /**
   * Every version of every collection, no subresources: the core group first, then groups by the apiserver's priority, in each group
   * the preferred version first.
   */
  readonly resources: readonly Resource[]
  /** Groups that discovery could not reach, wholly or in one version: what they hold is not known. Sorted. */
  readonly unreachableGroups: readonly string[]
}

/**
 * Finds the resource that a user names: `deployments`, `deployments.apps`, `deployments.v1.apps`, and each with the singular, the kind
 * (in any case) or a short name in front. A plural wins over a short name, that over singular and kind; then the catalogue's order
 * decides, so that `events` is the core one.
 * @throws KubedeltaError `unknown-resource` with what may have been meant; `usage` when it cannot be listed and watched
 */
export function findResource(catalogue: Catalogue, text: string): Resource {
  return withVerbs(findServed(catalogue, text), ['list', 'watch'])
}

/**
 * Finds a resource as `findResource` does, whatever can be done with it.
 * @throws KubedeltaError `unknown-resource` with what may have been meant
 */
export function findServed(catalogue: Catalogue, text: string): Resource {
  const found = lookUp(catalogue, text)
  if (found === undefined) throw unknownResource(catalogue, text)
  return found
}

/** The resource itself. @throws KubedeltaError `usage` when one of the verbs cannot be done with it */
export function withVerbs(resource: Resource, verbs: readonly [...string[], string]): Resource {
  if (verbs.every((verb) => resource.verbs.includes(verb))) return resource
  throw new KubedeltaError(
    'usage',
    `Cannot ${verbs.at(-1)} ${resourceName(resource)}: wanted a resource with the verbs ${verbs.join(' and ')}: current value is ${resource.verbs.join(', ')}`,
    { fields: { resource: resourceName(resource) } },
  )
}

/** Whether a cluster serves a collection; `unknown` where its group could not be reached. */
export type Presence = 'served' | 'gone' | 'unknown'

/** Whether any version of a collection is served, whatever can be done with it. */
export function presenceOf(catalogue: Catalogue, { group, resource }: Pick<Resource, 'group' | 'resource'>): Presence {
  if (catalogue.resources.some((each) => each.group === group && each.resource === resource)) return 'served'
  return catalogue.unreachableGroups.includes(group) ? 'unknown' : 'gone'
}

/** Every collection that can be listed and watched, once, in its preferred version. */
export function listableResources(catalogue: Catalogue): readonly Resource[] {
  const seen = new Set<string>()
  return catalogue.resources.filter((resource) => {
    const name = resourceName(resource)
    if (!isWatchable(resource) || seen.has(name)) return false
    seen.add(name)
    return true
  })
}

export interface EverythingOptions {
  /** Names as `findResource` takes them. @default none */
  readonly exclude?: readonly string[]
}

/**
 * What `-r '*'` stands for: all that can be listed and watched, without Secrets, Leases (each would be a record every few seconds that
 * nobody wants) and core `events` where events.k8s.io serves the same objects.
 * @throws KubedeltaError `unknown-resource` when an exclusion names nothing: a misspelt one would publish what it was to hold back
 */
export function everything(catalogue: Catalogue, options: EverythingOptions = {}): readonly Resource[] {
  const { exclude = [] } = options
  const all = listableResources(catalogue)
  const left = new Set(['secrets', 'leases.coordination.k8s.io'])
  if (all.some((resource) => resourceName(resource) === NEW_EVENTS)) left.add('events')
  for (const text of exclude) {
    const found = lookUp(catalogue, text)
    if (found === undefined) throw unknownResource(catalogue, text)
    left.add(resourceName(found))
    // The two are one collection under two names: to exclude one and publish the other is never meant.
    if (['events', NEW_EVENTS].includes(resourceName(found))) left.add('events').add(NEW_EVENTS)
  }
  return all.filter((resource) => !left.has(resourceName(resource)))
}

const NEW_EVENTS = 'events.events.k8s.io'

function isWatchable(resource: Resource): boolean {
  return resource.verbs.includes('list') && resource.verbs.includes('watch')
}

function lookUp(catalogue: Catalogue, text: string): Resource | undefined {
  const [name = '', ...rest] = text.toLowerCase().split('.')
  const [version, ...group] = rest
  const candidates = catalogue.resources.filter(
    (resource) =>
      rest.length === 0 ||
      resource.group === rest.join('.') ||
      (resource.version === version && group.length > 0 && resource.group === group.join('.')),
  )
  return NAME_ORDER.map((namesOf) => candidates.find((resource) => namesOf(resource).includes(name))).find(
    (resource) => resource !== undefined,
  )
}

/** kubectl expands short names unless a plural is called so (cli-runtime restmapper/shortcut.go). */
const NAME_ORDER: ReadonlyArray<(resource: Resource) => readonly string[]> = [
  (resource) => [resource.resource],
  (resource) => resource.shortNames,
  (resource) => [resource.singular],
  (resource) => [resource.kind.toLowerCase()],
]

function unknownResource(catalogue: Catalogue, text: string): KubedeltaError {
  const suggestions = similarNames(catalogue, text)
  const { unreachableGroups } = catalogue
  const unreachable =
    unreachableGroups.length === 0
      ? ''
      : `: discovery could not reach ${unreachableGroups.join(', ')}, which may serve it`
  const hint = suggestions.length === 0 ? '' : `: did you mean ${suggestions.join(' or ')}?`
  return new KubedeltaError(
    'unknown-resource',
    `Cannot find resource ${JSON.stringify(text)}: wanted a plural, kind or short name that the cluster serves${unreachable}${hint}: see kubectl api-resources`,
    { fields: { resource: text, suggestions, unreachableGroups } },
  )
}

const MAX_SUGGESTIONS = 3

/** Names a slip or two away, nearest first; a right name in a wrong group is nearest of all. */
function similarNames(catalogue: Catalogue, text: string): readonly string[] {
  const asked = text.toLowerCase()
  const [bare = ''] = asked.split('.')
  const scored = listableResources(catalogue).map((resource) => {
    const full = resourceName(resource)
    const names = [resource.resource, resource.singular, resource.kind.toLowerCase(), ...resource.shortNames]
    const distances = [...names.map((name) => editDistance(bare, name)), editDistance(asked, full)]
    return { full, distance: Math.min(...distances) }
  })
  return scored
    .filter(({ distance }) => distance <= Math.min(2, bare.length / 3))
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ full }) => full)
}
