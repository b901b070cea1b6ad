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
  /**
   * All that stood on the topic at this moment is visible; undefined before anything is. It goes on while the topic is silent, and stands
   * still while its log cannot be reached or the cache falls behind. Milliseconds since the Unix epoch, by this machine's clock.
   */
  readonly contactAt: number | undefined
  /** How long ago `contactAt` was. Milliseconds. */
  readonly staleMs: number | undefined
  /** Record batches passed over because they do not decode: whose keys they held nobody knows. */
  readonly brokenBatches: number
  /** undefined before a control record was read. */
  readonly stream: StreamInfo | undefined
}

/** What a status is told from. */
export interface StatusSource {
  /** The reading that is under way; undefined before the first. */
  readonly reading: Reading | undefined
  /** The reading whose content is visible, which may be one that has ended; undefined while none is. */
  readonly shown: { readonly reading: Reading; readonly contactAtMs: number } | undefined
  readonly brokenBatches: number
  readonly nowMs: number
}

/**
 * The status of a replica: how far the reading under way has come, and how old the content is that can be seen. While nothing can be seen
 * yet, the latter is told of what has been read so far.
 */
export function replicaStatus({ reading, shown, brokenBatches, nowMs }: StatusSource): ReplicaStatus {
  if (reading === undefined) return NOTHING
  const { state, control } = reading
  const partitions = new Map(
    [...reading.partitions].map(([number, partition]) => [number, offsetsOf(partition, state)]),
  )
  const told = shown?.reading ?? reading
  const progress = progressOf(told)
  return {
    state,
    offsets: {
      done: sum(partitions, ({ done }) => done),
      toDo: sum(partitions, ({ toDo }) => toDo),
    },
    partitions,
    asOf: progress && Math.min(...progress.map(({ asOf }) => asOf)),
    resourceVersion: resourceVersionOf(told),
    contactAt: shown?.contactAtMs,
    staleMs: shown && Math.max(0, nowMs - shown.contactAtMs),
    brokenBatches,
    stream: control && streamOf(control),
  }
}

const NOTHING: ReplicaStatus = {
  state: 'Recovering',
  offsets: { done: 0, toDo: 0 },
  partitions: new Map(),
  asOf: undefined,
  resourceVersion: undefined,
  contactAt: undefined,
  staleMs: undefined,
  brokenBatches: 0,
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
