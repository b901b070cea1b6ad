// Compares what a topic says about its writer with what this bridge is, before anything is written or fenced.

import { KubedeltaError } from '../base/errors.ts'
import type { Control } from '../record/control.ts'

export interface WantedIdentity {
  readonly topic: string
  readonly clusterId: string
  readonly cluster: string
  readonly scope: string
  /** The topic's partition count now. */
  readonly partitions: number
  /** `--adopt-topic`: write to a topic of another cluster or writer all the same. */
  readonly adoptTopic: boolean
  /** `--apply-scope-change`: what is no longer selected is deleted from the topic. */
  readonly applyScopeChange: boolean
}

export interface FoundIdentity {
  /** The newest control record; undefined where there is none, or where all have expired. */
  readonly control: Control | undefined
  /** Names of the clusters that the topic's records are of. */
  readonly clusters: ReadonlySet<string>
  /** Keys that the topic holds, readable or not. */
  readonly keys: number
}

/** Whether the topic's content goes on, or another one begins on it. */
export type Continuity = { readonly kind: 'same-cluster' } | { readonly kind: 'other-cluster' }

/**
 * Whether this bridge may write to the topic, and as what.
 * @throws KubedeltaError `topic-foreign`, `scope-changed`, `partitions-changed`, each with the way out
 */
export function checkIdentity(found: FoundIdentity, wanted: WantedIdentity): Continuity {
  const { control } = found
  const foreign = control === undefined ? foreignRecords(found, wanted) : foreignControl(control, wanted)
  if (foreign !== undefined && !wanted.adoptTopic) {
    throw new KubedeltaError(
      'topic-foreign',
      `Cannot write to topic ${wanted.topic}: ${foreign}; give this cluster another --cluster name or --prefix, or take the topic over with --adopt-topic`,
      { fields: { topic: wanted.topic } },
    )
  }
  if (control !== undefined && control.partitions !== wanted.partitions) {
    throw new KubedeltaError(
      'partitions-changed',
      `Cannot write to topic ${wanted.topic}: it was written with ${control.partitions} partitions: current value is ${wanted.partitions}; keys would stand in two partitions, so delete the topic or use another --prefix`,
      { fields: { topic: wanted.topic } },
    )
  }
  if (control !== undefined && foreign === undefined && control.scope !== wanted.scope && !wanted.applyScopeChange) {
    throw new KubedeltaError(
      'scope-changed',
      `Cannot write to topic ${wanted.topic}: it was written with the scope '${control.scope}': current value is '${wanted.scope}'; publish the difference with --apply-scope-change, or use another --prefix`,
      { fields: { topic: wanted.topic } },
    )
  }
  return { kind: foreign === undefined ? 'same-cluster' : 'other-cluster' }
}

function foreignControl(control: Control, wanted: WantedIdentity): string | undefined {
  if (control.clusterId === wanted.clusterId) return undefined
  return `it belongs to the cluster '${control.cluster}' with id ${control.clusterId}: current value is '${wanted.cluster}' with id ${wanted.clusterId}`
}

// Control records expire when nothing writes for delete.retention.ms; then the records themselves have to speak.
function foreignRecords({ clusters, keys }: FoundIdentity, { cluster }: WantedIdentity): string | undefined {
  if (keys === 0) return undefined
  const others = [...clusters].filter((name) => name !== cluster)
  if (clusters.size > 0 && others.length === 0) return undefined
  const holder = clusters.size === 0 ? 'no kubedelta bridge' : `the cluster '${others.join("', '")}'`
  return `its records must be of the cluster '${cluster}': current value is ${keys} keys of ${holder}`
}
