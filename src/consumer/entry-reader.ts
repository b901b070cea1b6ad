// Turns what was read of a topic into entries, with the schemas that they need.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { fromHeaders, isReservedKey } from '../record/control.ts'
import { partitionOf } from '../topic/partition.ts'
import type { ReadBatch, StoredRecord, TopicLog } from '../topic/port.ts'
import { checkControl } from '../replica/check-control.ts'
import { schemaNameOf, type ReplicaSchemas } from '../replica/replica-schemas.ts'
import { brokenEntry, progressEntry, readEntry, type TopicEntry } from './topic-entry.ts'
import type { PositionTracker } from './topic-positions.ts'

export interface EntryReaderOptions {
  readonly topic: string
  /** `deployments.apps` */
  readonly resource: string
  readonly schemas: ReplicaSchemas
}

/** Reads the entries of one topic. */
export class EntryReader<T> {
  readonly #options: EntryReaderOptions
  /** Schemas that were looked for already, so that one that is nowhere is looked for once. */
  readonly #lookedFor = new Set<string>()

  constructor(options: EntryReaderOptions) {
    this.#options = options
  }

  /**
   * The entries of a batch; `new-stream` where the topic may be another one, and is to be read anew.
   * @throws KubedeltaError `topic-foreign`, `partitions-changed`; the signal's reason
   */
  async read(
    batch: ReadBatch,
    tracker: PositionTracker,
    log: TopicLog,
    signal: AbortSignal,
  ): Promise<readonly TopicEntry<T>[] | 'new-stream'> {
    const entries: TopicEntry<T>[] = []
    for (const stored of batch.records) {
      const key = stored.key.toString()
      if (isReservedKey(key)) {
        const entry = this.#takeControl(key, stored, tracker)
        if (entry === 'new-stream') return entry
        if (entry !== undefined) entries.push(entry)
        continue
      }
      const entry = this.#readNow(key, stored, tracker)
      const missing = entry.kind === 'unreadable' ? schemaNameOf(entry.error) : undefined
      const isLearned =
        missing !== undefined && (await this.#learn(missing, { stored, end: batch.endOffset, log, signal }))
      entries.push(isLearned ? this.#readNow(key, stored, tracker) : entry)
    }
    const broken = batch.broken?.map((each) => brokenEntry(this.#options.topic, batch.partition, each)) ?? []
    return broken.length === 0 ? entries : [...entries, ...broken].toSorted((a, b) => a.offset - b.offset)
  }

  #readNow(key: string, stored: StoredRecord, { partitions }: PositionTracker): TopicEntry<T> {
    const { topic, resource, schemas } = this.#options
    const { partition, offset } = stored
    try {
      const home = partitionOf(stored.key, partitions)
      if (home !== partition) throw misplaced(key, partition, home)
      return readEntry<T>(key, stored, { topic, resource, decoder: schemas.decoder })
    } catch (error) {
      if (!hasCode(error, 'corrupt', 'unknown-schema', 'topic-foreign')) throw error
      return { kind: 'unreadable', topic, partition, offset, key, error }
    }
  }

  /** undefined for what says nothing to a reader of records. */
  #takeControl(key: string, stored: StoredRecord, tracker: PositionTracker): TopicEntry<T> | 'new-stream' | undefined {
    const { topic, resource, schemas } = this.#options
    const { partition, offset, headers } = stored
    const place = { topic, partition, offset, key }
    let control
    try {
      control = fromHeaders(key, headers)
    } catch (error) {
      if (!hasCode(error, 'corrupt')) throw error
      return { kind: 'unreadable', ...place, error }
    }
    if (control === undefined) return undefined
    if (tracker.control(partition, offset, control) === 'new-stream') return 'new-stream'
    // Any other stream is history, or an old leader's late word.
    if (control.streamId === tracker.streamId)
      checkControl(control, { topic, resource, partitions: tracker.partitions })
    schemas.learn(control.schemas)
    return control.kind === 'progress' ? progressEntry(place, control) : undefined
  }

  /** Looks for a schema, at the registry or in the control records behind. Whether it was found. */
  async #learn(schema: string, search: Search): Promise<boolean> {
    const { schemas } = this.#options
    const [, id] = /^id ([0-9]+)$/.exec(schema) ?? []
    if (id !== undefined) {
      try {
        await schemas.fetch(Number(id), search.signal)
      } catch (error) {
        // The entry says so.
        if (!hasCode(error, 'unknown-schema')) throw error
      }
    } else if (!this.#lookedFor.has(schema)) {
      this.#lookedFor.add(schema)
      await this.#lookAhead(schema, search)
    }
    return schemas.isKnown(schema)
  }

  /** Compaction leaves of the control records the last ones, so that records may stand before the one that has their schema. */
  async #lookAhead(schema: string, { stored: { partition, offset }, end, log, signal }: Search): Promise<void> {
    const { topic, schemas } = this.#options
    const range = { from: new Map([[partition, offset]]), until: new Map([[partition, end]]) }
    await using reader = await log.openReader({ signal })
    for await (const { records } of reader.read({ topic, ...range, signal })) {
      for (const { key, headers } of records) {
        const name = key.toString()
        if (!isReservedKey(name)) continue
        try {
          schemas.learn(fromHeaders(name, headers)?.schemas ?? {})
        } catch (error) {
          // Told when the reading comes to it.
          if (!hasCode(error, 'corrupt')) throw error
        }
        if (schemas.isKnown(schema)) return
      }
    }
  }
}

interface Search {
  /** The record that needs it. */
  readonly stored: StoredRecord
  /** The partition's end. */
  readonly end: number
  readonly log: TopicLog
  readonly signal: AbortSignal
}

function misplaced(key: string, partition: number, home: number): KubedeltaError {
  return new KubedeltaError(
    'topic-foreign',
    `Cannot use record: its key ${JSON.stringify(key)} belongs to partition ${home}: current value is ${partition}`,
  )
}
