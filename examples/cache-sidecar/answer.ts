// Answers requests from the cache alone.

import type { TopicCache } from 'kubedelta/consumer'
import type { Pod } from './pod.ts'

/** Older than this, what is shown may no longer be so: the bridge says every minute that it is alive. */
const MAX_AGE_MS = 180_000

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export function answer(pods: TopicCache<Pod>, { pathname, searchParams }: URL): Answer {
  switch (pathname) {
    case '/pods': {
      const node = searchParams.get('node')
      const found = node === null ? pods.list() : pods.byIndex('node', node)
      return { status: 200, body: found.map(summary) }
    }
    case '/healthz':
      return health(pods)
    default:
      return { status: 404, body: { error: 'GET /pods, /pods?node=NAME, /healthz or /metrics' } }
  }
}

/** Says how old the answers may be; not healthy before they are complete, and when the bridge has not been heard for long. */
function health(pods: TopicCache<Pod>): Answer {
  const { state, asOf } = pods.status()
  const ageMs = asOf === undefined ? null : Date.now() - asOf
  const isHealthy = state === 'Live' && ageMs !== null && ageMs <= MAX_AGE_MS
  return { status: isHealthy ? 200 : 503, body: { state, pods: pods.size(), ageMs } }
}

function summary({ metadata, spec, status }: Pod): object {
  const { namespace, name, labels } = metadata ?? {}
  return { namespace, name, node: spec?.nodeName, phase: status?.phase, ip: status?.podIP, labels }
}
