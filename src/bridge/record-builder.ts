// Fills the fields of records from what was seen, or from what the topic held.

import { splitKey } from '../object/key.ts'
import type { RawObject } from '../object/raw-object.ts'
import type { Resource } from '../object/resource.ts'
import type { Cause, KubeRecord, Previous } from '../record/record.ts'

/** What all records of one bridge and resource have in common. */
export interface RecordOrigin {
  readonly resource: Resource
  readonly cluster: string
  /** The leadership that writes. */
  readonly epoch: number
}

/** An object as it was seen, and as it is published. */
export interface SeenFacts {
  readonly object: RawObject
  /** After policies; null where it is withheld. */
  readonly bytes: Buffer | null
  readonly observedAt: number
  readonly cause: Cause
}

/** An object whose end nobody saw. */
export interface MissedFacts {
  readonly previous: Previous
  /** The last state known. */
  readonly object: Buffer | null
  readonly observedAt: number
  readonly cause: Cause
}

export class RecordBuilder {
  /** Whether this stream has had no progress record with synced=true yet. */
  initial: boolean
  readonly #origin: RecordOrigin

  constructor(origin: RecordOrigin, initial: boolean) {
    this.#origin = origin
    this.initial = initial
  }

  /** A record of an object that was listed or watched. */
  seen(op: 'ADDED' | 'UPDATED' | 'DELETED', facts: SeenFacts, previous: Previous | null): KubeRecord {
    const { object, bytes, cause, observedAt } = facts
    const { namespace, name, uid, resourceVersion } = object
    return this.#complete({ op, cause, namespace, name, uid, resourceVersion, previous, observedAt, object: bytes })
  }

  /** A DELETED with `finalStateUnknown`: uid and resourceVersion are the last known. */
  missed(key: string, facts: MissedFacts): KubeRecord {
    const { previous } = facts
    return { ...this.#complete({ op: 'DELETED', ...splitKey(key), ...previous, ...facts }), finalStateUnknown: true }
  }

  #complete(record: Distinct): KubeRecord {
    const { cluster, epoch, resource } = this.#origin
    const { op, cause, namespace, name, uid, resourceVersion, previous, observedAt, object } = record
    return {
      op,
      cause,
      finalStateUnknown: false,
      initial: this.initial,
      cluster,
      group: resource.group,
      version: resource.version,
      resource: resource.resource,
      kind: resource.kind,
      namespace: namespace === '' ? null : namespace,
      name,
      uid,
      resourceVersion,
      previous,
      observedAt,
      epoch,
      object,
    }
  }
}

type Distinct = Pick<
  KubeRecord,
  'op' | 'cause' | 'name' | 'uid' | 'resourceVersion' | 'previous' | 'observedAt' | 'object'
> & { readonly namespace: string }
