// Asks an apiserver what it serves: aggregated discovery in two requests, or group by group where that is unknown.

import { z } from 'zod'
import { hasCode, isAbort, KubedeltaError } from '../base/errors.ts'
import type { Resource } from '../object/resource.ts'
import type { Catalogue } from './catalogue.ts'
import type { KubeClient } from './client.ts'

/**
 * Reads what the cluster serves. A group whose server does not answer is named in `unreachableGroups`, it fails nothing.
 * @throws KubedeltaError as KubeClient does when the apiserver itself refuses; `server` when it answers something else than discovery
 */
export async function discover(client: KubeClient, signal: AbortSignal): Promise<Catalogue> {
  const [core, groups] = await Promise.all([fetchRoot(client, '/api', signal), fetchRoot(client, '/apis', signal)])
  const parts = await Promise.all([readRoot(client, core, signal), readRoot(client, groups, signal)])
  return {
    resources: parts.flatMap((part) => part.resources),
    unreachableGroups: [...new Set(parts.flatMap((part) => part.unreachableGroups))].toSorted(),
  }
}

const ACTION = 'Cannot discover resources'

/** Kubernetes 1.30 and later answer the first, 1.26 and later the second, older ones the last; the forms of the first two are the same. */
const ACCEPT = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',')

const aggregated = z.object({
  kind: z.literal('APIGroupDiscoveryList'),
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string().default('') }).default({ name: '' }),
      versions: z
        .array(
          z.object({
            version: z.string(),
            freshness: z.string().optional(),
            resources: z
              .array(
                z.object({
                  resource: z.string(),
                  responseKind: z.object({ kind: z.string() }).nullish(),
                  scope: z.string(),
                  singularResource: z.string().default(''),
                  shortNames: z.array(z.string()).default([]),
                  verbs: z.array(z.string()).default([]),
                }),
              )
              .default([]),
          }),
        )
        .default([]),
    }),
  ),
})

const coreVersions = z.object({ kind: z.literal('APIVersions'), versions: z.array(z.string()) })

const groupVersion = z.object({ version: z.string() })

const groupList = z.object({
  kind: z.literal('APIGroupList'),
  groups: z.array(
    z.object({ name: z.string(), versions: z.array(groupVersion), preferredVersion: groupVersion.optional() }),
  ),
})

const resourceList = z.object({
  resources: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      namespaced: z.boolean(),
      singularName: z.string().default(''),
      shortNames: z.array(z.string()).default([]),
      verbs: z.array(z.string()).default([]),
    }),
  ),
})

const root = z.discriminatedUnion('kind', [aggregated, coreVersions, groupList])
type Root = z.infer<typeof root>

async function fetchRoot(client: KubeClient, path: string, signal: AbortSignal): Promise<Root> {
  const answer = await client.get(path, { signal, accept: ACCEPT, action: ACTION })
  return decode(root, answer, client, path)
}

function decode<T>(schema: z.ZodType<T>, value: unknown, client: KubeClient, path: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new KubedeltaError(
    'server',
    `${ACTION}: wanted a discovery document from ${client.server}${path}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`,
    { cause: parsed.error },
  )
}

async function readRoot(client: KubeClient, document: Root, signal: AbortSignal): Promise<Catalogue> {
  switch (document.kind) {
    case 'APIGroupDiscoveryList':
      return readAggregated(document)
    case 'APIVersions':
      return await fetchVersions(
        client,
        document.versions.map((version) => ({ group: '', version })),
        signal,
      )
    case 'APIGroupList':
      return await fetchVersions(client, document.groups.flatMap(versionsOf), signal)
    default:
      return document satisfies never
  }
}

function readAggregated(document: z.infer<typeof aggregated>): Catalogue {
  const versions = document.items.flatMap((item) =>
    item.versions.map((version) => ({ ...version, group: item.metadata.name })),
  )
  // A stale version shows what the group served before its server was lost, or nothing; client-go takes neither for true.
  const [fresh, stale] = [versions.filter(isFresh), versions.filter((version) => !isFresh(version))]
  return {
    resources: fresh.flatMap(({ group, version, resources }) =>
      resources
        .filter((resource) => Boolean(resource.responseKind?.kind))
        .map(({ resource, responseKind, scope, singularResource, shortNames, verbs }) => {
          const kind = responseKind?.kind ?? ''
          const singular = singularResource || kind.toLowerCase()
          return { group, version, resource, kind, namespaced: scope === 'Namespaced', singular, shortNames, verbs }
        }),
    ),
    unreachableGroups: stale.map((version) => version.group),
  }
}

function isFresh(version: { readonly freshness?: string | undefined }): boolean {
  return version.freshness !== 'Stale'
}

interface GroupVersion {
  readonly group: string
  readonly version: string
}

function versionsOf(group: z.infer<typeof groupList>['groups'][number]): readonly GroupVersion[] {
  const versions = group.versions.map(({ version }) => ({ group: group.name, version }))
  return versions.toSorted((a, b) => rank(a.version) - rank(b.version))

  function rank(version: string): number {
    return version === group.preferredVersion?.version ? 0 : 1
  }
}

async function fetchVersions(
  client: KubeClient,
  versions: readonly GroupVersion[],
  signal: AbortSignal,
): Promise<Catalogue> {
  const answers = await Promise.all(versions.map((version) => fetchVersion(client, version, signal)))
  return {
    resources: answers.flatMap((answer) => answer ?? []),
    unreachableGroups: versions.filter((_, index) => answers[index] === undefined).map((version) => version.group),
  }
}

/** What no aggregated apiserver behind it is the cause of: nothing can be said of any group. */
const OF_THE_APISERVER = ['unauthorized', 'forbidden', 'throttled', 'unreachable'] as const

/** The resources of one version; undefined when its server does not answer. */
async function fetchVersion(
  client: KubeClient,
  { group, version }: GroupVersion,
  signal: AbortSignal,
): Promise<readonly Resource[] | undefined> {
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  try {
    const { resources } = decode(resourceList, await client.get(path, { signal, action: ACTION }), client, path)
    return resources
      .filter((resource) => !resource.name.includes('/'))
      .map(({ name, kind, namespaced, singularName, shortNames, verbs }) => {
        return {
          group,
          version,
          resource: name,
          kind,
          namespaced,
          singular: singularName || kind.toLowerCase(),
          shortNames,
          verbs,
        }
      })
  } catch (error) {
    if (signal.aborted || isAbort(error) || hasCode(error, ...OF_THE_APISERVER)) throw error
    // Withdrawn since the list of groups was read: it serves nothing, and nothing is unknown.
    if (hasCode(error, 'not-found')) return []
    // An aggregated apiserver that is down must not keep every other resource from being read; the group is reported.
    if (error instanceof KubedeltaError) return undefined
    throw error
  }
}
