// Reads and writes one Lease of coordination.k8s.io: the record that candidates of an election share.

import { z } from 'zod'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { WritingKubeClient } from './client.ts'

/** What candidates tell each other. */
export interface LeaseClaim {
  /** '' when nobody holds it. */
  readonly holder: string
  /** How long others wait from the last change that they saw, in milliseconds. */
  readonly durationMs: number
  /** When the holder got it, by the clock of its machine; RFC 3339. */
  readonly acquireTime: string
  /** When it was last renewed, by the same clock. */
  readonly renewTime: string
  /** How often it has passed from one holder to another. */
  readonly transitions: number
}

/** A Lease as the apiserver has it. */
export interface Lease {
  readonly claim: LeaseClaim
  /** The whole object: an update goes by its resourceVersion and leaves what is not the claim as it is. */
  readonly object: Readonly<Record<string, unknown>>
}

/** What an attempt to write came to: a conflict says that another was faster. */
export type LeaseWritten = { readonly kind: 'written'; readonly lease: Lease } | { readonly kind: 'conflict' }

/**
 * One Lease, by its name.
 *
 * All three throw as `KubeClient`; a namespace that does not exist is `usage`.
 */
export interface LeaseStore {
  /** `NAMESPACE/NAME`, for messages. */
  readonly name: string
  /** undefined where there is none. */
  read(signal: AbortSignal): Promise<Lease | undefined>
  create(claim: LeaseClaim, signal: AbortSignal): Promise<LeaseWritten>
  /** Writes only if nobody else has since `lease` was read. */
  update(lease: Lease, claim: LeaseClaim, signal: AbortSignal): Promise<LeaseWritten>
}

export interface LeaseStoreOptions {
  readonly client: WritingKubeClient
  readonly namespace: string
  readonly name: string
}

/** The Lease of that name; whether it exists is not asked here. */
export function createLeaseStore({ client, namespace, name }: LeaseStoreOptions): LeaseStore {
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`
  const path = `${collection}/${encodeURIComponent(name)}`
  const called = `Lease ${namespace}/${name}`
  return {
    name: `${namespace}/${name}`,
    async read(signal) {
      try {
        return parseLease(await client.get(path, { signal, action: `Cannot read ${called}` }))
      } catch (error) {
        if (hasCode(error, 'not-found')) return undefined
        throw error
      }
    },
    async create(claim, signal) {
      const action = `Cannot create ${called}`
      const body = { ...KIND, metadata: { name, namespace }, spec: specOf(claim) }
      try {
        return await written(client.write(collection, { method: 'POST', body, signal, action }))
      } catch (error) {
        if (!hasCode(error, 'not-found')) throw error
        throw new KubedeltaError(
          'usage',
          `${action}: wanted a namespace that exists: create '${namespace}', or name another with --leader-elect-namespace`,
          { cause: error },
        )
      }
    },
    async update({ object }, claim, signal) {
      const spec = { ...recordSchema.parse(object['spec'] ?? {}), ...specOf(claim) }
      const body = { ...object, ...KIND, spec }
      try {
        return await written(client.write(path, { method: 'PUT', body, signal, action: `Cannot update ${called}` }))
      } catch (error) {
        // Deleted meanwhile: the next read finds that out.
        if (hasCode(error, 'not-found')) return { kind: 'conflict' }
        throw error
      }
    },
  }
}

const KIND = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }

async function written(answer: Promise<unknown>): Promise<LeaseWritten> {
  try {
    return { kind: 'written', lease: parseLease(await answer) }
  } catch (error) {
    if (hasCode(error, 'server') && error.fields.status === 409) return { kind: 'conflict' }
    throw error
  }
}

function specOf({ holder, durationMs, acquireTime, renewTime, transitions }: LeaseClaim): object {
  return {
    holderIdentity: holder,
    // Whole seconds, at least one: rounded up, so that nobody takes it too early.
    leaseDurationSeconds: Math.max(1, Math.ceil(durationMs / 1000)),
    acquireTime,
    renewTime,
    leaseTransitions: transitions,
  }
}

/** The form of times in a Lease: the apiserver takes microseconds, no more and no less. (apimachinery meta/v1, MicroTime) */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}

const recordSchema = z.record(z.string(), z.unknown())
const leaseSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .nullish(),
})

function parseLease(answer: unknown): Lease {
  const parsed = leaseSchema.safeParse(answer)
  if (!parsed.success) {
    throw new KubedeltaError('server', `Cannot read Lease: the answer is none: ${z.prettifyError(parsed.error)}`)
  }
  const { spec } = parsed.data
  return {
    object: parsed.data,
    claim: {
      holder: spec?.holderIdentity ?? '',
      durationMs: (spec?.leaseDurationSeconds ?? 0) * 1000,
      acquireTime: spec?.acquireTime ?? '',
      renewTime: spec?.renewTime ?? '',
      transitions: spec?.leaseTransitions ?? 0,
    },
  }
}
