// Independent clients of an apiserver that create, update and delete objects at a rate, whatever happens around them.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlPlane } from '../support/control-plane.ts'
import type { Dice } from '../support/dice.ts'

export interface ClientsOptions {
  readonly plane: ControlPlane
  readonly namespace: string
  /** `configmaps`, `secrets`: core resources that take `data`. */
  readonly resources: readonly [string, ...string[]]
  readonly clients: number
  /** Over all clients. */
  readonly requestsPerSecond: number
  readonly dice: (client: string) => Dice
}

/** What came of the requests. */
export interface Traffic {
  created: number
  updated: number
  deleted: number
  /** 404 and 409: an earlier request was carried out, or was not, other than it seemed. */
  conflicts: number
  /** No answer, or a 5xx or 429: what they did is unknown, the cluster decides. */
  failed: number
}

/** Sends requests until the signal aborts. A refusal that no fault explains ends it. */
export async function runClients(options: ClientsOptions, traffic: Traffic, signal: AbortSignal): Promise<void> {
  await Promise.all(
    Array.from({ length: options.clients }, (_, client) =>
      runClient(options, { name: `c${client}`, dice: options.dice(`client ${client}`) }, traffic, signal),
    ),
  )
}

/** Of each client: its own, so that it knows what it may expect there. */
const NAMES = 20

async function runClient(
  { plane, namespace, resources, clients, requestsPerSecond }: ClientsOptions,
  { name: client, dice }: { readonly name: string; readonly dice: Dice },
  traffic: Traffic,
  signal: AbortSignal,
): Promise<void> {
  // As far as it knows: a request without an answer may have been carried out.
  const there = new Set<string>()
  const periodMs = (clients * 1_000) / requestsPerSecond
  for (let at = performance.now(); !signal.aborted; at += periodMs) {
    // A load generator's pace, not a wait for a state.
    await sleep(Math.max(0, at - performance.now()))
    const resource = dice.pick(resources)
    const name = `${client}-${dice.below(NAMES)}`
    const path = `/api/v1/namespaces/${namespace}/${resource}`
    const key = `${resource}/${name}`
    const what = there.has(key) ? dice.pick(['update', 'update', 'update', 'delete'] as const) : 'create'
    if (what === 'delete') there.delete(key)
    else there.add(key)
    const body = { metadata: { name }, [resource === 'secrets' ? 'stringData' : 'data']: { v: String(dice.random()) } }
    try {
      const { status, body: answer } = await request(plane, { what, path, name, body })
      if (status === 404) there.delete(key)
      count(traffic, what, status, answer)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      traffic.failed += 1
    }
  }
}

type What = 'create' | 'update' | 'delete'

function request(
  plane: ControlPlane,
  {
    what,
    path,
    name,
    body,
  }: { readonly what: What; readonly path: string; readonly name: string; readonly body: object },
): Promise<{ readonly status: number; readonly body: string }> {
  switch (what) {
    case 'create':
      return plane.request(path, { method: 'POST', body })
    case 'update':
      return plane.request(`${path}/${name}`, {
        method: 'PATCH',
        body,
        headers: { 'content-type': 'application/merge-patch+json' },
      })
    case 'delete':
      return plane.request(`${path}/${name}`, { method: 'DELETE' })
    default:
      return what satisfies never
  }
}

function count(traffic: Traffic, what: What, status: number, answer: string): void {
  if (status === 404 || status === 409) traffic.conflicts += 1
  else if (status === 429 || status >= 500) traffic.failed += 1
  else if (status >= 400) throw new Error(`Cannot ${what}: the apiserver says ${status}: ${answer}`)
  else traffic[({ create: 'created', update: 'updated', delete: 'deleted' } as const)[what]] += 1
}
