// Finds on a topic which batches of a producer landed whose acknowledgement was lost.

import type { BatchHeader } from './batch-header.ts'
import { splitBatches } from './batch-decode.ts'
import type { Cluster } from './cluster.ts'
import { ERROR, refused } from './error-codes.ts'
import { fetchRequest } from './protocol/fetch.ts'
import type { ProducerIdentity } from './protocol/init-producer-id.ts'
import { listOffsetsRequest } from './protocol/list-offsets.ts'

/** A batch that was sent and not acknowledged. */
export interface SentBatch {
  readonly id: number
  readonly records: number
  readonly sequence: number
}

export interface TailQuestion {
  readonly topic: string
  readonly partition: number
  /** Behind the last record known to stand there. */
  readonly from: number
  /** Under which it was sent. */
  readonly identity: ProducerIdentity
  /** Oldest first. */
  readonly sent: readonly SentBatch[]
}

/**
 * One attempt to find which of the sent batches stand on the topic: id -> offset of its first record.
 *
 * A batch is known by producer id, epoch and first sequence number, which its header keeps even after compaction. Every
 * batch before one that landed has landed too, since the broker takes them in sequence only.
 * @throws KubedeltaError
 */
export async function findLanded(cluster: Cluster, question: TailQuestion): Promise<ReadonlyMap<number, number>> {
  const { topic, partition, sent } = question
  const bySequence = new Map(sent.map((batch) => [batch.sequence, batch]))
  const landed = new Map<number, number>()
  const [end, start] = await Promise.all([
    offsetOf(cluster, topic, partition, 'latest'),
    offsetOf(cluster, topic, partition, 'earliest'),
  ])
  // Beyond the end: the log was cut back, by an unclean election say, and a retry may have landed anywhere since.
  let position = question.from > end || question.from < start ? start : question.from
  while (position < end) {
    const headers = await fetchHeaders(cluster, topic, partition, position)
    for (const header of headers) {
      const batch = isOf(header, question.identity) ? bySequence.get(header.baseSequence) : undefined
      if (batch !== undefined) landed.set(batch.id, header.baseOffset)
      position = Math.max(position, header.nextOffset)
    }
  }
  return withFormer(sent, landed)
}

/** Adds those that compaction has removed whole, though a later one stands: they stood right before it. */
function withFormer(sent: readonly SentBatch[], landed: Map<number, number>): ReadonlyMap<number, number> {
  let next: number | undefined
  for (const { id, records } of sent.toReversed()) {
    const offset = landed.get(id) ?? (next === undefined ? undefined : next - records)
    if (offset !== undefined) landed.set(id, offset)
    next = offset
  }
  return landed
}

function isOf(header: BatchHeader, identity: ProducerIdentity): boolean {
  return header.producerId === identity.producerId && header.producerEpoch === identity.epoch && !header.control
}

async function fetchHeaders(
  cluster: Cluster,
  topic: string,
  partition: number,
  offset: number,
): Promise<BatchHeader[]> {
  const leader = await cluster.leader(topic, partition)
  const limits = { maxWaitMs: 500, maxBytes: FETCH_BYTES, maxBytesPerPartition: FETCH_BYTES }
  const [answer] = await cluster.send(leader, fetchRequest(topic, [{ partition, offset }], limits))
  if (answer === undefined || answer.errorCode !== ERROR.none) {
    cluster.forget(topic)
    throw refused(`read the tail of topic ${topic}`, answer?.errorCode ?? -1, { fields: { topic, partition, offset } })
  }
  return splitBatches(answer.batches, { topic, partition }).map(({ header }) => header)
}

async function offsetOf(
  cluster: Cluster,
  topic: string,
  partition: number,
  at: 'earliest' | 'latest',
): Promise<number> {
  const leader = await cluster.leader(topic, partition)
  const [answer] = await cluster.send(leader, listOffsetsRequest(topic, [partition], at))
  if (answer === undefined || answer.errorCode !== ERROR.none) {
    cluster.forget(topic)
    throw refused(`read the end of topic ${topic}`, answer?.errorCode ?? -1, { fields: { topic, partition } })
  }
  return answer.offset
}

const FETCH_BYTES = 4 * 1024 * 1024
