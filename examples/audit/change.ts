// Turns the records of a topic into changes: who changed what, from which state to which.

import type { RecordEntry, TombstoneEntry } from 'kubedelta/consumer'
import { mergePatch } from './merge-patch.ts'

/** What an audit needs to know of an object. */
export interface AuditedObject {
  readonly metadata?: {
    readonly managedFields?: readonly ManagedFields[]
    readonly [field: string]: unknown
  }
  readonly [field: string]: unknown
}

/** Who wrote fields of an object, as the apiserver keeps it. */
interface ManagedFields {
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly time?: string
}

export interface Actor {
  /** `unknown` where the object does not say. */
  readonly manager: string
  /** `Apply` or `Update`. */
  readonly operation?: string
  readonly subresource?: string
}

export interface Change {
  /** When the bridge saw it. */
  readonly time: string
  readonly resource: string
  readonly key: string
  readonly op: 'ADDED' | 'UPDATED' | 'DELETED'
  readonly actor: Actor
  readonly uid: string
  readonly resourceVersion: string
  /** From the state before to the state after; the whole object where it is added, null where it is deleted. */
  readonly patch: unknown
}

interface State {
  readonly uid: string
  readonly resourceVersion: string
  /** null where the bridge had to withhold the object. */
  readonly bytes: Buffer | null
}

/**
 * The last state of each object of a topic.
 *
 * - A state that is known already is no change: a topic that is read again tells only what was missed.
 * - After a reading from the start, what did not come is gone: `sweep` says so.
 */
export class States {
  readonly #resource: string
  readonly #states = new Map<string, State>()
  #seen: Set<string> | undefined

  constructor(resource: string) {
    this.#resource = resource
  }

  /** The topic is read from its start. */
  begin(): void {
    this.#seen = new Set()
  }

  /** Takes a record, and returns the change that it is; undefined where nothing changed. */
  take(entry: RecordEntry<AuditedObject> | TombstoneEntry): Change | undefined {
    const { key } = entry
    const before = this.#states.get(key)
    if (entry.kind === 'tombstone') return before && this.#deleted(key, before, entry.observedAt)
    const { bytes, record } = entry
    const { op, uid, resourceVersion, observedAt } = record
    if (op === 'DELETED') {
      // Of an object that was never seen, or is gone already.
      return before && this.#deleted(key, { uid, resourceVersion }, observedAt)
    }
    this.#seen?.add(key)
    this.#states.set(key, { uid, resourceVersion, bytes })
    const isKnown = before?.uid === uid
    if (isKnown && before.resourceVersion === resourceVersion) return undefined
    const from = isKnown ? parse(before.bytes) : undefined
    const to = parse(bytes)
    return {
      time: timeOf(observedAt),
      resource: this.#resource,
      key,
      op: isKnown ? 'UPDATED' : 'ADDED',
      actor: actorOf(from, to),
      uid,
      resourceVersion,
      patch: patchOf(from, to),
    }
  }

  /** Everything has come: what did not is gone, and nobody saw when. */
  sweep(nowMs: number): readonly Change[] {
    const seen = this.#seen
    this.#seen = undefined
    if (seen === undefined) return []
    return [...this.#states].flatMap(([key, state]) => (seen.has(key) ? [] : [this.#deleted(key, state, nowMs)]))
  }

  #deleted(key: string, { uid, resourceVersion }: Omit<State, 'bytes'>, timeMs: number): Change {
    this.#states.delete(key)
    // Managed fields say who wrote, never who deleted.
    const actor: Actor = { manager: 'unknown' }
    const resource = this.#resource
    return { time: timeOf(timeMs), resource, key, op: 'DELETED', actor, uid, resourceVersion, patch: null }
  }
}

/** The newest entry of managedFields whose time is another one than before. */
export function actorOf(before: AuditedObject | undefined, after: AuditedObject | undefined): Actor {
  const known = new Set(managedBy(before).map(identityOf))
  const changed = managedBy(after).filter((entry) => !known.has(identityOf(entry)))
  const [newest] = changed.toSorted((a, b) => (b.time ?? '').localeCompare(a.time ?? ''))
  const { manager = 'unknown', operation, subresource } = newest ?? {}
  return {
    manager,
    ...(operation === undefined ? {} : { operation }),
    ...(subresource === undefined ? {} : { subresource }),
  }
}

function managedBy(object: AuditedObject | undefined): readonly ManagedFields[] {
  return object?.metadata?.managedFields ?? []
}

function identityOf({ manager, operation, subresource, time }: ManagedFields): string {
  return JSON.stringify([manager, operation, subresource, time])
}

/** What the apiserver counts and keeps beside the object is no change of it, and told elsewhere in the line. */
function patchOf(before: AuditedObject | undefined, after: AuditedObject | undefined): unknown {
  return mergePatch(before && bare(before), after && bare(after)) ?? {}
}

function bare(object: AuditedObject): object {
  const { managedFields: _managedFields, resourceVersion: _resourceVersion, ...metadata } = object.metadata ?? {}
  return { ...object, metadata }
}

function parse(bytes: Buffer | null): AuditedObject | undefined {
  if (bytes === null) return undefined
  const object: AuditedObject = JSON.parse(bytes.toString('utf8'))
  return object
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
