// Tells how far a replica is, in offsets and in the bridge's words.

import type { Leadership } from '../record/control.ts'
import { progressOf, resourceVersionOf, type PartitionReading, type Reading, type ReplicaState } from './reading.ts'

/** How far one partition, or all of them, has been read. Offsets: compaction leaves gaps, so there may be fewer records. */
export interface OffsetProgress {
  readonly done: number
  /** To what was the end at the start while recovering, later to the end as last heard. */
  readonly toDo: number
}

/** Who writes the topic, as the newest control record says. */
export type StreamInfo = Pick<
  Leadership,
  'streamId' | 'epoch' | 'clusterId' | 'cluster' | 'holder' | 'scope' | 'policy' | 'partitions'
>

export interface ReplicaStatus {
  readonly state: ReplicaState
  /** All partitions together. */
  readonly offsets: OffsetProgress
  /** Partition -> its progress; empty before the topic was found. */
  readonly partitions: ReadonlyMap<number, OffsetProgress>
  /**
   * When the bridge wrote the progress record that has been reached on every partition; undefined before. Milliseconds since the
   * Unix epoch, by the bridge's clock.
   */
  readonly asOf: number | undefined
  /** Everything up to this resourceVersion has been read; undefined before a progress record on every partition. */
  readonly resourceVersion: string | undefined
  /** undefined before a control record was read. */
  readonly stream: StreamInfo | undefined
}

/** The status of a reading; of none before the first. */
export function replicaStatus(reading: Reading | undefined): ReplicaStatus {
  if (reading === undefined) return NOTHING
  const { state, control } = reading
  const partitions = new Map(
    [...reading.partitions].map(([number, partition]) => [number, offsetsOf(partition, state)]),
  )
  const progress = progressOf(reading)
  return {
    state,
    offsets: {
      done: sum(partitions, ({ done }) => done),
      toDo: sum(partitions, ({ toDo }) => toDo),
    },
    partitions,
    asOf: progress && Math.min(...progress.map(({ asOf }) => asOf)),
    resourceVersion: resourceVersionOf(reading),
    stream: control && streamOf(control),
  }
}

const NOTHING: ReplicaStatus = {
  state: 'Recovering',
  offsets: { done: 0, toDo: 0 },
  partitions: new Map(),
  asOf: undefined,
  resourceVersion: undefined,
  stream: undefined,
}

function offsetsOf({ start, position, target, end }: PartitionReading, state: ReplicaState): OffsetProgress {
  const goal = state === 'Recovering' ? target : end
  return { done: position - start, toDo: Math.max(0, goal - position) }
}

function streamOf(control: Leadership): StreamInfo {
  const { streamId, epoch, clusterId, cluster, holder, scope, policy, partitions } = control
  return { streamId, epoch, clusterId, cluster, holder, scope, policy, partitions }
}

function sum(partitions: ReadonlyMap<number, OffsetProgress>, of: (progress: OffsetProgress) => number): number {
  return [...partitions.values()].reduce((total, progress) => total + of(progress), 0)
}
