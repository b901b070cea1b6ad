// Says what is served: aggregated, or group by group.

import type { JsonObject } from './json.ts'
import type { ServedKind } from './kinds.ts'

/** Group -> its kinds, in the order in which they are served; the core group is ''. */
export function byGroup(kinds: readonly ServedKind[]): ReadonlyMap<string, readonly ServedKind[]> {
  return Map.groupBy(kinds, ({ group }) => group)
}

/** The answer to /api (the core group alone) or /apis (all others) in the aggregated form. */
export function aggregatedDiscovery(
  groups: ReadonlyMap<string, readonly ServedKind[]>,
  version: 'v2' | 'v2beta1',
): JsonObject {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: [...groups].map(([group, kinds]) => ({
      metadata: group === '' ? {} : { name: group },
      versions: [...Map.groupBy(kinds, ({ version: each }) => each)].map(([each, served]) => ({
        version: each,
        resources: served.map(discovered),
        freshness: 'Current',
      })),
    })),
  }
}

function discovered(kind: ServedKind): JsonObject {
  const { resource, singular, namespaced, verbs, shortNames, categories, hasStatus } = kind
  const responseKind = responseKindOf(kind)
  return {
    resource,
    responseKind,
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    ...(hasStatus && { subresources: [{ subresource: 'status', responseKind, verbs: STATUS_VERBS }] }),
  }
}

/** Built-in kinds are those of the version they stand in. */
function responseKindOf({ group, version, kind, isCustom }: ServedKind): JsonObject {
  return isCustom ? { group, version, kind } : { group: '', version: '', kind }
}

const STATUS_VERBS = ['get', 'patch', 'update']

/** The answer to /apis in the plain form. */
export function groupList(groups: ReadonlyMap<string, readonly ServedKind[]>): JsonObject {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: [...groups.values()].map(groupFacts) }
}

/** The answer to /apis/GROUP. */
export function groupAnswer(kinds: readonly ServedKind[]): JsonObject {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupFacts(kinds) }
}

function groupFacts(kinds: readonly ServedKind[]): JsonObject {
  const versions = [
    ...new Map(kinds.map(({ apiVersion, version }) => [apiVersion, { groupVersion: apiVersion, version }])).values(),
  ]
  return { name: kinds[0]?.group ?? '', versions, preferredVersion: versions[0] ?? {} }
}

/** The answer to /api in the plain form. */
export function versionList(serverAddress: string): JsonObject {
  const serverAddressByClientCIDRs = [{ clientCIDR: '0.0.0.0/0', serverAddress }]
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs }
}

/** The answer to /api/v1 and /apis/GROUP/VERSION. */
export function resourceList(groupVersion: string, kinds: readonly ServedKind[]): JsonObject {
  return {
    kind: 'APIResourceList',
    // The core group's is the oldest document of the API, from before documents named their version.
    ...(groupVersion !== 'v1' && { apiVersion: 'v1' }),
    groupVersion,
    resources: kinds.flatMap(listed),
  }
}

function listed({
  resource,
  singular,
  namespaced,
  kind,
  verbs,
  shortNames,
  categories,
  hasStatus,
}: ServedKind): readonly JsonObject[] {
  const whole = {
    name: resource,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  }
  return hasStatus
    ? [whole, { name: `${resource}/status`, singularName: '', namespaced, kind, verbs: STATUS_VERBS }]
    : [whole]
}

/** The answer to /version. */
export function versionInfo(minor: number): JsonObject {
  return {
    major: '1',
    minor: String(minor),
    gitVersion: `v1.${minor}.0`,
    gitCommit: 'simulated',
    gitTreeState: 'clean',
    buildDate: '2026-01-01T00:00:00Z',
    goVersion: 'none',
    compiler: 'none',
    platform: 'linux/amd64',
  }
}

/** Which aggregated forms a minor version speaks, best first (KEP-3352). */
export function aggregatedForms(minor: number): ReadonlyArray<'v2' | 'v2beta1'> {
  if (minor >= 30) return ['v2', 'v2beta1']
  return minor >= 27 ? ['v2beta1'] : []
}

/** Whether watches may ask for initial events (apiserver pkg/features, WatchList: off again in 1.33 alone). */
export function speaksWatchList(minor: number): boolean {
  return minor === 32 || minor >= 34
}
