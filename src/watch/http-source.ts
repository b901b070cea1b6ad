// Lists and watches one collection of an apiserver over HTTP, cutting the answers into frames.

import { hasCode } from '../base/errors.ts'
import type { KubeClient } from '../kube/client.ts'
import { apiVersionOf, resourceName, type Resource } from '../object/resource.ts'
import { ListScanner, WatchScanner } from './scan.ts'
import type { ListFrame, ListRequest, ListWatch, WatchFrame, WatchRequest } from './source.ts'

export interface HttpSourceOptions {
  readonly client: KubeClient
  readonly resource: Resource
  /** @default every namespace */
  readonly namespace?: string | undefined
  /** As the apiserver takes it. @default everything */
  readonly labelSelector?: string | undefined
  /** As the apiserver takes it. @default everything */
  readonly fieldSelector?: string | undefined
  /** What becomes of an object that is not UTF-8: the request fails, or its facts are shown alone. @default 'refuse' */
  readonly broken?: 'refuse' | 'show'
}

/**
 * The ListWatch over a KubeClient.
 * @throws TypeError when a namespace is given for a cluster-scoped resource
 */
export function createHttpSource(options: HttpSourceOptions): ListWatch {
  const { resource, namespace } = options
  if (namespace !== undefined && !resource.namespaced) {
    throw new TypeError(
      `Cannot list ${resourceName(resource)} in a namespace: it is cluster-scoped: leave 'namespace' out`,
    )
  }
  return new HttpSource(options)
}

/** A watch that says nothing for so long past its own timeout has lost its server without noticing. */
const WATCH_GRACE_MS = 10_000

class HttpSource implements ListWatch {
  readonly resource: Resource
  readonly name: string
  readonly #options: HttpSourceOptions
  readonly #path: string

  constructor(options: HttpSourceOptions) {
    const { resource, namespace } = options
    this.resource = resource
    this.name = namespace === undefined ? resourceName(resource) : `${resourceName(resource)} in ${namespace}`
    this.#options = options
    this.#path = collectionPath(resource, namespace)
  }

  async *list(request: ListRequest, signal: AbortSignal): AsyncGenerator<readonly ListFrame[]> {
    const { client, resource, broken = 'refuse' } = this.#options
    const answer = await client.stream(this.#path, {
      query: { ...this.#selectors(), ...listQuery(request) },
      action: `Cannot list ${this.name}`,
      signal,
    })
    const scanner = new ListScanner({ apiVersion: apiVersionOf(resource), kind: resource.kind }, { broken })
    for await (const chunks of answer.body) {
      const frames = chunks.flatMap((chunk) => scanner.push(chunk))
      if (frames.length > 0) yield frames
    }
    yield [scanner.end()]
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<readonly WatchFrame[]> {
    const { client, resource, broken = 'refuse' } = this.#options
    const answer = await client.stream(this.#path, {
      query: { ...this.#selectors(), ...watchQuery(request) },
      action: `Cannot watch ${this.name}`,
      silenceMs: request.timeoutSeconds * 1000 + WATCH_GRACE_MS,
      signal,
    })
    const scanner = new WatchScanner({ apiVersion: apiVersionOf(resource), kind: resource.kind }, { broken })
    try {
      for await (const chunks of answer.body) {
        const frames = chunks.flatMap((chunk) => scanner.push(chunk))
        if (frames.length > 0) yield frames
      }
    } catch (error) {
      // However an open watch ends, the next one goes on from the last resourceVersion seen, so nothing is lost
      // (apimachinery pkg/watch/streamwatcher.go). An event that was cut off is sent again by then.
      if (!hasCode(error, 'unreachable')) throw error
    }
  }

  #selectors(): Readonly<Record<string, string | undefined>> {
    return { labelSelector: this.#options.labelSelector, fieldSelector: this.#options.fieldSelector }
  }
}

/** The path of a collection: `/apis/apps/v1/namespaces/shop/deployments`. */
export function collectionPath(resource: Resource, namespace: string | undefined): string {
  const root = resource.group === '' ? '/api' : '/apis'
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  return `${root}/${apiVersionOf(resource)}${scope}/${resource.resource}`
}

/** No resourceVersionMatch: a bare N means "not older than N" (client-go reflector.go, list). */
function listQuery(request: ListRequest): Readonly<Record<string, string | undefined>> {
  const { resourceVersion, limit, continue: token } = request
  return {
    ...(limit && { limit: String(limit) }),
    ...(token ? { continue: token } : { resourceVersion }),
  }
}

function watchQuery(request: WatchRequest): Readonly<Record<string, string | undefined>> {
  return {
    watch: 'true',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(request.timeoutSeconds),
    resourceVersion: request.resourceVersion,
    ...(request.sendInitialEvents && { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' }),
  }
}
