// Asks what of a topic can be read now.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { lookAtTopic, type TopicLook, type TopicLookOptions } from './topic-look.ts'

/** What the log says of a topic when a reading begins. */
export interface TopicRange {
  readonly look: TopicLook
  /** Partition -> its first offset. */
  readonly earliest: ReadonlyMap<number, number>
}

/** @throws KubedeltaError `topic-missing`, with the way out; otherwise as `lookAtTopic` */
export async function readRange(options: TopicLookOptions, signal: AbortSignal): Promise<TopicRange> {
  const { admin, topic } = options
  try {
    const look = await lookAtTopic(options, signal)
    return { look, earliest: await admin.offsets(topic, 'earliest', signal) }
  } catch (error) {
    if (!hasCode(error, 'topic-missing')) throw error
    throw new KubedeltaError(
      'topic-missing',
      `Cannot read topic ${topic}: wanted a topic that exists: start its bridge, create it with 'kubedelta topics apply', or name another one with 'topic'`,
      { cause: error, fields: { topic } },
    )
  }
}
