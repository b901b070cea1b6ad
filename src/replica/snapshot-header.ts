// The header of a replica's snapshot, and the reasons why one is not resumed.

import { KubedeltaError } from '../base/errors.ts'
import { isFields } from '../base/fields.ts'
import { controlKey, fromHeaders, toHeaders, type Control, type Progress } from '../record/control.ts'
import type { RecordHeader } from '../record/headers.ts'
import { contactLimitMs } from './rebuild.ts'
import type { TopicLook } from './topic-look.ts'

/** Where a snapshot stands in one partition. */
export interface SnapshotPartition {
  readonly position: number
  /** Of the last batch before the position; undefined where the log has none. */
  readonly leaderEpoch: number | undefined
  /** The newest with synced=true before the position. */
  readonly progress: Progress
}

/** What a snapshot is of, and from where it may be gone on from. */
export interface SnapshotHeader {
  readonly topic: string
  readonly resource: string
  /** `contentFingerprint` of what the cache keeps of its topic. */
  readonly content: string
  /** undefined where the log knows none. */
  readonly topicId: string | undefined
  readonly topicPartitions: number
  /** How many partitions keys are spread over. */
  readonly partitionCount: number
  /**
   * All that stood on the topic at this moment is in the snapshot. Milliseconds since the Unix epoch, by the clock of the machine that
   * wrote it.
   */
  readonly caughtUpAtMs: number
  /** The newest control record. */
  readonly control: Control
  readonly partitions: ReadonlyMap<number, SnapshotPartition>
  /** Fingerprint -> text of the schemas seen. */
  readonly schemas: Readonly<Record<string, string>>
  readonly brokenBatches: number
}

/**
 * Why a snapshot is not resumed. `corrupt` and `foreign` (of another topic, resource, selection or version) are set aside; the others
 * were good once:
 *
 * - `too-old`: what was deleted since may have left no trace, after more than half of delete.retention.ms.
 * - `clock`: it is of a time to come, so that its age cannot be told.
 * - `topic-recreated`, `partitions-changed`, `offset-out-of-range`: the topic is not what it was of.
 */
export type SnapshotRefusal =
  'corrupt' | 'foreign' | 'too-old' | 'clock' | 'topic-recreated' | 'partitions-changed' | 'offset-out-of-range'

/** The topic and the cache as they are now. */
export interface SnapshotWanted extends Pick<SnapshotHeader, 'topic' | 'resource' | 'content' | 'topicPartitions'> {
  readonly look: TopicLook
  readonly earliest: ReadonlyMap<number, number>
}

/** Why a snapshot is not one to go on from; undefined where it is. */
export function refusalOf(header: SnapshotHeader, wanted: SnapshotWanted): SnapshotRefusal | undefined {
  const { look, earliest } = wanted
  const isOwn = (['topic', 'resource', 'content'] as const).every((name) => header[name] === wanted[name])
  if (!isOwn) return 'foreign'
  if (header.topicId !== look.topicId) return 'topic-recreated'
  if (header.topicPartitions !== wanted.topicPartitions) return 'partitions-changed'
  // The wall clock of the reader, not the asOf of the bridge: how long nothing was read counts, and a bridge may have been away as well.
  if (header.caughtUpAtMs > look.atMs) return 'clock'
  if (look.atMs - header.caughtUpAtMs >= contactLimitMs(look.deleteRetentionMs)) return 'too-old'
  const isInRange = [...header.partitions].every(
    ([partition, { position }]) =>
      position >= (earliest.get(partition) ?? Infinity) && position <= (look.ends.get(partition) ?? -1),
  )
  return isInRange ? undefined : 'offset-out-of-range'
}

/** The header as JSON holds it; control records in the form that they have on the topic. */
export function printHeader({ partitions, control, ...rest }: SnapshotHeader): unknown {
  return {
    ...rest,
    control: printControl(control),
    partitions: [...partitions].map(([partition, { position, leaderEpoch, progress }]) => ({
      partition,
      position,
      leaderEpoch,
      progress: printControl(progress),
    })),
  }
}

/** @throws KubedeltaError `corrupt` for anything that `printHeader` does not make */
export function parseHeader(value: unknown): SnapshotHeader {
  const header = fieldsOf(value)
  const control = parseControl(header['control'])
  const listed = header['partitions']
  if (!Array.isArray(listed) || listed.length === 0) throw wrong('partitions', listed)
  const partitions = new Map(listed.map((each: unknown) => parsePartition(fieldsOf(each))))
  return {
    topic: text(header, 'topic'),
    resource: text(header, 'resource'),
    content: text(header, 'content'),
    topicId: header['topicId'] === undefined ? undefined : text(header, 'topicId'),
    topicPartitions: integer(header, 'topicPartitions'),
    partitionCount: integer(header, 'partitionCount'),
    caughtUpAtMs: integer(header, 'caughtUpAtMs'),
    control,
    partitions,
    schemas: texts(header['schemas']),
    brokenBatches: integer(header, 'brokenBatches'),
  }
}

function parsePartition(fields: Fields): readonly [number, SnapshotPartition] {
  const progress = parseControl(fields['progress'])
  if (progress.kind !== 'progress') throw wrong('progress', progress.kind)
  const leaderEpoch = fields['leaderEpoch'] === undefined ? undefined : integer(fields, 'leaderEpoch')
  return [integer(fields, 'partition'), { position: integer(fields, 'position'), leaderEpoch, progress }]
}

function printControl(control: Control): unknown {
  return { key: controlKey(control), headers: toHeaders(control) }
}

function parseControl(value: unknown): Control {
  const fields = fieldsOf(value)
  const headers = fields['headers']
  if (!Array.isArray(headers)) throw wrong('headers', headers)
  const parsed: readonly RecordHeader[] = headers.map((each: unknown) => {
    const header = fieldsOf(each)
    return { name: text(header, 'name'), value: text(header, 'value') }
  })
  const control = fromHeaders(text(fields, 'key'), parsed)
  if (control === undefined) throw wrong('key', fields['key'])
  return control
}

type Fields = Readonly<Record<string, unknown>>

/** @throws KubedeltaError `corrupt` for what is no JSON object */
export function fieldsOf(value: unknown): Fields {
  if (!isFields(value)) throw wrong('an object', value)
  return value
}

function texts(value: unknown): Readonly<Record<string, string>> {
  const fields = fieldsOf(value)
  return Object.fromEntries(Object.keys(fields).map((name) => [name, text(fields, name)]))
}

/** @throws KubedeltaError `corrupt` */
export function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw wrong(name, value)
  return value
}

/** @throws KubedeltaError `corrupt` */
export function integer(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(name, value)
  return value
}

function wrong(name: string, value: unknown): KubedeltaError {
  return new KubedeltaError(
    'corrupt',
    `Cannot read snapshot: its header must hold ${name}: current value is ${JSON.stringify(value)?.slice(0, 100)}`,
  )
}
