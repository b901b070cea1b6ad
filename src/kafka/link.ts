// One connection to one broker: opened once, used until it breaks, never mended.

import { KubedeltaError } from '../base/errors.ts'
import { connectionError } from './connection-error.ts'
import type { ApiVersions, DoorBroker, DoorConnection, KafkajsDoor } from './kafkajs-door.ts'
import { APIS, type Api, type KafkaRequest } from './protocol/api.ts'
import { WireReader } from './wire.ts'

/**
 * A connection whose requests are answered in the order in which they were sent.
 *
 * - A request without an answer in time ends the connection, and with it everything else that waits on it.
 * - After a failure of the connection `broken` is true and stays so: make a new one.
 */
export class Link {
  readonly address: string
  readonly #connection: DoorConnection
  readonly #versions: Readonly<Record<number, ApiVersions>>
  #broken = false

  private constructor(address: string, broker: DoorBroker, connection: DoorConnection) {
    this.address = address
    this.#connection = connection
    this.#versions = broker.versions ?? {}
  }

  /** @throws KubedeltaError `unreachable`, `timeout`, `unauthorized`, `unsupported` */
  static async open(door: KafkajsDoor, host: string, port: number): Promise<Link> {
    const address = `${host}:${port}`
    const broker = await door.broker(host, port)
    const connection = broker.connectionPool.pool[0]
    if (connection === undefined) throw new Error(`Cannot connect to ${address}: kafkajs made no connection`)
    try {
      await broker.connect()
    } catch (error) {
      connection.socket?.destroy(new Error('connection given up'))
      throw connectionError(error, address, { opened: false })
    }
    const link = new Link(address, broker, connection)
    connection.socket?.once('close', () => (link.#broken = true))
    for (const api of Object.values(APIS)) link.#version(api)
    return link
  }

  /** Whether the connection has failed or was closed. */
  get broken(): boolean {
    return this.#broken
  }

  /** @throws KubedeltaError `unreachable` or `timeout` when the connection ends first, `unsupported`, `corrupt` */
  async send<T>(request: KafkaRequest<T>): Promise<T> {
    const { api } = request
    const version = this.#version(api)
    try {
      return await this.#connection.send<T>({
        request: {
          apiKey: api.key,
          apiName: api.name,
          apiVersion: version,
          encode: async () => {
            const body = request.encode(version)
            return { buf: body, buffer: body }
          },
        },
        response: {
          decode: async (raw) => {
            const { value, throttleMs } = request.decode(new WireReader(raw), version)
            return { value, clientSideThrottleTime: throttleMs }
          },
          parse: async (answer) => answer.value,
        },
        logResponseError: false,
      })
    } catch (error) {
      if (error instanceof RangeError) throw undecodable(api, this.address, error)
      // kafkajs forgets a request that was not answered in time and leaves the connection; its answer may still come.
      this.close()
      throw connectionError(error, this.address, { opened: true })
    }
  }

  close(): void {
    if (this.#broken) return
    this.#broken = true
    // With an error: kafkajs does not listen to 'close' and would leave its requests without an answer.
    this.#connection.socket?.destroy(new Error('connection closed by this side'))
  }

  #version(api: Api): number {
    const spoken = this.#versions[api.key]
    const version = Math.min(api.highest, spoken?.maxVersion ?? -1)
    if (spoken !== undefined && version >= api.lowest && version >= spoken.minVersion) return version
    const current = spoken === undefined ? 'none' : `${spoken.minVersion} to ${spoken.maxVersion}`
    throw new KubedeltaError(
      'unsupported',
      `Cannot use the Kafka broker ${this.address}: wanted ${api.name} in version ${api.lowest} to ${api.highest}: it speaks ${current}: use Kafka 2.5 or later`,
      { fields: { broker: this.address } },
    )
  }
}

function undecodable(api: Api, address: string, cause: RangeError): KubedeltaError {
  return new KubedeltaError(
    'corrupt',
    `Cannot read the answer to ${api.name} of the Kafka broker ${address}: ${cause.message}`,
    {
      cause,
      fields: { broker: address },
    },
  )
}
