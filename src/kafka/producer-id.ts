// Takes a transactional id at its coordinator.

import type { KubedeltaError } from '../base/errors.ts'
import type { Cluster } from './cluster.ts'
import { ERROR, refused } from './error-codes.ts'
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
  const coordinator = await cluster.sendAny(findCoordinatorRequest(transactionalId))
  if (coordinator.errorCode !== ERROR.none) throw refusal(transactionalId, coordinator)
  // A coordinator that the metadata does not name yet is a reason to ask again.
  await cluster.metadata([])
  const answer = await cluster.send(coordinator.nodeId, initProducerIdRequest(transactionalId, held))
  if (answer.errorCode !== ERROR.none) throw refusal(transactionalId, answer)
  return { producerId: answer.producerId, epoch: answer.epoch }
}

function refusal(
  transactionalId: string,
  { errorCode, message = null }: { readonly errorCode: number; readonly message?: string | null },
): KubedeltaError {
  return refused(`take transactional id ${transactionalId}`, errorCode, {
    message,
    fields: { transactionalId },
    permission: `Write and Describe on transactional id ${transactionalId}`,
    hint: errorCode === ERROR.coordinatorNotAvailable ? NO_COORDINATOR : undefined,
  })
}

/** A broker says the same while a coordinator starts and when it can never create the coordinator's topic. */
const NO_COORDINATOR =
  'the brokers need their topic __transaction_state: transaction.state.log.replication.factor must not be above the number of brokers, nor transaction.state.log.min.isr above that of the replicas in sync'
