// What no writer of a topic accepts, whatever its log.

import type { RecordGroup, TopicWriter } from './port.ts'

/** @throws RangeError for a group without records */
export function checkGroup({ topic }: Pick<TopicWriter, 'topic'>, { records }: RecordGroup): void {
  if (records.length > 0) return
  throw new RangeError(`Cannot append to topic ${topic}: 'records' must hold at least one: current value is empty`)
}

/** The error of an append to a partition that the topic does not have. */
export function noSuchPartition(
  { topic, partitions }: Pick<TopicWriter, 'topic' | 'partitions'>,
  partition: number,
): RangeError {
  return new RangeError(
    `Cannot append to topic ${topic}: 'partition' must be 0 to ${partitions - 1}: current value is ${partition}`,
  )
}
