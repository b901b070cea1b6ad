// Looks at a topic from time to time: whether it is still the same one, where it ends, how long it keeps tombstones.

import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import type { TopicAdmin } from '../topic/port.ts'

/** What a look at a topic tells. */
export interface TopicLook {
  /** When it was asked for; what it says was so at a moment behind that. */
  readonly atMs: number
  /** undefined where the log knows none, or may not be asked. */
  readonly topicId: string | undefined
  /** How long tombstones can be read after compaction has first seen them. */
  readonly deleteRetentionMs: number
  /** Partition -> offset after its last record. */
  readonly ends: ReadonlyMap<number, number>
}

export interface TopicLookOptions {
  readonly admin: TopicAdmin
  readonly topic: string
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Looks once. The id comes before the ends: the ends are never those of a topic older than the id.
 * @throws KubedeltaError as `describe` and `offsets`; `topic-missing` when it is not there
 */
export async function lookAtTopic(
  { admin, topic, clock, log }: TopicLookOptions,
  signal: AbortSignal,
): Promise<TopicLook> {
  const atMs = clock.now()
  let topicId: string | undefined
  let deleteRetentionMs = DEFAULT_DELETE_RETENTION_MS
  try {
    const description = await admin.describe(topic, signal)
    topicId = description?.topicId
    deleteRetentionMs = retentionOf(description?.config.get('delete.retention.ms'))
  } catch (error) {
    if (!hasCode(error, 'forbidden')) throw error
    // Reading needs no DescribeConfigs: without it the broker's default counts, and ids are not compared.
    log.warn('configuration of the topic cannot be read, taking its delete.retention.ms for the default', {
      topic,
      deleteRetentionMs,
      error,
    })
  }
  return { atMs, topicId, deleteRetentionMs, ends: await admin.offsets(topic, 'latest', signal) }
}

/**
 * Looks again and again until the signal aborts.
 * @param everyMs the time between two looks, asked for before each
 */
export async function watchTopic(
  options: TopicLookOptions,
  {
    everyMs,
    onLook,
    signal,
  }: { readonly everyMs: () => number; readonly onLook: (look: TopicLook) => void; readonly signal: AbortSignal },
): Promise<void> {
  try {
    for (;;) {
      await options.clock.sleep(everyMs(), signal)
      try {
        onLook(await lookAtTopic(options, signal))
      } catch (error) {
        if (signal.aborted) return
        // The reader meets the same and decides what follows; until the next look the contact stays as old as it is.
        if (!(error instanceof KubedeltaError) || error.code === 'internal') throw error
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** Kafka's default. https://github.com/apache/kafka/blob/4.1/clients/src/main/java/org/apache/kafka/common/config/TopicConfig.java */
const DEFAULT_DELETE_RETENTION_MS = 86_400_000

function retentionOf(config: string | undefined): number {
  const retentionMs = Number(config ?? DEFAULT_DELETE_RETENTION_MS)
  return Number.isFinite(retentionMs) && retentionMs >= 0 ? retentionMs : DEFAULT_DELETE_RETENTION_MS
}
