// Finds the broker that keeps a transactional id.

import { WireWriter } from '../wire.ts'
import { APIS, type KafkaRequest } from './api.ts'

export interface CoordinatorAnswer {
  readonly errorCode: number
  readonly message: string | null
  readonly nodeId: number
}

export function findCoordinatorRequest(transactionalId: string): KafkaRequest<CoordinatorAnswer> {
  return {
    api: APIS.findCoordinator,
    encode: () => new WireWriter().string(transactionalId).int8(TRANSACTION).bytes(),
    decode(body) {
      const throttleMs = body.int32()
      return {
        throttleMs,
        value: { errorCode: body.int16(), message: body.nullableString(), nodeId: body.int32() },
      }
    },
  }
}

/** The key type of transactional ids; 0 would be a consumer group. */
const TRANSACTION = 1
