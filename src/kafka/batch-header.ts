// The header of a record batch (magic 2): read it, and rewrite who sent it.

import { crc32c } from './crc32c.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'

/**
 * What a batch says of itself before its records.
 *
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
export interface BatchHeader {
  readonly baseOffset: number
  /** The whole batch in bytes, header included. */
  readonly size: number
  /** Of the leader that took it; the broker sets it, outside of the checksum. */
  readonly leaderEpoch: number
  readonly magic: number
  readonly crc: number
  /** Where the next batch begins, however many records compaction has removed from this one. */
  readonly nextOffset: number
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codecBits: number
  /** Timestamps are the broker's; then every record has `maxTimestamp`. */
  readonly logAppendTime: boolean
  /** A transaction marker: no record for readers. */
  readonly control: boolean
  /**
   * What the records' timestamps are counted from. Once the cleaner has seen the batch it may hold the time at which
   * tombstones may go (attribute bit 6, KIP-534): the deltas are then negative and the sums are still right.
   */
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

/** Bytes before the first record. */
export const BATCH_HEADER_BYTES = 61

/**
 * The header of the batch that begins at `at`, or undefined where the batch is cut off: the end of a fetch response.
 * @throws RangeError when the length cannot be one
 */
export function readBatchHeader(bytes: Buffer, at: number): BatchHeader | undefined {
  if (bytes.length - at < BATCH_HEADER_BYTES) return undefined
  const size = bytes.readInt32BE(at + AT.length) + AT.leaderEpoch
  if (size < BATCH_HEADER_BYTES) throw new RangeError(`wanted a batch of at least 61 bytes: current value is ${size}`)
  if (bytes.length - at < size) return undefined
  const attributes = bytes.readInt16BE(at + AT.attributes)
  const baseOffset = Number(bytes.readBigInt64BE(at))
  return {
    baseOffset,
    size,
    leaderEpoch: bytes.readInt32BE(at + AT.leaderEpoch),
    magic: bytes.readInt8(at + AT.magic),
    crc: bytes.readUInt32BE(at + AT.crc),
    nextOffset: baseOffset + bytes.readInt32BE(at + AT.lastOffsetDelta) + 1,
    codecBits: attributes & 0b111,
    logAppendTime: (attributes & 0b1000) !== 0,
    control: (attributes & 0b100000) !== 0,
    baseTimestamp: Number(bytes.readBigInt64BE(at + AT.baseTimestamp)),
    maxTimestamp: Number(bytes.readBigInt64BE(at + AT.maxTimestamp)),
    producerId: bytes.readBigInt64BE(at + AT.producerId),
    producerEpoch: bytes.readInt16BE(at + AT.producerEpoch),
    baseSequence: bytes.readInt32BE(at + AT.baseSequence),
    recordCount: bytes.readInt32BE(at + AT.recordCount),
  }
}

/** Fills the header of a new batch except for its sender; base offset and leader epoch are the broker's to set. */
export function writeBatchHeader(
  bytes: Buffer,
  header: {
    readonly codecBits: number
    readonly baseTimestamp: number
    readonly maxTimestamp: number
    readonly recordCount: number
  },
): void {
  bytes.writeBigInt64BE(0n, 0)
  bytes.writeInt32BE(bytes.length - AT.leaderEpoch, AT.length)
  bytes.writeInt32BE(-1, AT.leaderEpoch)
  bytes.writeInt8(2, AT.magic)
  bytes.writeInt16BE(header.codecBits, AT.attributes)
  bytes.writeInt32BE(header.recordCount - 1, AT.lastOffsetDelta)
  bytes.writeBigInt64BE(BigInt(header.baseTimestamp), AT.baseTimestamp)
  bytes.writeBigInt64BE(BigInt(header.maxTimestamp), AT.maxTimestamp)
  bytes.writeInt32BE(header.recordCount, AT.recordCount)
}

/** Writes who sends the batch and as what, then the checksum over it. */
export function sealBatch(bytes: Buffer, sender: ProducerIdentity, baseSequence: number): void {
  bytes.writeBigInt64BE(sender.producerId, AT.producerId)
  bytes.writeInt16BE(sender.epoch, AT.producerEpoch)
  bytes.writeInt32BE(baseSequence, AT.baseSequence)
  bytes.writeUInt32BE(crc32c(bytes, AT.attributes), AT.crc)
}

/** Whether the batch at `at` is the one that its checksum was made for. */
export function isIntact(bytes: Buffer, at: number, header: BatchHeader): boolean {
  return crc32c(bytes, at + AT.attributes, at + header.size) === header.crc
}

/** Byte positions within a batch. */
const AT = {
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const
