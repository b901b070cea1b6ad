// A topic in a temporary directory, written without a thread and read back in full.

import { copyFileSync, existsSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { RecordPacker, sizeOf } from '../../src/embedded/record-bytes.ts'
import { createTopicDatabase } from '../../src/embedded/topic-database.ts'
import { createTopicDirectory, topicFiles, type TopicFiles } from '../../src/embedded/topic-files.ts'
import type { TopicStore } from '../../src/embedded/topic-store.ts'
import { TopicView } from '../../src/embedded/topic-view.ts'
import type { StoredRecord, TopicRecord } from '../../src/topic/port.ts'

export const TOPIC = 'kubedelta.test.pods'

/** Makes the topic in `root`. */
export function makeTopic(
  root: string,
  {
    partitions = 1,
    config = {},
  }: { readonly partitions?: number; readonly config?: Readonly<Record<string, string>> } = {},
): TopicFiles {
  const spec = { topic: TOPIC, partitions, replicationFactor: -1, config: new Map(Object.entries(config)) }
  createTopicDirectory(root, TOPIC, (files) => createTopicDatabase(files, spec))
  return topicFiles(root, TOPIC)
}

/** A record with the partition it goes to. */
export interface PlacedRecord {
  readonly partition: number
  readonly record: TopicRecord
}

/** Appends all of them in one transaction, each at its partition's end, and says where they stand. */
export function appendTo(store: TopicStore, placed: readonly PlacedRecord[], nowMs: number): readonly StoredRecord[] {
  const ends = [...store.ends()]
  const packer = new RecordPacker(sizeOf(placed.map(({ record }) => record)))
  const stored = placed.map(({ partition, record }) => {
    const offset = ends[partition] ?? 0
    ends[partition] = offset + 1
    packer.add(partition, offset, record)
    return { ...record, partition, offset }
  })
  store.append(packer.bytes, nowMs)
  return stored
}

/** Everything that stands in the topic, partition by partition. */
export function recordsIn(files: TopicFiles): readonly StoredRecord[] {
  using view = new TopicView(files)
  const records: StoredRecord[] = []
  for (let partition = 0; partition < view.partitions; partition++) {
    for (let from = 0; from < view.end(partition);) {
      const batch = view.read({ partition, from, until: Infinity })
      for (const { error } of batch.broken ?? []) throw error
      records.push(...batch.records)
      from = batch.nextOffset
    }
  }
  return records
}

/**
 * Copies a topic into another root as a process killed at this moment leaves it: what it wrote is there, its locks and its
 * shared memory are not.
 * @param walBytes at most so much of the WAL, as after a loss of power that left the rest unwritten
 */
export function copyAsKilled(files: TopicFiles, root: string, walBytes = Infinity): TopicFiles {
  const copy = makeTopicFolder(root, files)
  const wal = `${files.database}-wal`
  if (!existsSync(wal)) return copy
  copyFileSync(wal, `${copy.database}-wal`)
  if (walBytes < Infinity) truncateSync(`${copy.database}-wal`, walBytes)
  return copy
}

function makeTopicFolder(root: string, files: TopicFiles): TopicFiles {
  const copy = topicFiles(root, files.topic)
  createTopicDirectory(root, files.topic, (draft) => copyFileSync(files.database, join(draft.directory, 'log.db')))
  return copy
}
