// Takes the records of one reading of a topic into a content: built aside at first, the cache itself once it was swapped in.

import { fromUnknown, hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { Entry } from '../cache/entry.ts'
import type { CacheWriter, Snapshot } from '../cache/writer.ts'
import type { StoredRecord } from '../topic/port.ts'
import { partitionOf } from '../topic/partition.ts'
import { applyRecord, type ReplicaChange } from './apply.ts'
import { DegradedKeys, type DegradedReason } from './degraded-keys.ts'
import { readKeyRecord, type KeyRecord, type KeyRecordOptions, type TakenAs } from './key-record.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'
import { schemaNameOf, type ReplicaSchemas } from './replica-schemas.ts'
import type { Selection } from './selection.ts'

export interface IntakeOptions<T> {
  readonly writer: CacheWriter<T>
  readonly schemas: ReplicaSchemas
  readonly resource: string
  readonly transform: ((object: T) => T) | undefined
  /** undefined: all keys. */
  readonly keys: ReadonlySet<string> | undefined
  /** undefined: everything. */
  readonly selection: Selection<T> | undefined
  /** How many partitions the topic has. */
  readonly partitionCount: number
  readonly metrics: ReplicaMetrics
  readonly log: Logger
  readonly signal: AbortSignal
}

/**
 * The content of one reading.
 *
 * - Until `swap` nothing of it can be seen; from then on each record changes the cache at once.
 * - What cannot be read leaves its key as it is, is counted and logged, and marks the key as degraded.
 * - A key counts in the one partition where its writer puts it.
 */
export class Intake<T> {
  readonly degraded = new DegradedKeys()
  readonly #options: IntakeOptions<T>
  /** Partition -> the highest epoch that stands before the position. */
  readonly #epochs = new Map<number, number>()
  /** The content while it is built; undefined once it was swapped in. */
  #staged: Snapshot<T> | undefined
  readonly #logged = new Map<string, number>()
  readonly #reading: KeyRecordOptions<T>

  constructor(options: IntakeOptions<T>) {
    const { resource, transform, selection } = options
    this.#options = options
    this.#reading = { resource, transform, selects: selection?.selects }
    this.#staged = options.writer.beginSnapshot()
  }

  /** The content is what the cache shows. */
  get isVisible(): boolean {
    return this.#staged === undefined
  }

  /**
   * Takes a record that is no control record. A promise is to be awaited before the next one is taken.
   * @throws the signal's reason, by the promise
   */
  take(key: string, stored: StoredRecord, how: TakenAs = {}): Promise<void> | void {
    const { keys, selection, partitionCount } = this.#options
    if (keys !== undefined && !keys.has(key)) return undefined
    if (selection !== undefined && !selection.admits(key)) return undefined
    const home = partitionOf(stored.key, partitionCount)
    if (home !== stored.partition) {
      this.#report('misplaced', key, stored, undefined)
      return undefined
    }
    return this.#readAndApply(key, stored, how)
  }

  /** Whether it holds a partition as its log does: nothing is left out, and no key stands still at an older state. */
  isWhole(partition: number): boolean {
    const { keys, selection, partitionCount } = this.#options
    if (keys !== undefined || selection !== undefined) return false
    for (const [key, { reason }] of this.degraded.entries()) {
      // Of a withheld object the identity is there.
      if (reason !== 'withheld' && partitionOf(Buffer.from(key), partitionCount) === partition) return false
    }
    return true
  }

  /** Takes note of a leadership. */
  noteEpoch(partition: number, epoch: number): void {
    if (epoch > this.#epochOf(partition)) this.#epochs.set(partition, epoch)
  }

  /** Counts and logs a control record that cannot be read. */
  noteUnreadableControl(key: string, stored: StoredRecord, error: unknown): void {
    if (!hasCode(error, 'corrupt')) throw error
    this.#report('corrupt', key, stored, error)
  }

  /** Applies what can be read now that a schema was learned. */
  async retry(): Promise<void> {
    const { schemas } = this.#options
    for (const { key, record, later } of this.degraded.takeReadable((schema) => schemas.isKnown(schema))) {
      // Read late, but it stood before whatever epoch has been seen since.
      await this.#readAndApply(key, record, {}, 0)
      // Its last record still cannot be read: what was applied is its last good state.
      if (later !== undefined) this.degraded.put(key, later)
    }
  }

  /** Takes an entry of a snapshot into the content that is being built; has no effect once it was swapped in. */
  restore(entry: Entry<T>): void {
    this.#staged?.initApply({ kind: 'set-entry', entry })
  }

  /** Makes the content what the cache shows, at once. @throws the signal's reason while handlers have no room; it is swapped in then */
  swap(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const staged = this.#staged
    if (staged === undefined) throw new KubedeltaError('internal', 'Cannot swap in content: it was swapped in before')
    this.#staged = undefined
    return staged.initDone(resourceVersion, signal)
  }

  #readAndApply(
    key: string,
    stored: StoredRecord,
    how: TakenAs,
    epoch = this.#epochOf(stored.partition),
  ): Promise<void> | void {
    const { schemas } = this.#options
    let record: KeyRecord<T>
    try {
      record = readKeyRecord<T>(key, stored, schemas.decoder, this.#reading, how)
    } catch (caught) {
      const error = fromUnknown(caught, 'Cannot read record')
      const { id } = error.fields
      if (error.code === 'unknown-schema' && typeof id === 'number') {
        return this.#fetchAndApply(id, key, stored)
      }
      this.#unreadable(key, stored, error)
      return undefined
    }
    return this.#apply(record, stored, epoch)
  }

  async #fetchAndApply(id: number, key: string, stored: StoredRecord): Promise<void> {
    const { schemas, signal } = this.#options
    try {
      await schemas.fetch(id, signal)
    } catch (error) {
      if (!hasCode(error, 'unknown-schema')) throw error
      this.#unreadable(key, stored, error)
      return
    }
    // What came before with the same schema comes first.
    await this.retry()
    await this.#readAndApply(key, stored, {})
  }

  #apply(record: KeyRecord<T>, stored: StoredRecord, epoch: number): Promise<void> | void {
    const { key } = record
    const { writer, metrics, resource } = this.#options
    const { partition } = stored
    const entry = (this.#staged ?? writer).entry(key)
    const { change, regressions } = applyRecord({ entry, epoch }, record)
    for (const reason of regressions) {
      metrics.regressions.inc({ resource, reason })
      this.#logFew('record goes back in time', reason, { key, partition, offset: stored.offset })
    }
    if (record.epoch !== undefined) this.noteEpoch(partition, record.epoch)
    this.degraded.clear(key)
    if (record.kind === 'state' && record.withheld) {
      this.degraded.mark(key, 'withheld')
      this.#logFew('record holds no object, its key shows the identity alone', 'withheld', { key, partition })
    }
    return change === undefined ? undefined : this.#write(change)
  }

  #write(change: ReplicaChange<T>): Promise<void> | void {
    const { writer, signal } = this.#options
    const staged = this.#staged
    switch (change.kind) {
      case 'set-entry':
      case 'delete-key':
        if (staged === undefined) return writer.apply(change, signal)
        // What is shown already and did not change is not kept twice.
        staged.initApply(change)
        return undefined
      case 'show-again':
        return staged === undefined ? writer.sync(change.key, 'asked', signal) : undefined
      default:
        return change satisfies never
    }
  }

  #epochOf(partition: number): number {
    return this.#epochs.get(partition) ?? 0
  }

  #unreadable(key: string, stored: StoredRecord, error: KubedeltaError): void {
    const reason = reasonOf(error)
    const schema = reason === 'unknown-schema' ? schemaNameOf(error) : undefined
    if (schema !== undefined) {
      this.degraded.markWaiting(key, schema, stored)
    } else {
      this.degraded.mark(key, reason)
    }
    this.#report(reason, key, stored, error)
  }

  #report(
    reason: DegradedReason | 'misplaced',
    key: string,
    { partition, offset }: StoredRecord,
    error: unknown,
  ): void {
    const { metrics, resource } = this.#options
    metrics.unreadable.inc({ resource, reason })
    this.#logFew('record cannot be applied, its key stays as it is', reason, { key, partition, offset, error })
  }

  /** A topic full of such records must not become a log full of them; the metrics count them all. */
  #logFew(message: string, reason: string, fields: Readonly<Record<string, unknown>>): void {
    const count = (this.#logged.get(reason) ?? 0) + 1
    this.#logged.set(reason, count)
    if (count > LOGGED_A_REASON) return
    this.#options.log.warn(message, { reason, ...fields, ...(count === LOGGED_A_REASON ? { last: true } : {}) })
  }
}

const LOGGED_A_REASON = 20

/** @throws the error itself where it says nothing of the record */
function reasonOf(error: KubedeltaError): DegradedReason {
  if (error.code === 'corrupt' || error.code === 'unknown-schema') return error.code
  if (error.code === 'topic-foreign') return 'foreign'
  if (error.code === 'usage') return 'transform'
  throw error
}
