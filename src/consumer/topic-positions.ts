// Follows how far a stream of records has come, as positions that it can be resumed from.

import type { Control } from '../record/control.ts'
import type { ReadBatch } from '../topic/port.ts'
import { Contact } from '../replica/contact.ts'
import { contactLimitMs, type RebuildReason } from '../replica/rebuild.ts'
import type { TopicLook } from '../replica/topic-look.ts'
import type { TopicRange } from '../replica/topic-range.ts'

/** How far one partition has been read. */
export interface PartitionPosition {
  readonly partition: number
  /** Behind the last record that was passed: the next one to read. */
  readonly offset: number
  /** Of the last batch that was passed; absent where the log has none. */
  readonly leaderEpoch?: number
  /** Whether the bridge has said on this partition that its first list is complete. */
  readonly synced: boolean
}

/** Where a stream of records goes on. Plain JSON: keep it as text, in the transaction that keeps what the records led to. */
export interface TopicPositions {
  readonly topic: string
  /** Absent where the log knows none. */
  readonly topicId?: string
  /** Absent before a control record was read. */
  readonly streamId?: string
  /** All that stood on the topic at this moment has been passed, or stands behind the positions. Milliseconds since the Unix epoch. */
  readonly asOf: number
  readonly partitions: readonly PartitionPosition[]
}

/**
 * Why a topic is read from its start: there were no positions (`first`), or what they say can no longer be trusted. `cut-off`: they are
 * older than half of delete.retention.ms, so that what was deleted since may have left no trace.
 */
export type AnewReason = 'first' | Exclude<RebuildReason, 'slow-rebuild' | 'digest-mismatch'>

/** Why these positions are not to be resumed from; undefined where they are. */
export function whyAnew(positions: TopicPositions, { look, earliest }: TopicRange): AnewReason | undefined {
  const { topicId, ends, atMs, deleteRetentionMs } = look
  const { partitions } = positions
  if (topicId !== undefined && positions.topicId !== undefined && positions.topicId !== topicId) {
    return 'topic-recreated'
  }
  const known = new Set(partitions.map(({ partition }) => partition))
  if (known.size !== earliest.size || [...earliest.keys()].some((partition) => !known.has(partition))) {
    return 'partitions-changed'
  }
  const isWithin = partitions.every(
    ({ partition, offset }) => offset >= (earliest.get(partition) ?? 0) && offset <= (ends.get(partition) ?? 0),
  )
  if (!isWithin) return 'offset-out-of-range'
  // Of a time to come: how old they are cannot be told.
  const isCutOff = positions.asOf > atMs || atMs - positions.asOf > contactLimitMs(deleteRetentionMs)
  return isCutOff ? 'cut-off' : undefined
}

interface Followed {
  offset: number
  leaderEpoch: number | undefined
  /** The newest stream that said on this partition that its first list is complete. */
  syncedStream: string | undefined
  /** The end when the reading began. */
  readonly target: number
}

/** One reading of a topic, from its start or from positions. */
export class PositionTracker {
  readonly #topic: string
  readonly #partitions: ReadonlyMap<number, Followed>
  readonly #isResumed: boolean
  readonly #contact: Contact
  /** Ids of all streams seen; another one behind the end that was there at the start is another content. */
  readonly #streams = new Set<string>()
  #topicId: string | undefined
  #deleteRetentionMs: number
  #streamId: string | undefined
  #epoch = 0

  /** @param positions to resume from; undefined: from the start */
  constructor(topic: string, { look, earliest }: TopicRange, positions: TopicPositions | undefined) {
    this.#topic = topic
    this.#topicId = look.topicId
    this.#deleteRetentionMs = look.deleteRetentionMs
    this.#isResumed = positions !== undefined
    this.#streamId = positions?.streamId
    if (this.#streamId !== undefined) this.#streams.add(this.#streamId)
    const before = new Map(positions?.partitions.map((each) => [each.partition, each]))
    this.#partitions = new Map(
      [...earliest].map(([partition, start]) => {
        const { offset = start, leaderEpoch, synced = false } = before.get(partition) ?? {}
        const syncedStream = synced ? positions?.streamId : undefined
        return [partition, { offset, leaderEpoch, syncedStream, target: look.ends.get(partition) ?? start }]
      }),
    )
    // What stood there from the start on was there when the reading began, tombstones included.
    this.#contact = new Contact(this.from, positions?.asOf ?? look.atMs)
    this.#contact.heard(look.atMs, look.ends)
  }

  get streamId(): string | undefined {
    return this.#streamId
  }

  get deleteRetentionMs(): number {
    return this.#deleteRetentionMs
  }

  /** How many partitions the topic has. */
  get partitions(): number {
    return this.#partitions.size
  }

  /** Partition -> where to read on. */
  get from(): ReadonlyMap<number, number> {
    return new Map([...this.#partitions].map(([partition, { offset }]) => [partition, offset]))
  }

  get leaderEpochs(): ReadonlyMap<number, number> {
    return new Map(
      [...this.#partitions].flatMap(([partition, { leaderEpoch }]) =>
        leaderEpoch === undefined ? [] : [[partition, leaderEpoch]],
      ),
    )
  }

  /** What stood there when the reading began has been read, and the bridge has said on every partition that its first list is complete. */
  get isLive(): boolean {
    const streamId = this.#streamId
    if (streamId === undefined) return false
    return [...this.#partitions.values()].every(
      ({ offset, target, syncedStream }) => offset >= target && syncedStream === streamId,
    )
  }

  /** Whether tombstones behind the positions may be gone already. */
  isCutOff(nowMs: number): boolean {
    return nowMs - this.#contact.atMs > contactLimitMs(this.#deleteRetentionMs)
  }

  /** Takes note of how the topic looks now. Returns why it must be read again, if it must. */
  see({ atMs, topicId, deleteRetentionMs, ends }: TopicLook): AnewReason | undefined {
    if (topicId !== undefined && this.#topicId !== undefined && topicId !== this.#topicId) return 'topic-recreated'
    this.#topicId ??= topicId
    this.#deleteRetentionMs = deleteRetentionMs
    this.#contact.heard(atMs, ends)
    return undefined
  }

  /** Takes note of a control record; `new-stream`: the topic may be another one, and is to be read anew. */
  control(partition: number, offset: number, control: Control): 'go-on' | 'new-stream' {
    const followed = this.#partitions.get(partition)
    if (followed === undefined) return 'go-on'
    const { streamId, epoch } = control
    if (this.#streamId !== undefined && !this.#streams.has(streamId)) {
      // In what stood there before, several streams are history.
      if (this.#isResumed || offset >= followed.target) return 'new-stream'
    }
    this.#streams.add(streamId)
    if (this.#streamId === undefined || epoch >= this.#epoch) {
      this.#streamId = streamId
      this.#epoch = epoch
    }
    if (control.kind === 'progress' && control.synced) followed.syncedStream = streamId
    return 'go-on'
  }

  /** Takes note of a batch that was read. */
  moved({ partition, nextOffset, leaderEpoch }: ReadBatch): void {
    const followed = this.#partitions.get(partition)
    if (followed === undefined) return
    followed.offset = nextOffset
    followed.leaderEpoch = leaderEpoch ?? followed.leaderEpoch
    this.#contact.moved(partition, nextOffset)
  }

  positions(): TopicPositions {
    const topicId = this.#topicId
    const streamId = this.#streamId
    return {
      topic: this.#topic,
      ...(topicId === undefined ? {} : { topicId }),
      ...(streamId === undefined ? {} : { streamId }),
      asOf: this.#contact.atMs,
      partitions: [...this.#partitions].map(([partition, { offset, leaderEpoch, syncedStream }]) => ({
        partition,
        offset,
        ...(leaderEpoch === undefined ? {} : { leaderEpoch }),
        synced: syncedStream !== undefined && syncedStream === streamId,
      })),
    }
  }
}
