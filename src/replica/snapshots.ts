// Keeps a replica's snapshot on disk: when it is written, and what of it may be gone on from.

import type { Clock } from '../base/clock.ts'
import { fromUnknown, hasCode } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { bytesEntry, type Entry } from '../cache/entry.ts'
import type { CacheWriter } from '../cache/writer.ts'
import type { SnapshotFile } from '../snapshot/snapshot-file.ts'
import type { SnapshotRow } from '../snapshot/snapshot-layout.ts'
import { SnapshotPlace } from '../snapshot/snapshot-place.ts'
import type { Attempt } from './attempt.ts'
import type { DegradedKey } from './degraded-keys.ts'
import { contactLimitMs } from './rebuild.ts'
import type { ReplicaMetrics } from './replica-metrics.ts'
import type { ReplicaSchemas } from './replica-schemas.ts'
import {
  parseHeader,
  printHeader,
  refusalOf,
  type SnapshotHeader,
  type SnapshotPartition,
  type SnapshotRefusal,
  type SnapshotWanted,
} from './snapshot-header.ts'
import { degradedOf, noteOf } from './snapshot-notes.ts'

export interface SnapshotsOptions<T> {
  readonly topic: string
  readonly resource: string
  readonly directory: string
  readonly intervalMs: number
  /** `contentFingerprint` of what the cache keeps of its topic. */
  readonly content: string
  readonly writer: CacheWriter<T>
  readonly schemas: ReplicaSchemas
  readonly metrics: ReplicaMetrics
  readonly clock: Clock
  readonly log: Logger
}

/** A snapshot that may be gone on from. */
export interface Resumable extends AsyncDisposable {
  readonly header: SnapshotHeader
  readonly file: SnapshotFile
}

/**
 * The snapshots of one replica.
 *
 * - One is written every `intervalMs` while the replica is Live, if anything was read since, and when it stops.
 * - A failed write is logged and counted; the one before stays, and the replica goes on.
 * - What cannot be trusted is set aside, logged and counted; it never ends the replica.
 */
export class Snapshots<T> {
  readonly #options: SnapshotsOptions<T>
  readonly #place: SnapshotPlace
  #written: { readonly attempt: Attempt<T>; readonly records: number; readonly caughtUpAtMs: number } | undefined
  #isDue = false
  #writing: Promise<void> | undefined

  constructor(options: SnapshotsOptions<T>) {
    const { directory, topic, content } = options
    this.#options = options
    this.#place = new SnapshotPlace({ directory, name: `${topic}-${content}` })
  }

  /** @throws KubedeltaError `usage` when the directory cannot be written to */
  prepare(): Promise<void> {
    return this.#place.prepare()
  }

  /** The snapshot, where there is one that may be gone on from. */
  async resumable(wanted: Omit<SnapshotWanted, 'topic' | 'resource' | 'content'>): Promise<Resumable | undefined> {
    const { topic, resource, content } = this.#options
    let file: SnapshotFile | undefined
    try {
      file = await this.#place.open()
      if (file === undefined) return undefined
      const header = parseHeader(file.header)
      const refusal = refusalOf(header, { ...wanted, topic, resource, content })
      if (refusal === undefined) {
        const opened = file
        return { header, file, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() }
      }
      await file[Symbol.asyncDispose]()
      await this.#refuse(refusal, undefined)
    } catch (error) {
      await file?.[Symbol.asyncDispose]()
      await this.#refuse(hasCode(error, 'unsupported') ? 'foreign' : 'corrupt', error)
    }
    return undefined
  }

  /** Loads a snapshot into an attempt of its own. Whether it was whole: otherwise it is set aside, and so must be the attempt. */
  async load({ header, file }: Resumable, attempt: Attempt<T>): Promise<boolean> {
    const { intake } = attempt
    const { topic, resource, metrics, schemas, clock, log } = this.#options
    try {
      schemas.learn(header.schemas)
      let rows = 0
      for await (const block of file.blocks()) {
        for (const row of block) {
          if (row.kind === 'object') intake.restore(entryOf<T>(row))
          else intake.degraded.put(row.key, degradedOf(row))
        }
        rows += block.length
      }
      for (const [partition, { progress }] of header.partitions) intake.noteEpoch(partition, progress.epoch)
      this.#written = { attempt, records: attempt.records, caughtUpAtMs: header.caughtUpAtMs }
      metrics.snapshotReads.inc({ resource, result: 'resumed' })
      log.info('cache goes on from its snapshot', { topic, rows, ageMs: clock.now() - header.caughtUpAtMs })
      return true
    } catch (error) {
      await this.#refuse('corrupt', error)
      return false
    }
  }

  /** Says every `intervalMs` that it is time for one, until the signal aborts; `tick` takes it at the next good moment. */
  async run(onDue: () => void, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#options
    try {
      for (;;) {
        await clock.sleep(intervalMs, signal)
        this.#isDue = true
        onDue()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** Begins to write what an attempt holds now, if it is time for that; to be called between two batches. */
  tick(attempt: Attempt<T>, signal: AbortSignal): void {
    if (!this.#isDue || attempt.isTaking || this.#writing !== undefined) return
    this.#isDue = false
    const header = this.#headerOf(attempt)
    if (header === undefined) return
    // Caught inside: a failed write ends nothing.
    this.#writing = this.#write(attempt, header, signal).finally(() => (this.#writing = undefined))
  }

  /** Writes what an attempt holds at the end. */
  async finish(attempt: Attempt<T> | undefined): Promise<void> {
    await this.#writing
    const header = attempt && this.#headerOf(attempt)
    if (attempt !== undefined && header !== undefined) {
      await this.#write(attempt, header, new AbortController().signal)
    }
  }

  /** undefined where there is nothing worth a snapshot: before it is Live, or without news. */
  #headerOf(attempt: Attempt<T>): SnapshotHeader | undefined {
    const { reading, contactAtMs, records } = attempt
    const { control, state } = reading
    if (!attempt.intake.isVisible || state !== 'Live' || control === undefined) return undefined
    const written = this.#written
    const isOld = contactAtMs - (written?.caughtUpAtMs ?? 0) > contactLimitMs(attempt.deleteRetentionMs) / 4
    if (written?.attempt === attempt && written.records === records && !isOld) return undefined
    const { topic, resource, content, schemas } = this.#options
    const partitions = new Map<number, SnapshotPartition>()
    for (const [number, { position, progress }] of reading.partitions) {
      // Live: each partition has one.
      if (progress === undefined) return undefined
      partitions.set(number, { position, leaderEpoch: attempt.leaderEpochs.get(number), progress })
    }
    const { topicId, topicPartitions, brokenBatches } = attempt
    const { partitionCount } = reading
    const identity = { topic, resource, content, topicId, topicPartitions, partitionCount }
    return { ...identity, caughtUpAtMs: contactAtMs, control, partitions, schemas: schemas.learned(), brokenBatches }
  }

  async #write(attempt: Attempt<T>, header: SnapshotHeader, signal: AbortSignal): Promise<void> {
    const { writer, topic, resource, metrics, clock, log } = this.#options
    const { records } = attempt
    const { caughtUpAtMs } = header
    const held = rowsOf(writer.entries(), [...attempt.intake.degraded.entries()])
    // The cache's content is fixed when its first entry is read: now, since what changes until the file is open belongs to later positions.
    const first = held.next()
    const beganAtMs = clock.now()
    try {
      const { rows, bytes } = await this.#place.write(printHeader(header), rowsFrom(first, held), signal)
      this.#written = { attempt, records, caughtUpAtMs }
      metrics.snapshotWrites.inc({ resource, result: 'written' })
      metrics.snapshotBytes.set({ resource }, bytes)
      metrics.snapshotAt.set({ resource }, caughtUpAtMs / 1_000)
      log.debug('snapshot written', { topic, rows, bytes, tookMs: clock.now() - beganAtMs })
    } catch (caught) {
      // Stopped: the last one is written when everything else has ended.
      if (signal.aborted) return
      metrics.snapshotWrites.inc({ resource, result: 'failed' })
      const error = fromUnknown(caught, 'Cannot write snapshot')
      log.error('snapshot cannot be written, the cache goes on without', { topic, path: this.#place.path, error })
    } finally {
      // A writing that ended early would otherwise have the cache keep for it whatever is replaced and deleted from then on.
      held.return()
    }
  }

  async #refuse(reason: SnapshotRefusal, error: unknown): Promise<void> {
    const { topic, resource, metrics, log } = this.#options
    metrics.snapshotReads.inc({ resource, result: reason })
    const { path } = this.#place
    let setAside: string | undefined
    if (reason === 'corrupt' || reason === 'foreign') {
      try {
        setAside = await this.#place.setAside(reason)
      } catch (caught) {
        // It stays where it is, is not trusted the next time either, and the next write replaces it.
        log.warn('snapshot cannot be set aside', { topic, path, error: caught })
      }
    }
    log.warn('snapshot is not used, the topic is read from its start', { topic, reason, path, setAside, error })
  }
}

function* rowsOf<T>(
  entries: Iterable<Entry<T>>,
  degraded: ReadonlyArray<readonly [string, DegradedKey]>,
): Generator<SnapshotRow, void, undefined> {
  for (const entry of entries) {
    const { key, uid, resourceVersion = '' } = entry
    // Not taken apart above: where there are bytes nobody needs the object, which would be parsed.
    const bytes = entry.bytes ?? Buffer.from(JSON.stringify(entry.object))
    yield { kind: 'object', key, uid, resourceVersion, bytes }
  }
  for (const [key, state] of degraded) yield noteOf(key, state)
}

function* rowsFrom(
  first: IteratorResult<SnapshotRow, void>,
  others: Iterable<SnapshotRow>,
): Generator<SnapshotRow, void, undefined> {
  if (first.done === true) return
  yield first.value
  yield* others
}

function entryOf<T>({ key, uid, resourceVersion, bytes }: SnapshotRow): Entry<T> {
  const slash = key.indexOf('/')
  const [namespace, name] = slash < 0 ? ['', key] : [key.slice(0, slash), key.slice(slash + 1)]
  return bytesEntry<T>({ bytes, namespace, name, uid, resourceVersion })
}
