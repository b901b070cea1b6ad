// Knows the brokers of a cluster and who leads what, and sends requests to them.

import { KubedeltaError } from '../base/errors.ts'
import { brokerError, ERROR, refused } from './error-codes.ts'
import { openKafkajs, type DoorOptions, type KafkajsDoor } from './kafkajs-door.ts'
import { Link } from './link.ts'
import type { KafkaRequest } from './protocol/api.ts'
import { metadataRequest, type ClusterMetadata, type TopicMetadata } from './protocol/metadata.ts'

/**
 * Connections to the brokers of one cluster, one to each, made when first needed.
 *
 * - Every call is one attempt; who calls retries.
 * - Requests to one broker are sent in the order of the calls and answered in that order.
 */
export class Cluster implements AsyncDisposable {
  readonly #options: DoorOptions
  readonly #door: KafkajsDoor
  /** Address -> its connection, present from the attempt to open it until it breaks. */
  readonly #links = new Map<string, { readonly opening: Promise<Link>; link?: Link }>()
  /** Node -> address, from the newest metadata. */
  readonly #nodes = new Map<number, string>()
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #refreshing = new Map<string, Promise<TopicMetadata>>()
  #controllerId = -1
  #rotation = 0
  #closed = false

  /**
   * @param options `brokers` are those to begin with; the others are learned
   * @throws KubedeltaError `unsupported` when the installed kafkajs is not the one that is needed
   */
  constructor(options: DoorOptions) {
    this.#options = options
    this.#door = openKafkajs(options)
  }

  /** Sends to one broker, connecting first where needed. @throws KubedeltaError `unreachable`, `timeout`, `unauthorized`, `unsupported` */
  async send<T>(nodeId: number, request: KafkaRequest<T>): Promise<T> {
    return (await this.#node(nodeId)).send(request)
  }

  /** Finds the leader of a partition and connects to it, so that `pipeline` can send. @throws as `leader` and `send` */
  async connectLeader(topic: string, partition: number): Promise<void> {
    await this.#node(await this.leader(topic, partition))
  }

  /**
   * Sends to the leader of a partition over the connection that stands: the request is on its way, behind all former
   * ones, when the call returns.
   * @throws KubedeltaError `unreachable` where leader or connection are missing: `connectLeader` finds them
   */
  async pipeline<T>(topic: string, partition: number, request: KafkaRequest<T>): Promise<T> {
    const leader = this.knownLeader(topic, partition)
    const link = leader === undefined ? undefined : this.#links.get(this.#nodes.get(leader) ?? '')?.link
    if (link === undefined || link.broken) {
      throw new KubedeltaError(
        'unreachable',
        `Cannot send ${request.api.name}: no connection to the leader of partition ${partition}`,
      )
    }
    return link.send(request)
  }

  /** Sends to whichever broker answers. @throws KubedeltaError of the last one tried */
  async sendAny<T>(request: KafkaRequest<T>): Promise<T> {
    let last: unknown
    for (const address of this.#candidates()) {
      try {
        return await (await this.#link(address)).send(request)
      } catch (error) {
        last = error
        // Credentials and versions are refused alike by all; the rest may be this broker's own trouble.
        if (error instanceof KubedeltaError && !error.retriable) throw error
      }
    }
    throw last
  }

  /** Sends to the controller, which alone creates topics. */
  async sendController<T>(request: KafkaRequest<T>): Promise<T> {
    await this.metadata([])
    return this.send(this.#controllerId, request)
  }

  /** Metadata straight from a broker; what it says of brokers and topics is remembered. */
  async metadata(topics: readonly string[] | 'all'): Promise<ClusterMetadata> {
    const metadata = await this.sendAny(metadataRequest(topics))
    this.#nodes.clear()
    for (const { nodeId, host, port } of metadata.brokers) this.#nodes.set(nodeId, `${host}:${port}`)
    this.#controllerId = metadata.controllerId
    for (const topic of metadata.topics) this.#topics.set(topic.topic, topic)
    return metadata
  }

  /**
   * The topic as a broker sees it now.
   * @throws KubedeltaError `topic-missing`, `forbidden`, or what keeps the brokers from answering
   */
  async refresh(topic: string): Promise<TopicMetadata> {
    const running = this.#refreshing.get(topic)
    if (running !== undefined) return running
    const refreshing = this.#refresh(topic).finally(() => this.#refreshing.delete(topic))
    this.#refreshing.set(topic, refreshing)
    return refreshing
  }

  /** The leader of a partition, as far as known. @throws KubedeltaError `unreachable` while it has none; as `refresh` */
  async leader(topic: string, partition: number): Promise<number> {
    const known = this.knownLeader(topic, partition)
    if (known !== undefined) return known
    await this.refresh(topic)
    const leader = this.knownLeader(topic, partition)
    if (leader === undefined) {
      throw new KubedeltaError('unreachable', `Cannot use topic ${topic}: partition ${partition} has no leader`)
    }
    return leader
  }

  /** The leader of a partition where it is known without asking. */
  knownLeader(topic: string, partition: number): number | undefined {
    const leader = this.#topics.get(topic)?.partitions.find((each) => each.partition === partition)?.leader
    return leader === undefined || !this.#nodes.has(leader) ? undefined : leader
  }

  /** The topic as the newest metadata has it, without asking; undefined where it was forgotten. */
  known(topic: string): TopicMetadata | undefined {
    return this.#topics.get(topic)
  }

  /** Makes the next question for a leader of this topic ask a broker again. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const { link } of this.#links.values()) link?.close()
    await this.#door.close()
    // What was being opened fails now; its caller hears of it.
    await Promise.allSettled([...this.#links.values()].map(({ opening }) => opening))
    this.#links.clear()
  }

  async #refresh(topic: string): Promise<TopicMetadata> {
    const metadata = await this.metadata([topic])
    const found = metadata.topics.find((each) => each.topic === topic)
    const errorCode = found?.errorCode ?? ERROR.unknownTopicOrPartition
    if (found === undefined || (errorCode !== 0 && !isPassing(errorCode))) {
      throw refused(`use topic ${topic}`, errorCode, {
        fields: { topic },
        permission: `Describe on topic ${topic}`,
        hint: brokerError(errorCode).code === 'topic-missing' ? 'create it or correct its name' : undefined,
      })
    }
    return found
  }

  async #node(nodeId: number): Promise<Link> {
    const address = this.#nodes.get(nodeId)
    if (address === undefined) {
      throw new KubedeltaError('unreachable', `Cannot connect to Kafka broker ${nodeId}: it is not in the metadata`)
    }
    return this.#link(address)
  }

  async #link(address: string): Promise<Link> {
    const present = this.#links.get(address)
    if (present !== undefined && present.link?.broken !== true) return present.opening
    if (this.#closed) throw new KubedeltaError('aborted', `Cannot connect to ${address}: the client is closed`)
    const [host, port] = splitAddress(address)
    const entry: { readonly opening: Promise<Link>; link?: Link } = { opening: Link.open(this.#door, host, port) }
    this.#links.set(address, entry)
    try {
      entry.link = await entry.opening
      return entry.link
    } catch (error) {
      if (this.#links.get(address) === entry) this.#links.delete(address)
      throw error
    }
  }

  /** Open connections first, then known brokers, then those it was told of, beginning with another one each time. */
  #candidates(): readonly string[] {
    const open = [...this.#links].filter(([, { link }]) => link?.broken === false).map(([address]) => address)
    const others = [...this.#nodes.values(), ...this.#options.brokers]
    this.#rotation += 1
    const turn = others.length === 0 ? 0 : this.#rotation % others.length
    return [...new Set([...open, ...others.slice(turn), ...others.slice(0, turn)])]
  }
}

/** Splits at the last colon, so that an IPv6 address may stand before it, with or without brackets. */
export function splitAddress(address: string): [host: string, port: number] {
  const at = address.lastIndexOf(':')
  return [address.slice(0, at).replace(/^\[(.*)\]$/, '$1'), Number(address.slice(at + 1))]
}

/** LEADER_NOT_AVAILABLE of a topic just created: its partitions may be there already, without leaders. */
function isPassing(errorCode: number): boolean {
  const { code, again } = brokerError(errorCode)
  return again && code === 'unreachable'
}
