// Says in which partition a key lives: Java's default, so that every client agrees.

/**
 * The partition of a key: murmur2 of its bytes modulo the partition count, as Java's default partitioner has it.
 *
 * Source: org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey
 * @throws RangeError when `partitions` is not a whole number above 0
 */
export function partitionOf(key: Buffer, partitions: number): number {
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new RangeError(
      `Cannot choose partition: 'partitions' must be a whole number >= 1: current value is ${partitions}`,
    )
  }
  return partitions === 1 ? 0 : (murmur2(key) & 0x7fffffff) % partitions
}

/** MurmurHash2 with Kafka's seed, as a signed 32-bit integer. Source: org.apache.kafka.common.utils.Utils.murmur2 */
export function murmur2(bytes: Buffer): number {
  const length = bytes.length
  let hash = SEED ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), MIX)
    word ^= word >>> 24
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX)
  }
  const rest = length - whole
  if (rest > 0) hash = Math.imul(hash ^ bytes.readUIntLE(whole, rest), MIX)
  hash ^= hash >>> 13
  hash = Math.imul(hash, MIX)
  return hash ^ (hash >>> 15)
}

const SEED = 0x9747b28c
const MIX = 0x5bd1e995
