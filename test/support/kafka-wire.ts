// Asks a broker the two questions that tell whether it is ready, in Kafka's own protocol.

import { once } from 'node:events'
import { connect } from 'node:net'

// https://kafka.apache.org/protocol#protocol_api_keys
const METADATA = 3
const API_VERSIONS = 18
const DESCRIBE_PRODUCERS = 61

/** What a broker says of its cluster. */
export interface ClusterView {
  /** Node ids of the brokers that are registered and alive. */
  readonly brokers: readonly number[]
  /** Node id of the controller, -1 while there is none. */
  readonly controller: number
}

/** Asks ApiVersions and Metadata at `host:port`. @throws Error when the broker does not answer both within 5 s */
export async function askCluster(address: string): Promise<ClusterView> {
  const versions = await exchange(address, API_VERSIONS, 0, Buffer.alloc(0))
  const errorCode = versions.readInt16BE(0)
  if (errorCode !== 0) throw new Error(`Cannot ask ${address} for its API versions: error code ${errorCode}`)
  const noTopics = Buffer.alloc(4)
  return parseMetadata(await exchange(address, METADATA, 1, noTopics)).view
}

/** Asks one broker for a topic. @throws Error while it does not know it, or knows no leader of its first partition */
export async function askTopic(address: string, topic: string): Promise<void> {
  const body = Buffer.alloc(6 + Buffer.byteLength(topic))
  body.writeInt32BE(1, 0)
  body.writeInt16BE(Buffer.byteLength(topic), 4)
  body.write(topic, 6)
  const answer = await exchange(address, METADATA, 1, body)
  // topics: [error_code, name, is_internal, partitions: [error_code, ...]]
  let at = parseMetadata(answer).end + 4
  const errorCode = answer.readInt16BE(at)
  at += 2 + 2 + Buffer.byteLength(topic) + 1 + 4
  const partitionErrorCode = errorCode === 0 ? answer.readInt16BE(at) : errorCode
  if (partitionErrorCode !== 0) throw new Error(`${address} says error code ${partitionErrorCode} of topic ${topic}`)
}

/** How many producers a leader remembers of a partition. @throws Error while it does not lead it */
export async function askProducers(address: string, topic: string, partition: number): Promise<number> {
  const name = Buffer.from(topic)
  // A flexible version (KIP-482): lengths are varints one too high, tag sections end header, elements and body.
  const indexes = Buffer.alloc(4)
  indexes.writeInt32BE(partition)
  const body = Buffer.concat([Buffer.of(0, 2, name.length + 1), name, Buffer.of(2), indexes, Buffer.of(0, 0)])
  const answer = await exchange(address, DESCRIBE_PRODUCERS, 0, body)
  // tags, throttle_time_ms, topics: [name, partitions: [index, error_code, error_message, active_producers: [...]]]
  const at = 1 + 4 + 1 + 1 + name.length + 1 + 4
  const errorCode = answer.readInt16BE(at)
  if (errorCode !== 0) throw new Error(`${address} says error code ${errorCode} of partition ${partition} of ${topic}`)
  return answer.readUInt8(at + 3) - 1
}

/** Sends one request on a connection of its own; resolves with the response after its correlation id. */
async function exchange(address: string, api: number, version: number, body: Buffer): Promise<Buffer> {
  const [host = '', port = ''] = address.split(':')
  const header = Buffer.alloc(14)
  header.writeInt32BE(10 + body.length, 0)
  header.writeInt16BE(api, 4)
  header.writeInt16BE(version, 6)
  header.writeInt32BE(1, 8)
  header.writeInt16BE(-1, 12) // no client id
  const socket = connect({ host, port: Number(port) })
  try {
    socket.setTimeout(5000, () => socket.destroy(new Error(`no answer of ${address} within 5 s`)))
    await once(socket, 'connect')
    socket.write(Buffer.concat([header, body]))
    let received = Buffer.alloc(0)
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) return received.subarray(8)
    }
    throw new Error(`${address} closed the connection before it answered`)
  } finally {
    socket.destroy()
  }
}

// Metadata response v1: brokers [node_id, host, port, rack], controller_id, topics.
function parseMetadata(body: Buffer): { view: ClusterView; end: number } {
  const brokers: number[] = []
  let at = 4
  for (let left = body.readInt32BE(0); left > 0; left -= 1) {
    brokers.push(body.readInt32BE(at))
    at += 4
    at += 2 + body.readInt16BE(at) // host
    at += 4 // port
    at += 2 + Math.max(0, body.readInt16BE(at)) // rack, null as -1
  }
  return { view: { brokers, controller: body.readInt32BE(at) }, end: at + 4 }
}
