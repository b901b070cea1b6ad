// Says what a broker's refusal of a batch means for its lane.

import type { KubedeltaError } from '../base/errors.ts'
import { brokerError, ERROR, refused } from './error-codes.ts'
import type { Refusal } from './lane.ts'
import type { ProduceAnswer } from './protocol/produce.ts'

/** What an error code means for the lane; undefined where nothing can help the writer. */
export function refusalOf(errorCode: number): Refusal | undefined {
  switch (errorCode) {
    case ERROR.messageTooLarge:
    case ERROR.recordListTooLarge:
      return 'too-large'
    case ERROR.invalidTimestamp:
      return 'untimely'
    case ERROR.outOfOrderSequenceNumber:
    case ERROR.unknownProducerId:
    // It stands on the topic, but the answer does not say where: the topic does.
    case ERROR.duplicateSequenceNumber:
      return 'out-of-sequence'
    // Appended, or perhaps appended, when the broker gave up.
    case ERROR.requestTimedOut:
    case ERROR.notEnoughReplicasAfterAppend:
    case ERROR.unknownServerError:
      return 'unknown'
    default:
      return brokerError(errorCode).again ? 'not-now' : undefined
  }
}

/** The error of an append that the broker refused, with the way out where there is one. */
export function appendRefused(topic: string, partition: number, answer: ProduceAnswer): KubedeltaError {
  const { errorCode, message } = answer
  return refused(`append to topic ${topic}`, errorCode, {
    message,
    fields: { topic, partition },
    permission: `Write on topic ${topic}`,
    hint: wayOut(topic, errorCode),
  })
}

function wayOut(topic: string, errorCode: number): string | undefined {
  if (brokerError(errorCode).code === 'fenced') return 'another writer has taken over the topic'
  if (errorCode !== ERROR.invalidTimestamp) return undefined
  return `set the clock of this machine and those of the brokers alike, or raise message.timestamp.before.max.ms and message.timestamp.after.max.ms of topic ${topic}`
}
