// Control records: tombstones of reserved keys whose headers say who writes a topic and how far it has come.

import type { DigestSum } from './digest.ts'
import { readHeaders } from './headers.ts'
import type { HeaderReader, RecordHeader } from './headers.ts'

/** Who writes a topic, as what and for what; in every control record. */
export interface Leadership {
  /** UID of the cluster (of its namespace kube-system, where that may be read). */
  readonly clusterId: string
  /** Name of the cluster, as in the records. */
  readonly cluster: string
  /** Random id of this topic's content: another one means that the content began anew. */
  readonly streamId: string
  readonly epoch: number
  /** The broker's producer id, decimal; '' where the log has none. */
  readonly producerId: string
  /** Who leads: the holder of the Lease, or the host and process. */
  readonly holder: string
  /** When this was written; milliseconds since the Unix epoch. */
  readonly asOf: number
  /** The partition count this content was spread over. */
  readonly partitions: number
  /** `scopeText` of what the bridge selects. */
  readonly scope: string
  /** Canonical text of what the bridge does to objects before publishing. */
  readonly policy: string
  /** Writer schemas of the records: fingerprint as 16 hexadecimal digits -> parsing canonical form. */
  readonly schemas: Readonly<Record<string, string>>
}

/** A new leadership begins: whatever an older one writes behind this record, the broker refuses. */
export interface Fence extends Leadership {
  readonly kind: 'fence'
}

/** Everything up to this resourceVersion stands before this record, in its partition. */
export interface Progress extends Leadership {
  readonly kind: 'progress'
  /** The first list, or the repair at start, is complete. */
  readonly synced: boolean
  /** '' before the first list is complete. */
  readonly resourceVersion: string
  /**
   * The newest resourceVersion that the cluster had shown by then. A higher one before this record, in its partition, is of a history that
   * ended when an etcd was restored to an older state. Absent from records of versions that did not say it.
   */
  readonly newestResourceVersion?: string
}

/** What this record's partition holds where it stands: the sum over the last records of all keys before it. */
export interface DigestRecord extends Leadership, DigestSum {
  readonly kind: 'digest'
  /** How it was made: `DIGEST_ALGORITHM`, or one of a later version. */
  readonly algorithm: string
}

export type Control = Fence | Progress | DigestRecord

/** The Kafka keys of control records. No Kubernetes key can begin like this: neither a namespace nor a name holds `$` and `/`. */
export const reservedKeys = {
  fence: '$kubedelta/fence',
  progress: '$kubedelta/progress',
  digest: '$kubedelta/digest',
} as const

/** Whether a key belongs to a control record, known to this version or not. */
export function isReservedKey(key: string): boolean {
  return key.startsWith(RESERVED_PREFIX)
}

/** The key that a control record stands under. */
export function controlKey(control: Control): string {
  return reservedKeys[control.kind]
}

/** The content of a control record as headers: one a field, lists and maps as JSON. */
export function toHeaders(control: Control): readonly RecordHeader[] {
  return [
    { name: 'clusterId', value: control.clusterId },
    { name: 'cluster', value: control.cluster },
    { name: 'streamId', value: control.streamId },
    { name: 'epoch', value: String(control.epoch) },
    { name: 'producerId', value: control.producerId },
    { name: 'holder', value: control.holder },
    ...ownHeaders(control),
    { name: 'asOf', value: String(control.asOf) },
    { name: 'partitions', value: String(control.partitions) },
    { name: 'scope', value: control.scope },
    { name: 'policy', value: control.policy },
    { name: 'schemas', value: JSON.stringify(control.schemas) },
  ]
}

/**
 * Reads a control record; headers that are not known are passed over.
 * @returns undefined for a reserved key that this version does not read
 * @throws KubedeltaError `corrupt` when a header is missing or has another form
 */
export function fromHeaders(key: string, headers: readonly RecordHeader[]): Control | undefined {
  if (key === reservedKeys.fence) {
    return { kind: 'fence', ...leadership(readHeaders('fence record', headers)) }
  }
  if (key === reservedKeys.progress) {
    const read = readHeaders('progress record', headers)
    const how = { synced: read.flag('synced'), resourceVersion: read.text('resourceVersion') }
    const newestResourceVersion = read.optionalText('newestResourceVersion')
    const newest = newestResourceVersion === undefined ? {} : { newestResourceVersion }
    return { kind: 'progress', ...leadership(read), ...how, ...newest }
  }
  if (key === reservedKeys.digest) {
    const read = readHeaders('digest record', headers)
    const sum = { algorithm: read.text('algorithm'), count: read.integer('count'), digest: read.text('digest') }
    return { kind: 'digest', ...leadership(read), ...sum }
  }
  return undefined
}

const RESERVED_PREFIX = '$kubedelta/'

function ownHeaders(control: Control): readonly RecordHeader[] {
  switch (control.kind) {
    case 'fence':
      return []
    case 'progress':
      return [
        { name: 'synced', value: String(control.synced) },
        { name: 'resourceVersion', value: control.resourceVersion },
        ...(control.newestResourceVersion === undefined
          ? []
          : [{ name: 'newestResourceVersion', value: control.newestResourceVersion }]),
      ]
    case 'digest':
      return [
        { name: 'algorithm', value: control.algorithm },
        { name: 'count', value: String(control.count) },
        { name: 'digest', value: control.digest },
      ]
    default:
      return control satisfies never
  }
}

function leadership(read: HeaderReader): Leadership {
  return {
    clusterId: read.text('clusterId'),
    cluster: read.text('cluster'),
    streamId: read.text('streamId'),
    epoch: read.integer('epoch'),
    producerId: read.text('producerId'),
    holder: read.text('holder'),
    asOf: read.integer('asOf'),
    partitions: read.integer('partitions'),
    scope: read.text('scope'),
    policy: read.text('policy'),
    schemas: read.texts('schemas'),
  }
}
