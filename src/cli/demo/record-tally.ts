// Reads a topic as it grows and counts what stands on it.

import { RecordDecoder } from '../../codec/codec.ts'
import { SchemaStore } from '../../codec/schema-source.ts'
import { fromHeaders, isReservedKey } from '../../record/control.ts'
import type { KubeRecord } from '../../record/record.ts'
import type { StoredRecord, TopicLog } from '../../topic/port.ts'

/** How many records of each kind. */
export interface Counts {
  ADDED: number
  UPDATED: number
  DELETED: number
}

export interface RecordTallyOptions {
  readonly topic: string
  readonly connection: TopicLog
  readonly onRecord: (record: KubeRecord, key: string) => void
}

/** What a topic has brought so far. */
export class RecordTally {
  readonly published: Counts = { ADDED: 0, UPDATED: 0, DELETED: 0 }
  /** Of these, what the bridge found out at a start. */
  readonly recovered: Counts = { ADDED: 0, UPDATED: 0, DELETED: 0 }
  /** The objects, by uid, whose missed deletion arrived with their last state. */
  readonly recoveredDeletions = new Set<string>()
  readonly #options: RecordTallyOptions
  readonly #decoder = new RecordDecoder(new SchemaStore())
  #syncedEpoch = 0
  #position = 0

  constructor(options: RecordTallyOptions) {
    this.#options = options
  }

  /** The last leadership that has written all that it found different at its start; 0 before the first. */
  get syncedEpoch(): number {
    return this.#syncedEpoch
  }

  /** The offset after the last record that was counted. */
  get position(): number {
    return this.#position
  }

  /** Counts until the signal aborts. @throws KubedeltaError as reading the topic does */
  async run(signal: AbortSignal): Promise<void> {
    const { topic, connection } = this.#options
    await using reader = await connection.openReader({ signal })
    const from = new Map([[0, 0]])
    for await (const { records, nextOffset } of reader.read({ topic, from, signal })) {
      for (const stored of records) this.#count(stored)
      this.#position = nextOffset
    }
  }

  #count({ key: bytes, value, headers }: StoredRecord): void {
    const key = bytes.toString('utf8')
    if (isReservedKey(key)) {
      const control = fromHeaders(key, headers)
      if (control?.kind === 'progress' && control.synced) this.#syncedEpoch = control.epoch
    } else if (value !== null) {
      this.#countRecord(this.#decoder.decode(value), key)
    }
  }

  #countRecord(record: KubeRecord, key: string): void {
    const { op, cause, finalStateUnknown, object, uid } = record
    if (op === 'UNKNOWN') return
    this.published[op] += 1
    if (cause === 'RECOVERY') {
      this.recovered[op] += 1
      if (op === 'DELETED' && finalStateUnknown && object !== null) this.recoveredDeletions.add(uid)
    }
    this.#options.onRecord(record, key)
  }
}
