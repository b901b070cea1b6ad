// Reads a topic to its end and gathers what an earlier run left there: the index and the newest control record.

import { fromUnknown, hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { RecordDecoder } from '../codec/codec.ts'
import type { SchemaStore } from '../codec/schema-source.ts'
import { newerResourceVersion } from '../object/resource-version.ts'
import { fromHeaders, isReservedKey } from '../record/control.ts'
import type { Control, Progress } from '../record/control.ts'
import type { KubeRecord } from '../record/record.ts'
import type { ReadBatch, StoredRecord, TopicReader } from '../topic/port.ts'
import { WITHHELD_HASH, hashOf, type TopicIndex } from './topic-index.ts'

export interface RecoveryOptions {
  readonly topic: string
  readonly reader: TopicReader
  readonly decoder: RecordDecoder
  /** Learns the writer schemas that progress records carry. */
  readonly schemas: SchemaStore
  /** Fetches a registry's schema into `schemas`; absent where no registry is configured. */
  readonly fetchSchema?: (id: number, signal: AbortSignal) => Promise<void>
  readonly log: Logger
  /** Called for each value that does not decode, and for each batch. */
  readonly onUnreadable: (reason: 'corrupt' | 'unknown-schema') => void
}

/** Where an object comes from. */
export type Origin = Pick<KubeRecord, 'group' | 'version' | 'resource' | 'kind' | 'namespace'>

/**
 * What stands on a topic, gathered record by record.
 *
 * - For each key the last record in partition order wins, whatever its epoch or resourceVersion.
 * - A value that does not decode keeps its key known, as one that every object differs from, so that it is written over.
 */
export class Recovery {
  readonly #options: RecoveryOptions
  readonly #index: TopicIndex
  /** Partition -> where the next read begins, and the leader epoch of the last batch before that. */
  readonly #positions: Map<number, number>
  readonly #leaderEpochs = new Map<number, number>()
  /** Partition -> the highest resourceVersion of the cluster's present history. */
  readonly #highest = new Map<number, string>()
  #epoch = 0
  readonly #clusters = new Set<string>()
  #control: Control | undefined
  /** Partition -> its newest progress record with synced=true. */
  readonly #synced = new Map<number, Progress>()
  #origin: Origin | undefined

  /** @param from partition -> its first offset */
  constructor(index: TopicIndex, from: ReadonlyMap<number, number>, options: RecoveryOptions) {
    this.#index = index
    this.#positions = new Map(from)
    this.#options = options
  }

  /** Partition -> offset behind what was read. */
  get positions(): ReadonlyMap<number, number> {
    return this.#positions
  }

  /** The highest resourceVersion on the topic, of the cluster's present history; '' where there is none. */
  get resourceVersion(): string {
    return [...this.#highest.values()].reduce(newerResourceVersion, '')
  }

  /** The highest epoch seen, 0 where there is none. */
  get epoch(): number {
    return this.#epoch
  }

  /** Of which collection the first record was that could be read. */
  get origin(): Origin | undefined {
    return this.#origin
  }

  /** Names of the clusters that its records are of. */
  get clusters(): ReadonlySet<string> {
    return this.#clusters
  }

  /** The control record of the highest epoch, the newest of it. */
  get control(): Control | undefined {
    return this.#control
  }

  /**
   * The newest progress record with synced=true, of the stream that `control` names; of the partition whose is the oldest: a run that was
   * killed may have come to its end in the others only.
   */
  get synced(): Progress | undefined {
    const ours = [...this.#synced.values()].filter(({ streamId }) => streamId === this.#control?.streamId)
    return ours.toSorted((a, b) => a.epoch - b.epoch)[0]
  }

  /**
   * Reads on, up to these positions.
   * @throws what the reader throws
   */
  async read(until: ReadonlyMap<number, number>, signal: AbortSignal): Promise<void> {
    const { reader } = this.#options
    for await (const batch of reader.read({ ...this.#readFrom(), until, signal })) await this.#takeBatch(batch, signal)
    signal.throwIfAborted()
  }

  /**
   * Reads on until the signal aborts, so that `read` has little left to do.
   * @param reader one of its own: a read that waits for new records holds the others of its reader back
   * @param onControl called when another control record is the newest
   * @throws what the reader and `onControl` throw
   */
  async follow(reader: TopicReader, onControl: () => void, signal: AbortSignal): Promise<void> {
    for await (const batch of reader.read({ ...this.#readFrom(), signal })) {
      const before = this.#control
      await this.#takeBatch(batch, signal)
      if (this.#control !== before) onControl()
    }
  }

  #readFrom(): {
    readonly topic: string
    readonly from: Map<number, number>
    readonly leaderEpochs: Map<number, number>
  } {
    // Copies: both move on while the read goes on.
    const { topic } = this.#options
    return { topic, from: new Map(this.#positions), leaderEpochs: new Map(this.#leaderEpochs) }
  }

  /** The position moves once all of it was taken: what an abort left half taken is taken again, in order, which changes nothing. */
  async #takeBatch(batch: ReadBatch, signal: AbortSignal): Promise<void> {
    const { partition, nextOffset, leaderEpoch, records, broken = [] } = batch
    for (const { baseOffset, nextOffset: behind, error } of broken) {
      this.#options.onUnreadable('corrupt')
      // Whatever stood there is repaired by the list: what exists and is not in the index is published, what the index has
      // and the cluster has not is deleted.
      this.#options.log.error('record batch on the topic cannot be read: its keys are unknown', {
        partition,
        offset: baseOffset,
        nextOffset: behind,
        error,
      })
    }
    for (const record of records) await this.#take(record, signal)
    this.#positions.set(partition, nextOffset)
    if (leaderEpoch !== undefined) this.#leaderEpochs.set(partition, leaderEpoch)
  }

  async #take(record: StoredRecord, signal: AbortSignal): Promise<void> {
    const key = record.key.toString()
    if (isReservedKey(key)) {
      this.#takeControl(key, record)
    } else if (key.split('/').length > 2) {
      const shape = new KubedeltaError('corrupt', 'Cannot read key: wanted namespace/name or name: it has more slashes')
      this.#unreadable(key, record, shape)
    } else if (record.value === null) {
      this.#index.delete(key)
      for (const header of record.headers) {
        if (header.name === 'resourceVersion') this.#raise(record.partition, header.value)
      }
    } else {
      await this.#takeValue(key, record, record.value, signal)
    }
  }

  #takeControl(key: string, record: StoredRecord): void {
    let control: Control | undefined
    try {
      control = fromHeaders(key, record.headers)
    } catch (error) {
      this.#unreadable(key, record, error)
      return
    }
    if (control === undefined) return
    this.#options.schemas.learn(control.schemas)
    this.#epoch = Math.max(this.#epoch, control.epoch)
    if (this.#control === undefined || control.epoch >= this.#control.epoch) this.#control = control
    if (control.kind === 'progress' && control.synced) {
      const { partition } = record
      this.#synced.set(partition, control)
      // What is newer and stands before it is of a history that is no more.
      if (control.newestResourceVersion !== undefined) this.#highest.set(partition, control.newestResourceVersion)
      this.#raise(partition, control.resourceVersion)
    }
  }

  async #takeValue(key: string, stored: StoredRecord, value: Buffer, signal: AbortSignal): Promise<void> {
    const position = { partition: stored.partition, offset: stored.offset }
    try {
      const record = await this.#decode(value, signal)
      this.#raise(stored.partition, record.resourceVersion)
      // A DELETED counts like any other: its tombstone follows, and where a mirror lost that, the key is deleted again.
      const { uid, resourceVersion } = record
      this.#epoch = Math.max(this.#epoch, record.epoch)
      this.#clusters.add(record.cluster)
      const { group, version, resource, kind, namespace } = record
      this.#origin ??= { group, version, resource, kind, namespace }
      const hash = record.object === null ? WITHHELD_HASH : hashOf(record.object)
      this.#index.set(key, { uid, resourceVersion, hash, position })
    } catch (error) {
      this.#unreadable(key, stored, error)
      const { uid, resourceVersion } = this.#index.get(key) ?? { uid: '', resourceVersion: '' }
      this.#index.set(key, { uid, resourceVersion, hash: '', position })
    }
  }

  async #decode(value: Buffer, signal: AbortSignal): Promise<ReturnType<RecordDecoder['decode']>> {
    const { decoder, fetchSchema } = this.#options
    try {
      return decoder.decode(value)
    } catch (error) {
      if (fetchSchema === undefined || !hasCode(error, 'unknown-schema')) throw error
      const { id } = error.fields
      if (typeof id !== 'number') throw error
      await fetchSchema(id, signal)
      return decoder.decode(value)
    }
  }

  #unreadable(key: string, { partition, offset }: StoredRecord, cause: unknown): void {
    const error = fromUnknown(cause, 'Cannot decode record')
    if (error.code !== 'corrupt' && error.code !== 'unknown-schema') throw error
    this.#options.onUnreadable(error.code)
    this.#options.log.warn('record on the topic cannot be read', {
      key,
      partition,
      offset,
      error,
    })
  }

  #raise(partition: number, resourceVersion: string): void {
    this.#highest.set(partition, newerResourceVersion(this.#highest.get(partition) ?? '', resourceVersion))
  }
}
