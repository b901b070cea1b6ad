// Turns groups of records into batches that fit the topic.

import { fromUnknown, KubedeltaError } from '../base/errors.ts'
import type { Compression } from '../topic/port.ts'
import { encodeBatch } from './batch-encode.ts'
import type { PendingGroup } from './outstanding.ts'

/** A batch without its sender. Its groups stand in it in order, none of them split. */
export interface PreparedBatch {
  readonly groups: readonly PendingGroup[]
  readonly records: number
  readonly bytes: Buffer
}

export interface PrepareOptions {
  readonly topic: string
  readonly compression: Compression
  /** The largest batch the topic takes, compressed. */
  readonly maxBatchBytes: number
}

/**
 * Encodes groups into as few batches as fit. A group too large for a batch of its own is replaced by what its
 * `whenTooLarge` gives; where it has none, or that is too large as well, its append rejects with `too-large` and it
 * is left out. Never rejects itself.
 */
export async function prepareBatches(
  groups: readonly PendingGroup[],
  options: PrepareOptions,
): Promise<readonly PreparedBatch[]> {
  const [first] = groups
  if (first === undefined) return []
  try {
    const records = groups.length === 1 ? first.records : groups.flatMap((group) => group.records)
    const bytes = await encodeBatch(records, options.compression)
    if (bytes.length <= options.maxBatchBytes) return [{ groups, records: records.length, bytes }]
    if (groups.length === 1) {
      if (first.shrink()) return await prepareBatches(groups, options)
      first.reject(tooLarge(bytes.length, options))
      return []
    }
  } catch (error) {
    // What cannot be encoded can be encoded by no retry, and who appended it hears of it.
    for (const group of groups) group.reject(fromUnknown(error, `Cannot append to topic ${options.topic}`))
    return []
  }
  const half = groups.length >> 1
  const [left, right] = await Promise.all([
    prepareBatches(groups.slice(0, half), options),
    prepareBatches(groups.slice(half), options),
  ])
  return [...left, ...right]
}

function tooLarge(size: number, { topic, maxBatchBytes }: PrepareOptions): KubedeltaError {
  return new KubedeltaError(
    'too-large',
    `Cannot append to topic ${topic}: wanted a batch of at most ${maxBatchBytes} bytes: current one has ${size}: raise the topic's max.message.bytes`,
    { fields: { topic, size, limit: maxBatchBytes } },
  )
}
