// Takes a transactional id at its coordinator.

import type { Cluster } from './cluster.ts'
import { brokerError, ERROR, refused } from './error-codes.ts'
import { findCoordinatorRequest } from './protocol/find-coordinator.ts'
import { initProducerIdRequest, type ProducerIdentity } from './protocol/init-producer-id.ts'

/**
 * One attempt to become the writer of a transactional id, with a higher epoch than any before.
 * With `held`: only if nobody else has become it since.
 * @throws KubedeltaError `fenced`, `forbidden`, or what keeps the brokers from answering
 */
export async function takeProducerId(
  cluster: Cluster,
  transactionalId: string,
  held?: ProducerIdentity,
): Promise<ProducerIdentity> {
  const action = `take transactional id ${transactionalId}`
  const coordinator = await cluster.sendAny(findCoordinatorRequest(transactionalId))
  if (coordinator.errorCode !== ERROR.none)
    throw refusal(action, transactionalId, coordinator.errorCode, coordinator.message)
  // A coordinator that the metadata does not name yet is a reason to ask again.
  await cluster.metadata([])
  const answer = await cluster.send(coordinator.nodeId, initProducerIdRequest(transactionalId, held))
  if (answer.errorCode !== ERROR.none) throw refusal(action, transactionalId, answer.errorCode, null)
  return { producerId: answer.producerId, epoch: answer.epoch }
}

function refusal(action: string, transactionalId: string, errorCode: number, message: string | null): Error {
  const forbidden = brokerError(errorCode).code === 'forbidden'
  return refused(action, errorCode, {
    message,
    fields: { transactionalId },
    ...(forbidden ? { hint: `allow Write and Describe on transactional id ${transactionalId}` } : {}),
  })
}
