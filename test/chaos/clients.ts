// Independent clients of an apiserver that create, update and delete objects at a rate, whatever happens around them.
//
// The rate is of changes that were carried out. What an outage or a conflict kept from being one is caught up with, by as many requests at
// once as there are clients.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlPlane } from '../support/control-plane.ts'
import type { Dice } from '../support/dice.ts'

export interface ClientsOptions {
  readonly plane: ControlPlane
  readonly namespace: string
  /** `configmaps`, `secrets`: core resources that take `data`. */
  readonly resources: readonly [string, ...string[]]
  /** Each has one request under way at most. */
  readonly clients: number
  /** Over all clients. */
  readonly changesPerSecond: number
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
  const pace = new Pace(options.changesPerSecond)
  await Promise.all(
    Array.from({ length: options.clients }, (_, client) => {
      const one = { name: `c${client}`, dice: options.dice(`client ${client}`) }
      return runClient({ ...options, ...one, pace }, traffic, signal)
    }),
  )
}

/** How many of the requests were changes for certain. */
export function changesOf({ created, updated, deleted }: Traffic): number {
  return created + updated + deleted
}

/** One schedule of changes for all clients: whoever is free takes the next one. */
class Pace {
  readonly #periodMs: number
  readonly #startMs = performance.now()
  #taken = 0

  constructor(changesPerSecond: number) {
    this.#periodMs = 1_000 / changesPerSecond
  }

  /** Resolves when the next change is due; at once while the schedule is behind. */
  async next(): Promise<void> {
    const dueMs = this.#startMs + this.#taken++ * this.#periodMs
    // A load generator's pace, not a wait for a state.
    await sleep(Math.max(0, dueMs - performance.now()))
  }

  /** It has not become one: another is due in its place. */
  giveBack(): void {
    this.#taken--
  }
}

/** Of each client: its own, so that it knows what it may expect there. */
const NAMES = 8

/** Nobody asks a server that is down as fast as it refuses. */
const PAUSE_AFTER_FAILURE_MS = 200

interface ClientOptions extends Omit<ClientsOptions, 'dice'> {
  readonly name: string
  readonly dice: Dice
  readonly pace: Pace
}

async function runClient(
  { plane, namespace, resources, name: client, dice, pace }: ClientOptions,
  traffic: Traffic,
  signal: AbortSignal,
): Promise<void> {
  // As far as it knows: a request without an answer may have been carried out.
  const there = new Set<string>()
  for (;;) {
    await pace.next()
    if (signal.aborted) return
    const resource = dice.pick(resources)
    const name = `${client}-${dice.below(NAMES)}`
    const path = `/api/v1/namespaces/${namespace}/${resource}`
    const key = `${resource}/${name}`
    const what = there.has(key) ? dice.pick(['update', 'update', 'update', 'delete'] as const) : 'create'
    if (what === 'delete') there.delete(key)
    else there.add(key)
    const body = { metadata: { name }, [resource === 'secrets' ? 'stringData' : 'data']: { v: String(dice.random()) } }
    const outcome = await request(plane, { what, path, name, body }).then(
      ({ status, body: answer }) => outcomeOf(what, status, answer),
      (error: unknown) => {
        if (!(error instanceof Error && 'code' in error)) throw error
        return 'failed' as const
      },
    )
    traffic[outcome] += 1
    if (outcome !== 'conflicts' && outcome !== 'failed') continue
    // What was not there to update or delete is not there; what could not be created is.
    if (outcome === 'conflicts' && what !== 'create') there.delete(key)
    pace.giveBack()
    if (outcome === 'failed') await sleep(PAUSE_AFTER_FAILURE_MS)
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

function outcomeOf(what: What, status: number, answer: string): keyof Traffic {
  if (status === 404 || status === 409) return 'conflicts'
  if (status === 429 || status >= 500) return 'failed'
  if (status >= 400) throw new Error(`Cannot ${what}: the apiserver says ${status}: ${answer}`)
  return ({ create: 'created', update: 'updated', delete: 'deleted' } as const)[what]
}
