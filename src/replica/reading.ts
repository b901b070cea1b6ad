// Follows how far one reading of a topic from its start has come: Recovering, CatchingUp, Live.

import type { Control, Progress } from '../record/control.ts'
import { compareResourceVersions } from '../object/resource-version.ts'

/**
 * How far a replica is, in this order:
 *
 * - `Recovering`: reads what stood on the topic when it began.
 * - `CatchingUp`: has read that, and waits for the bridge to say on every partition that its first list is complete.
 * - `Live`: holds all of it and follows.
 */
export type ReplicaState = 'Recovering' | 'CatchingUp' | 'Live'

/** The order of the states. */
export const STATES: readonly ReplicaState[] = ['Recovering', 'CatchingUp', 'Live']

/** One partition of a reading. Offsets. */
export interface PartitionReading {
  /** Where the reading began. */
  readonly start: number
  /** The partition's end when the reading began. */
  readonly target: number
  /** Behind the last offset read; compaction leaves gaps, so it says nothing of the number of records. */
  readonly position: number
  /** The partition's end as last heard. */
  readonly end: number
  /** The newest with synced=true, of whatever stream. */
  readonly progress: Progress | undefined
}

/** One reading of a topic, from its start or from where a snapshot stood. */
export interface Reading {
  readonly partitions: ReadonlyMap<number, PartitionReading>
  /** How many partitions keys are spread over, read or not. */
  readonly partitionCount: number
  /** `goes-on` where a content was there before: any other stream is news then, wherever it begins. */
  readonly origin: 'start' | 'goes-on'
  /** The control record of the highest epoch, the newest of it: its stream is the topic's. */
  readonly control: Control | undefined
  /** Ids of all streams seen. */
  readonly streams: ReadonlySet<string>
  readonly state: ReplicaState
}

export type ReadingInput =
  | { readonly kind: 'moved'; readonly partition: number; readonly position: number; readonly end: number }
  | { readonly kind: 'control'; readonly partition: number; readonly offset: number; readonly control: Control }

/**
 * What is to be done: go on; or begin anew, because a stream that nobody knew began behind the end that was there at the start, or
 * behind the snapshot, so that the topic may be another one.
 */
export type ReadingStep = { readonly kind: 'go-on'; readonly reading: Reading } | { readonly kind: 'new-stream' }

/** Where a reading begins and what it has to reach: partition -> offset. */
export interface ReadingRange {
  readonly from: ReadonlyMap<number, number>
  readonly until: ReadonlyMap<number, number>
  readonly partitionCount: number
  /** What a snapshot says of what stands before `from`. */
  readonly known?: KnownBefore
}

/** What was read before a reading began. */
export interface KnownBefore {
  readonly control: Control
  /** Partition -> its newest progress with synced=true. */
  readonly progress: ReadonlyMap<number, Progress>
}

/** A reading that has read nothing yet. */
export function beginReading({ from, until, partitionCount, known }: ReadingRange): Reading {
  const partitions = new Map(
    [...from].map(([partition, start]) => {
      const target = until.get(partition) ?? start
      const progress = known?.progress.get(partition)
      return [partition, { start, target, position: start, end: target, progress }]
    }),
  )
  return settled({
    partitions,
    partitionCount,
    origin: known === undefined ? 'start' : 'goes-on',
    control: known?.control,
    streams: new Set(known === undefined ? [] : [known.control.streamId]),
    state: 'Recovering',
  })
}

/** The next reading; a state is never left for a lower one. */
export function stepReading(reading: Reading, input: ReadingInput): ReadingStep {
  const partition = reading.partitions.get(input.partition)
  if (partition === undefined) return { kind: 'go-on', reading }
  switch (input.kind) {
    case 'moved': {
      const moved = { ...partition, position: input.position, end: input.end }
      return { kind: 'go-on', reading: settled(withPartition(reading, input.partition, moved)) }
    }
    case 'control':
      return stepControl(reading, partition, input)
    default:
      return input satisfies never
  }
}

/** The newest synced progress of each partition, of the topic's stream; undefined while one is missing. */
export function progressOf({ partitions, partitionCount, control }: Reading): readonly Progress[] | undefined {
  const records = [...partitions.values()].flatMap(({ progress }) =>
    // Keys that were spread in another way stand elsewhere: such a progress does not speak of what was read.
    progress?.streamId === control?.streamId && progress?.partitions === partitionCount ? [progress] : [],
  )
  return records.length === partitions.size && records.length > 0 ? records : undefined
}

/** Everything up to this resourceVersion has been read; undefined before every partition said so, or where it cannot be compared. */
export function resourceVersionOf(reading: Reading): string | undefined {
  const [first, ...rest] = progressOf(reading) ?? []
  return rest.reduce(
    (oldest, { resourceVersion }) =>
      (compareResourceVersions(resourceVersion, oldest ?? '') ?? 0) < 0 ? resourceVersion : oldest,
    first?.resourceVersion,
  )
}

function stepControl(
  reading: Reading,
  partition: PartitionReading,
  { partition: number, offset, control }: Extract<ReadingInput, { readonly kind: 'control' }>,
): ReadingStep {
  const { streamId } = control
  // Behind the old end and after another stream: the topic was created anew, or taken over by another cluster. In what stood there
  // before, several streams are history; a late record of a known one is an old leader's.
  const isUnknown = reading.control !== undefined && !reading.streams.has(streamId)
  if (isUnknown && (reading.origin === 'goes-on' || offset >= partition.target)) return { kind: 'new-stream' }

  const streams = reading.streams.has(streamId) ? reading.streams : new Set([...reading.streams, streamId])
  const isNewest = reading.control === undefined || control.epoch >= reading.control.epoch
  const newest = isNewest ? control : reading.control
  const progress = control.kind === 'progress' && control.synced ? control : partition.progress
  const next = withPartition({ ...reading, streams, control: newest }, number, { ...partition, progress })
  return { kind: 'go-on', reading: settled(next) }
}

function withPartition(reading: Reading, number: number, partition: PartitionReading): Reading {
  return { ...reading, partitions: new Map(reading.partitions).set(number, partition) }
}

function settled(reading: Reading): Reading {
  const reached = reachedState(reading)
  return STATES.indexOf(reached) > STATES.indexOf(reading.state) ? { ...reading, state: reached } : reading
}

function reachedState(reading: Reading): ReplicaState {
  const isRecovered = [...reading.partitions.values()].every(({ position, target }) => position >= target)
  if (!isRecovered) return 'Recovering'
  return progressOf(reading) === undefined ? 'CatchingUp' : 'Live'
}
