// Answers questions about pods and deployments over HTTP, from caches alone; where these come from is the caller's affair.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import type { Cache, Indexers, Wire } from 'kubedelta'

type Pod = Wire<V1Pod>
type Deployment = Wire<V1Deployment>

/** A cache with what feeds it, apiserver or topic. */
export interface FedCache<T> extends Cache<T> {
  run(signal: AbortSignal): Promise<void>
  whenLive(signal: AbortSignal): Promise<void>
}

/** Opens the cache of a resource. */
export type OpenCache = <T>(resource: string, options: { readonly indexers?: Indexers<T> }) => FedCache<T>

/** Longer than this nobody waits for a service without data: whoever started it should know. */
const SYNC_MS = 3_000

/** Runs the service until SIGINT or SIGTERM; the process exits with 1 where it cannot start or go on. */
export async function servePods(openCache: OpenCache): Promise<void> {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

  const pods = openCache<Pod>('pods', {
    indexers: {
      // Pods of a node, by each of its IPs.
      nodeIP: ({ status }) => status?.hostIPs?.map(({ ip }) => ip) ?? [],
      // A pod on the network of its node has the node's IP: several pods stand under one.
      podIP: ({ status }) => status?.podIPs?.map(({ ip }) => ip) ?? [],
    },
  })
  const deployments = openCache<Deployment>('deployments.apps', {})
  const running = Promise.all([pods, deployments].map((cache) => cache.run(stopping.signal)))
  // A failure before the service is up is told by whenLive, a later one where this is awaited.
  running.catch(() => {})
  try {
    const inTime = AbortSignal.any([stopping.signal, AbortSignal.timeout(SYNC_MS)])
    await Promise.all([pods.whenLive(inTime), deployments.whenLive(inTime)])
    await using server = await listen((url) => answer(url, pods, deployments))
    process.stdout.write(`serving ${pods.size()} pods and ${deployments.size()} deployments on ${server.url}\n`)
    await running
  } catch (error) {
    if (stopping.signal.aborted) return
    process.stderr.write(`pods-service: cannot serve: ${reasonOf(error)}\n`)
    process.exitCode = 1
  } finally {
    stopping.abort()
  }
}

function answer(url: URL, pods: Cache<Pod>, deployments: Cache<Deployment>): unknown {
  const namespace = url.searchParams.get('namespace') ?? ''
  switch (url.pathname) {
    case '/pods': {
      for (const index of ['nodeIP', 'podIP']) {
        const ip = url.searchParams.get(index)
        if (ip !== null) return pods.byIndex(index, ip).map(summary)
      }
      return pods.list({ namespace }).map(summary)
    }
    case '/deployments':
      return deployments.list({ namespace }).map(({ metadata }) => metadata?.name)
    default:
      return undefined
  }
}

function summary({ metadata, spec, status }: Pod): object {
  const { namespace, name } = metadata ?? {}
  const { phase, hostIP, podIP } = status ?? {}
  return { namespace, name, node: spec?.nodeName, nodeIP: hostIP, podIP, phase }
}

interface Listening extends AsyncDisposable {
  readonly url: string
}

/** Serves what `answerTo` returns as JSON, 404 where that is undefined; PORT says where. */
async function listen(answerTo: (url: URL) => unknown): Promise<Listening> {
  const server: Server = createServer((request, response) => {
    const body = request.method === 'GET' ? answerTo(new URL(request.url ?? '/', 'http://localhost')) : undefined
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(`${JSON.stringify(body ?? { error: 'GET /pods or /deployments' })}\n`)
  })
  server.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? '8080') })
  await once(server, 'listening')
  const { port }: Partial<AddressInfo> = Object(server.address())
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return `wanted pods and deployments within ${SYNC_MS / 1_000} s: the caches have not synced`
  }
  return error instanceof Error ? error.message : String(error)
}
