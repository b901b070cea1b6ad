// Takes a transactional id, or raises the epoch of one that is already held.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'

/** Who writes: the broker refuses batches of an older epoch of the same id. */
export interface ProducerIdentity {
  readonly producerId: bigint
  readonly epoch: number
}

export interface InitProducerIdAnswer extends ProducerIdentity {
  readonly errorCode: number
}

/**
 * With `held` the broker raises the epoch only if nobody else did (KIP-360): a writer that was taken over learns that
 * it is fenced instead of fencing its successor. A repeated request whose answer was lost gets the same answer again.
 */
export function initProducerIdRequest(
  transactionalId: string,
  held?: ProducerIdentity,
): KafkaRequest<InitProducerIdAnswer> {
  return {
    api: APIS.initProducerId,
    encode() {
      // The leading 0 is the empty tag section that flexible versions have at the end of the request header (KIP-482).
      const writer = new WireWriter().int8(0).compactString(transactionalId).int32(TRANSACTION_TIMEOUT_MS)
      return writer
        .int64(held?.producerId ?? -1)
        .int16(held?.epoch ?? -1)
        .uvarint(0)
        .bytes()
    },
    decode(body) {
      body.skipTags()
      const throttleMs = body.int32()
      return {
        throttleMs,
        value: { errorCode: body.int16(), producerId: body.int64Exact(), epoch: body.int16() },
      }
    },
  }
}

/** Has no effect, since no transaction is ever begun, but must not exceed the broker's transaction.max.timeout.ms. */
const TRANSACTION_TIMEOUT_MS = 60_000
