// Reads the part that most answers of Kafka's protocol have in common: topics, and in each its partitions.

import type { WireReader } from '../wire.ts'

/**
 * The answers of all partitions, in their order. The topics' names are passed over: each request here is about one topic.
 * @param read reads the answer of one partition, from its first field to its last
 */
export function readPartitions<T>(body: WireReader, read: () => T): readonly T[] {
  const topics = body.array(() => {
    body.string()
    return body.array(read)
  })
  return topics.flat()
}
