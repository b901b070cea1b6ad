// The one table that says what an error code of a broker means here.

import { KubedeltaError, type ErrorCode, type ErrorFields } from '../base/errors.ts'

/** An error code of a broker; its name is Kafka's own. */
export interface BrokerError {
  readonly name: string
  /** What it becomes where it ends an operation. */
  readonly code: ErrorCode
  /** Whether the same request may succeed later, perhaps at another broker. */
  readonly again: boolean
}

/** Codes that a caller looks at one by one. */
export const ERROR = {
  unknownServerError: -1,
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorNotAvailable: 15,
  recordListTooLarge: 18,
  notEnoughReplicasAfterAppend: 20,
  invalidTimestamp: 32,
  topicAlreadyExists: 36,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  unknownProducerId: 59,
} as const

/** @returns what the code means; an unknown one is a refusal for good */
export function brokerError(errorCode: number): BrokerError {
  return BROKER_ERRORS.get(errorCode) ?? { name: `error code ${errorCode}`, code: 'rejected', again: false }
}

/** What is known of a refusal beside its code. */
export interface RefusalFacts {
  /** What the broker says about it. */
  readonly message?: string | null
  /** The permission without which the operation is forbidden: `Write on topic x`. */
  readonly permission?: string
  /** The way out where it is not forbidden. */
  readonly hint?: string | undefined
  readonly fields?: ErrorFields
}

/** The error of an operation that a broker refused. */
export function refused(action: string, errorCode: number, facts: RefusalFacts = {}): KubedeltaError {
  const { name, code } = brokerError(errorCode)
  const { message, permission, fields } = facts
  const hint = code === 'forbidden' && permission !== undefined ? `allow ${permission}` : facts.hint
  const parts = [`Cannot ${action}`, `the broker answered ${name}`, message || undefined, hint]
  return new KubedeltaError(code, parts.filter((part) => part !== undefined).join(': '), {
    fields: { kafkaError: name, ...fields },
  })
}

// Source: https://kafka.apache.org/protocol#protocol_error_codes. What waiting may mend has `again`.
const BROKER_ERRORS: ReadonlyMap<number, BrokerError> = new Map(
  (
    [
      [-1, 'UNKNOWN_SERVER_ERROR', 'server', true],
      [1, 'OFFSET_OUT_OF_RANGE', 'offset-out-of-range', false],
      [2, 'CORRUPT_MESSAGE', 'rejected', false],
      [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'topic-missing', true],
      [5, 'LEADER_NOT_AVAILABLE', 'unreachable', true],
      [6, 'NOT_LEADER_OR_FOLLOWER', 'unreachable', true],
      [7, 'REQUEST_TIMED_OUT', 'timeout', true],
      [8, 'BROKER_NOT_AVAILABLE', 'unreachable', true],
      [9, 'REPLICA_NOT_AVAILABLE', 'unreachable', true],
      [10, 'MESSAGE_TOO_LARGE', 'too-large', false],
      [13, 'NETWORK_EXCEPTION', 'unreachable', true],
      [14, 'COORDINATOR_LOAD_IN_PROGRESS', 'unreachable', true],
      [15, 'COORDINATOR_NOT_AVAILABLE', 'unreachable', true],
      [16, 'NOT_COORDINATOR', 'unreachable', true],
      [17, 'INVALID_TOPIC_EXCEPTION', 'rejected', false],
      [18, 'RECORD_LIST_TOO_LARGE', 'too-large', false],
      [19, 'NOT_ENOUGH_REPLICAS', 'unreachable', true],
      [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'unreachable', true],
      [29, 'TOPIC_AUTHORIZATION_FAILED', 'forbidden', false],
      [31, 'CLUSTER_AUTHORIZATION_FAILED', 'forbidden', false],
      [32, 'INVALID_TIMESTAMP', 'rejected', false],
      [33, 'UNSUPPORTED_SASL_MECHANISM', 'unauthorized', false],
      [35, 'UNSUPPORTED_VERSION', 'unsupported', false],
      [36, 'TOPIC_ALREADY_EXISTS', 'rejected', false],
      [37, 'INVALID_PARTITIONS', 'rejected', false],
      [38, 'INVALID_REPLICATION_FACTOR', 'rejected', false],
      [40, 'INVALID_CONFIG', 'rejected', false],
      [41, 'NOT_CONTROLLER', 'unreachable', true],
      [42, 'INVALID_REQUEST', 'rejected', false],
      [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'unsupported', false],
      [44, 'POLICY_VIOLATION', 'rejected', false],
      [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'rejected', false],
      [46, 'DUPLICATE_SEQUENCE_NUMBER', 'rejected', false],
      [47, 'INVALID_PRODUCER_EPOCH', 'fenced', false],
      [48, 'INVALID_TXN_STATE', 'rejected', false],
      [51, 'CONCURRENT_TRANSACTIONS', 'unreachable', true],
      [53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'forbidden', false],
      [56, 'KAFKA_STORAGE_ERROR', 'unreachable', true],
      [58, 'SASL_AUTHENTICATION_FAILED', 'unauthorized', false],
      [59, 'UNKNOWN_PRODUCER_ID', 'rejected', false],
      [74, 'FENCED_LEADER_EPOCH', 'unreachable', true],
      [75, 'UNKNOWN_LEADER_EPOCH', 'unreachable', true],
      [76, 'UNSUPPORTED_COMPRESSION_TYPE', 'unsupported', false],
      [78, 'OFFSET_NOT_AVAILABLE', 'unreachable', true],
      [87, 'INVALID_RECORD', 'rejected', false],
      [88, 'UNSTABLE_OFFSET_COMMIT', 'unreachable', true],
      [89, 'THROTTLING_QUOTA_EXCEEDED', 'throttled', true],
      [90, 'PRODUCER_FENCED', 'fenced', false],
    ] as const
  ).map(([key, name, code, again]) => [key, { name, code, again }]),
)
