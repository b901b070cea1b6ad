// Reads any resource straight from the apiserver: one object, a whole list, a watch, nothing kept.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { withVerbs } from '../kube/catalogue.ts'
import type { KubeClient } from '../kube/client.ts'
import { ResourceFinder } from '../kube/resource-finder.ts'
import { parseFieldSelector } from '../object/field-selector.ts'
import { splitKey } from '../object/key.ts'
import { parseLabelSelector } from '../object/label-selector.ts'
import { resourceName } from '../object/resource.ts'
import { collectionPath, createHttpSource } from './http-source.ts'
import { errorOfStatus } from './reflector-errors.ts'
import type { ListWatch, WatchFrame } from './source.ts'

/** Which objects of a resource; all conditions apply, an absent one selects everything. */
export interface ResourceSelection {
  /** @default all namespaces */
  readonly namespace?: string | undefined
  /** As kubectl's `-l`. @default everything */
  readonly labels?: string | undefined
  /** As kubectl's `--field-selector`, over the fields that the apiserver knows of the resource. @default everything */
  readonly fields?: string | undefined
}

export interface ResourceListOptions extends ResourceSelection {
  readonly signal: AbortSignal
  /** '' consistent, '0' anything cached, N not older than N. @default '' */
  readonly resourceVersion?: string
  /** Objects a request. @default 500 */
  readonly pageSize?: number
}

export interface ResourceWatchOptions extends ResourceSelection {
  readonly signal: AbortSignal
  /** What comes after it is watched; '' begins with an `added` for everything there is. @default '' */
  readonly resourceVersion?: string
  /** When the server is to end the watch. @default 300 */
  readonly timeoutSeconds?: number
}

export interface ResourceList<T> {
  readonly items: readonly T[]
  /** Where a watch goes on from. */
  readonly resourceVersion: string
}

export type ResourceEvent<T> =
  | { readonly kind: 'added' | 'modified' | 'deleted'; readonly object: T; readonly resourceVersion: string }
  /** Everything up to this resourceVersion came before. */
  | { readonly kind: 'bookmark'; readonly resourceVersion: string }

/**
 * Uncached reads of every resource that the cluster serves, custom ones included.
 *
 * - A resource is named as for kubectl: `pods`, `po`, `deployments.apps`, `carts.shop.example.com`.
 * - Each call asks once and fails with what KubeClient documents; `unknown-resource` and `usage` (a verb that the resource lacks) besides.
 * - Objects are the caller's own, with kind and apiVersion, and are not checked against T.
 */
export interface ResourceClient {
  /** The object under `namespace/name`, or `name` for cluster scope; undefined where there is none. */
  get<T>(resource: string, key: string, options: { readonly signal: AbortSignal }): Promise<T | undefined>
  /** All that is selected, read in pages; of one resourceVersion, unless a page had to be asked for anew. */
  list<T>(resource: string, options: ResourceListOptions): Promise<ResourceList<T>>
  /**
   * Ends when the server ends the watch. Not pulling holds back the socket.
   * @throws KubedeltaError `expired` for a resourceVersion that is too old: list again
   */
  watch<T>(resource: string, options: ResourceWatchOptions): AsyncIterable<ResourceEvent<T>>
}

/**
 * Uncached reads over a client; discovery is asked at the first call and for unknown names.
 *
 * @example
 * const pod = await createResourceClient(client).get<Wire<V1Pod>>('pods', 'shop/cart-0', { signal })
 */
export function createResourceClient(client: KubeClient, finder = new ResourceFinder(client)): ResourceClient {
  const open = async (name: string, verb: string, options: ResourceSelection & Signalled): Promise<ListWatch> => {
    const selectors = selectorTexts(options)
    const resource = withVerbs(await finder.find(name, options.signal), [verb])
    return createHttpSource({ client, resource, namespace: options.namespace, ...selectors })
  }
  return {
    async get<T>(name: string, key: string, { signal }: Signalled) {
      const { namespace, name: objectName } = splitKey(key)
      const resource = withVerbs(await finder.find(name, signal), ['get'])
      if (resource.namespaced === (namespace === '')) {
        const wanted = resource.namespaced ? 'namespace/name' : 'a name without namespace'
        throw new KubedeltaError(
          'usage',
          `Cannot get ${resourceName(resource)}: wanted ${wanted}: current value is ${JSON.stringify(key)}`,
        )
      }
      const path = `${collectionPath(resource, namespace || undefined)}/${encodeURIComponent(objectName)}`
      try {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the decode edge: T says what the apiserver's schema promises
        return (await client.get(path, { signal, action: `Cannot get ${resourceName(resource)}` })) as T
      } catch (error) {
        if (hasCode(error, 'not-found')) return undefined
        throw error
      }
    },
    async list<T>(name: string, options: ResourceListOptions) {
      return await listPages<T>(await open(name, 'list', options), options)
    },
    async *watch<T>(name: string, options: ResourceWatchOptions) {
      const { signal, resourceVersion = '', timeoutSeconds = 300 } = options
      const source = await open(name, 'watch', options)
      for await (const frames of source.watch({ resourceVersion, timeoutSeconds }, signal)) {
        for (const frame of frames) yield* eventsOf<T>(frame)
      }
    },
  }
}

interface Signalled {
  readonly signal: AbortSignal
}

/** The selectors as the apiserver takes them. @throws KubedeltaError `bad-selector` */
export function selectorTexts({ labels, fields }: ResourceSelection): {
  readonly labelSelector: string | undefined
  readonly fieldSelector: string | undefined
} {
  return {
    labelSelector: labels === undefined ? undefined : parseLabelSelector(labels).text,
    fieldSelector: fields === undefined ? undefined : parseFieldSelector(fields).text,
  }
}

async function listPages<T>(source: ListWatch, options: ResourceListOptions): Promise<ResourceList<T>> {
  const { signal, resourceVersion = '', pageSize = 500 } = options
  let items: T[] = []
  let limit = pageSize
  let first: string | undefined
  let token = ''
  for (;;) {
    try {
      for await (const frames of source.list({ resourceVersion, limit, ...(token && { continue: token }) }, signal)) {
        for (const frame of frames) {
          if (frame.kind === 'item') {
            // The decode edge: T says what the apiserver's schema promises for this resource.
            const object: T = JSON.parse(frame.object.bytes.toString('utf8'))
            items.push(object)
            continue
          }
          // As client-go's pager: the list is of the first page's resourceVersion.
          first ??= frame.resourceVersion
          token = frame.continue
        }
      }
      if (token === '') return { items, resourceVersion: first ?? '' }
    } catch (error) {
      // The pages cannot be continued: everything at once, once (client-go tools/pager/pager.go, list).
      if (!hasCode(error, 'expired') || token === '') throw error
      items = []
      first = undefined
      token = ''
      limit = 0
    }
  }
}

function* eventsOf<T>(frame: WatchFrame): Generator<ResourceEvent<T>> {
  switch (frame.kind) {
    case 'added':
    case 'modified':
    case 'deleted': {
      // The decode edge, as in a list.
      const object: T = JSON.parse(frame.object.bytes.toString('utf8'))
      yield { kind: frame.kind, object, resourceVersion: frame.object.resourceVersion }
      return
    }
    case 'bookmark':
      yield { kind: 'bookmark', resourceVersion: frame.resourceVersion }
      return
    case 'error':
      throw errorOfStatus(frame.error)
    case 'unknown':
      // An event of a newer apiserver: its object cannot be told, where it stands can.
      yield { kind: 'bookmark', resourceVersion: frame.resourceVersion }
      return
    default:
      frame satisfies never
  }
}
