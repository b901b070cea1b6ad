// Checks positions that a program kept somewhere.

import { KubedeltaError } from '../base/errors.ts'
import { isFields } from '../base/fields.ts'
import type { TopicPositions } from './topic-positions.ts'

/**
 * Checks positions that are to be resumed from: what they were kept in may have made something else of them.
 * @throws KubedeltaError `usage` for what is no positions, or positions of another topic
 */
export function checkPositions(kept: unknown, topic: string): void {
  if (!isPositions(kept)) {
    throw new KubedeltaError(
      'usage',
      `Cannot resume topic ${topic}: wanted positions as a batch had them: current value is ${(JSON.stringify(kept) ?? typeof kept).slice(0, 200)}`,
    )
  }
  if (kept.topic !== topic) {
    throw new KubedeltaError(
      'usage',
      `Cannot resume topic ${topic}: wanted positions of it: current value is positions of ${kept.topic}`,
    )
  }
}

function isPositions(value: unknown): value is TopicPositions {
  if (!isFields(value)) return false
  const { topic, topicId, streamId, asOf, partitions } = value
  const isNamed = typeof topic === 'string' && isTextOrAbsent(topicId) && isTextOrAbsent(streamId)
  return isNamed && Number.isFinite(asOf) && Array.isArray(partitions) && partitions.every(isPosition)
}

function isPosition(value: unknown): boolean {
  if (!isFields(value)) return false
  const { partition, offset, leaderEpoch, synced } = value
  const isEpoch = leaderEpoch === undefined || Number.isSafeInteger(leaderEpoch)
  return isCount(partition) && isCount(offset) && isEpoch && typeof synced === 'boolean'
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
