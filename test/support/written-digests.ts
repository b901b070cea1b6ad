// Holds the digests on a topic against its content at their place, as a reader of all of it would.

import assert from 'node:assert/strict'
import { RecordDecoder } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { fromHeaders, isReservedKey } from '../../src/record/control.ts'
import { Digest } from '../../src/record/digest.ts'
import type { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import type { StoredRecord } from '../../src/topic/port.ts'

const decoder = new RecordDecoder(new SchemaStore())

/** All that was written to a topic, also what has been compacted since. */
export class WrittenRecords {
  readonly #log: MemoryTopicLog
  readonly #topic: string
  readonly #records = new Map<string, StoredRecord>()

  constructor(log: MemoryTopicLog, topic: string) {
    this.#log = log
    this.#topic = topic
  }

  /** To be called before anything is removed. */
  note(): void {
    for (const each of this.#log.records(this.#topic)) this.#records.set(`${each.partition}/${each.offset}`, each)
  }

  /** In the order of each partition. */
  records(): readonly StoredRecord[] {
    return [...this.#records.values()].toSorted((a, b) => a.offset - b.offset)
  }
}

/**
 * @param records all that was ever written, in the order of each partition
 * @returns how many digests there are
 * @throws AssertionError for one that is not what its partition holds where it stands
 */
export function checkDigests(records: readonly StoredRecord[]): number {
  const partitions = new Map<number, Map<string, { readonly uid: string; readonly resourceVersion: string }>>()
  let checked = 0
  for (const { key: bytes, value, headers, partition, offset } of records) {
    const held = partitions.get(partition) ?? new Map()
    partitions.set(partition, held)
    const key = bytes.toString()
    if (isReservedKey(key)) {
      const control = fromHeaders(key, headers)
      if (control?.kind !== 'digest') continue
      const sum = new Digest()
      for (const [each, { uid, resourceVersion }] of held) sum.add({ key: each, uid, resourceVersion })
      const { count, digest } = control
      assert.deepEqual({ count, digest }, sum.sum(), `digest of partition ${partition} at ${offset}`)
      checked += 1
    } else if (value === null) {
      held.delete(key)
    } else {
      const { op, uid, resourceVersion } = decoder.decode(value)
      if (op === 'DELETED') held.delete(key)
      else held.set(key, { uid, resourceVersion })
    }
  }
  return checked
}
