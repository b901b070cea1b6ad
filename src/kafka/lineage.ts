// Knows which history of a topic was read, and asks whether its log still holds it.

import { KubedeltaError } from '../base/errors.ts'
import type { Cluster } from './cluster.ts'
import { ERROR } from './error-codes.ts'
import { offsetForLeaderEpochRequest, type EpochEnd } from './protocol/offset-for-leader-epoch.ts'

/** A partition whose history is in doubt, and the error code with which its leader did not say. */
export interface Undecided {
  readonly partition: number
  readonly errorCode: number
}

/**
 * The history of one reading.
 *
 * - A topic that was deleted and created again has another id under the same name (KIP-516).
 * - A leader that lacked the newest records was elected: the log then ends the former epoch before what was read of it (KIP-320). Asked
 *   after each election, before anything is read under the new leader.
 */
export class Lineage {
  readonly #cluster: Cluster
  readonly #topic: string
  #topicId: string | undefined
  /** Partition -> leader epoch of the last batch that was read. */
  readonly #read: Map<number, number>
  /** Partition -> epoch of the leader whose log is known to hold what was read. */
  readonly #vouched = new Map<number, number>()

  /** @param read partition -> leader epoch of the last batch read earlier */
  constructor(cluster: Cluster, topic: string, read: ReadonlyMap<number, number> = new Map()) {
    this.#cluster = cluster
    this.#topic = topic
    this.#read = new Map(read)
  }

  /** Compares the topic's id in the newest metadata with the first one seen. @throws KubedeltaError `topic-recreated` */
  checkTopic(): void {
    const topicId = this.#cluster.known(this.#topic)?.topicId
    if (topicId === undefined) return
    this.#topicId ??= topicId
    if (topicId === this.#topicId) return
    throw new KubedeltaError(
      'topic-recreated',
      `Cannot read on in topic ${this.#topic}: wanted the topic with id ${this.#topicId}: current one has id ${topicId}: it was deleted and created again`,
      { fields: { topic: this.#topic, topicId } },
    )
  }

  /** The epoch of a partition's leader as the metadata has it; undefined where it says none. */
  leaderEpoch(partition: number): number | undefined {
    const found = this.#cluster.known(this.#topic)?.partitions.find((each) => each.partition === partition)
    return found === undefined || found.leaderEpoch < 0 ? undefined : found.leaderEpoch
  }

  /** Whether the present leader's log has yet to be asked. */
  isDoubtful(partition: number): boolean {
    const present = this.leaderEpoch(partition)
    return present !== undefined && this.#read.has(partition) && this.#vouched.get(partition) !== present
  }

  /** Takes note of what was read under a leader of the epoch `under`. */
  note(partition: number, leaderEpoch: number, under: number | undefined): void {
    // It stands outside of the batch's checksum: a higher one than the leader's own was damaged.
    if (leaderEpoch < 0 || under === undefined || leaderEpoch > under) return
    this.#read.set(partition, leaderEpoch)
    this.#vouched.set(partition, under)
  }

  /**
   * Asks a leader about the history of its partitions.
   * @param positions partition -> offset behind what was read
   * @returns those of which it could not say anything
   * @throws KubedeltaError `log-truncated`, or what kept the leader from answering
   */
  async verify(leader: number, positions: ReadonlyMap<number, number>): Promise<readonly Undecided[]> {
    const questions = [...positions.keys()].map((partition) => ({
      partition,
      currentLeaderEpoch: this.leaderEpoch(partition) ?? -1,
      leaderEpoch: this.#read.get(partition) ?? -1,
    }))
    const ends = await this.#cluster.send(leader, offsetForLeaderEpochRequest(this.#topic, questions))
    for (const end of ends) {
      if (end.errorCode !== ERROR.none) continue
      this.#assertHeld(end, positions.get(end.partition) ?? 0)
      const asked = questions.find(({ partition }) => partition === end.partition)
      if (asked !== undefined) this.#vouched.set(end.partition, asked.currentLeaderEpoch)
    }
    return ends.filter(({ errorCode }) => errorCode !== ERROR.none)
  }

  #assertHeld({ partition, leaderEpoch, endOffset }: EpochEnd, position: number): void {
    // As Java's client decides: org.apache.kafka.clients.consumer.internals.SubscriptionState.maybeCompleteValidation
    if (leaderEpoch >= 0 && endOffset >= position) return
    const read = this.#read.get(partition) ?? -1
    const current = leaderEpoch < 0 ? 'it knows no such epoch' : `it ends at offset ${endOffset}`
    throw new KubedeltaError(
      'log-truncated',
      `Cannot read on in topic ${this.#topic}: wanted partition ${partition} to hold leader epoch ${read} up to offset ${position}: ${current}: records that were read are no longer there`,
      { fields: { topic: this.#topic, partition, offset: position, leaderEpoch: read } },
    )
  }
}
