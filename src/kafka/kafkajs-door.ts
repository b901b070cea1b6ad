// The door to kafkajs: the connections, TLS and SASL below its public API, checked when it is opened.

import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Kafka, logLevel, type ISocketFactoryArgs, type LogEntry } from 'kafkajs'
import { KubedeltaError } from '../base/errors.ts'
import type { Logger } from '../base/log.ts'
import { Frames } from './frames.ts'
import { ClientCredentials, type KafkaSecurity, type KafkaTls } from './security.ts'

/** One connection that kafkajs has yet to make; `connect` also asks for the broker's versions and authenticates. */
export interface DoorBroker {
  connect(): Promise<void>
  disconnect(): Promise<void>
  /** API key -> versions the broker speaks; null until connected. */
  readonly versions: Readonly<Record<number, ApiVersions>> | null
  readonly connectionPool: { readonly pool: readonly DoorConnection[] }
}

export interface ApiVersions {
  readonly minVersion: number
  readonly maxVersion: number
}

export interface DoorConnection {
  send<T>(call: DoorCall<T>): Promise<T>
  readonly socket?: Socket
  readonly requestQueue: DoorQueue
  /** Takes what the socket received. */
  processData: (chunk: Buffer) => void
  /** What it keeps of an answer that is not whole. */
  chunks: readonly Buffer[]
}

/** What kafkajs wants to know of a request; `encode` may return anything that looks like its Encoder. */
export interface DoorCall<T> {
  readonly request: {
    readonly apiKey: number
    readonly apiName: string
    readonly apiVersion: number
    readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: {
    readonly decode: (raw: Buffer) => Promise<DoorAnswer<T>>
    readonly parse: (answer: DoorAnswer<T>) => Promise<T>
  }
  readonly logResponseError: boolean
}

export interface DoorAnswer<T> {
  readonly value: T
  /** kafkajs holds the next requests of the connection back for that long. */
  readonly clientSideThrottleTime: number
}

interface DoorQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests: () => void
}

export interface DoorOptions {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly security: KafkaSecurity
  /** For a TCP and TLS handshake. */
  readonly connectTimeoutMs: number
  /** For an answer; the broker's own wait must be shorter. */
  readonly requestTimeoutMs: number
  readonly log: Logger
}

/** A factory of connections. Every socket it made is known to it until closed, so that none outlives `close`. */
export interface KafkajsDoor {
  broker(host: string, port: number): Promise<DoorBroker>
  /** Ends every socket that is still open; resolves when all are closed. */
  close(): Promise<void>
}

/**
 * Opens kafkajs below its public API.
 *
 * Its producer loses records when an acknowledgement is lost, its consumer can stick on compacted topics, and a
 * connection of it that was lost keeps half of an answer; what is taken from it is one connection at a time.
 * @throws KubedeltaError `unsupported` when the installed kafkajs is not built as 2.2.4 is
 */
export function openKafkajs(options: DoorOptions): KafkajsDoor {
  const sockets = new Set<Socket>()
  const credentials = new ClientCredentials(options.security)
  const client = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    ...(credentials.sasl === undefined ? {} : { sasl: credentials.sasl }),
    reauthenticationThreshold: REAUTHENTICATION_THRESHOLD_MS,
    // The socket factory keeps the deadline, since kafkajs leaves a socket that is too slow half open.
    connectionTimeout: options.connectTimeoutMs + 1000,
    authenticationTimeout: options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    retry: { retries: 0 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => forwardLog(options.log, entry),
    // TLS is the factory's alone: kafkajs would keep the certificates of the start.
    socketFactory: (args) =>
      trackedSocket(args, { sockets, tls: credentials.tls, timeoutMs: options.connectTimeoutMs }),
  })
  const parts = privateParts(client)
  return {
    async broker(host, port) {
      await credentials.refresh()
      const connectionPool = await parts.buildPool({ host, port })
      const broker = parts.createBroker({ connectionPool, logger: parts.logger, nodeId: null })
      const connection = broker.connectionPool.pool[0]
      if (connection !== undefined) {
        quiet(connection.requestQueue)
        frame(connection)
      }
      return broker
    },
    async close() {
      const closing = [...sockets].map(async (socket) => {
        await new Promise((resolve) => {
          socket.once('close', resolve)
          socket.destroy(new Error('connection closed by this side'))
        })
      })
      await Promise.all(closing)
    },
  }
}

/**
 * How long before its end a session is renewed (KIP-368). kafkajs' own 10 s would renew a session of 10 s before each
 * request, which a broker refuses when it comes twice in a second.
 */
const REAUTHENTICATION_THRESHOLD_MS = 2_000

interface PrivateParts {
  readonly logger: unknown
  readonly buildPool: (address: { host: string; port: number }) => Promise<unknown>
  readonly createBroker: (options: object) => DoorBroker
}

/** The decode edge to kafkajs' private objects: nothing else here casts. */
function privateParts(client: Kafka): PrivateParts {
  const symbol = Object.getOwnPropertySymbols(client).find(({ description }) => description === CREATE_CLUSTER)
  const createCluster: unknown = symbol === undefined ? undefined : Reflect.get(client, symbol)
  if (typeof createCluster !== 'function') throw changed(CREATE_CLUSTER)
  const cluster: unknown = createCluster.call(client, { allowAutoTopicCreation: false, metadataMaxAge: 300_000 })
  const builder = member(cluster, 'connectionPoolBuilder')
  const pool = member(cluster, 'brokerPool')
  const build = member(builder, 'build')
  const createBroker = member(pool, 'createBroker')
  if (typeof build !== 'function') throw changed('connectionPoolBuilder.build')
  if (typeof createBroker !== 'function') throw changed('brokerPool.createBroker')
  return {
    logger: member(cluster, 'rootLogger'),
    buildPool: async (address) => {
      const connectionPool: unknown = await build.call(builder, address)
      return connectionPool
    },
    createBroker: (options) => {
      const broker: unknown = createBroker.call(pool, options)
      const connections = member(member(broker, 'connectionPool'), 'pool')
      const connection: unknown = Array.isArray(connections) ? connections[0] : undefined
      if (typeof member(connection, 'send') !== 'function') throw changed('connectionPool.pool[0].send')
      if (typeof member(member(connection, 'requestQueue'), 'scheduleCheckPendingRequests') !== 'function') {
        throw changed('requestQueue.scheduleCheckPendingRequests')
      }
      if (typeof member(connection, 'processData') !== 'function') throw changed('connection.processData')
      if (!isBroker(broker)) throw changed('Broker.connect')
      return broker
    },
  }
}

/** The rest of its shape is checked where the parts are taken out. */
function isBroker(value: unknown): value is DoorBroker {
  return typeof member(value, 'connect') === 'function' && typeof member(value, 'connectionPool') === 'object'
}

const CREATE_CLUSTER = 'private:Kafka:createCluster'

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function changed(what: string): KubedeltaError {
  return new KubedeltaError(
    'unsupported',
    `Cannot use kafkajs: wanted version 2.2.4 with '${what}': the installed one has none: install kafkajs@2.2.4`,
  )
}

/**
 * After every answer kafkajs arms a timer whose delay is negative unless the broker throttles it, of which Node warns
 * (tulios/kafkajs#1751). Where nothing is held back there is nothing to look at later.
 */
function quiet(queue: DoorQueue): void {
  const schedule = queue.scheduleCheckPendingRequests
  queue.scheduleCheckPendingRequests = function scheduleIfHeldBack() {
    if (queue.pending.length > 0 || queue.throttledUntil > Date.now()) schedule.call(queue)
  }
}

/** Gives kafkajs whole answers, where it would keep the chunks of each and then glue them into a second copy. */
function frame(connection: DoorConnection): void {
  const frames = new Frames()
  const takeWhole = connection.processData
  connection.processData = function takeChunk(chunk) {
    try {
      frames.take(chunk, (answer) => {
        // The empty rest of the answer before, which this one would be glued to.
        connection.chunks = []
        takeWhole.call(connection, answer)
      })
    } catch (error) {
      // What follows cannot be made out; requests that wait hear of it by the socket.
      connection.socket?.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

interface SocketOptions {
  readonly sockets: Set<Socket>
  readonly tls: KafkaTls | undefined
  readonly timeoutMs: number
}

/**
 * Where all sockets put what they receive, one at a time: it is copied into its answer before the call returns. A buffer a read would be
 * as much memory as the answers once more, and V8 collects garbage by how much of that there is.
 */
const RECEIVED = Buffer.allocUnsafeSlow(256 * 1024)

function trackedSocket(args: ISocketFactoryArgs, { sockets, tls, timeoutMs }: SocketOptions): Socket {
  const { host, port, onConnect } = args
  const connected = (): void => {
    clearTimeout(deadline)
    onConnect()
  }
  const onread = {
    buffer: RECEIVED,
    callback: (length: number, buffer: Uint8Array): boolean => {
      socket.emit('data', Buffer.from(buffer.buffer, buffer.byteOffset, length))
      return true
    },
  }
  const to = { host, port, onread }
  const socket: Socket = tls
    ? connectTls({ ...(isIP(host) ? {} : { servername: host }), ...tls, ...to }, connected)
    : connectPlain(to, connected)
  const deadline = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
  // Requests are written whole; waiting to fill a packet only delays the next of a pipeline.
  socket.setNoDelay(true)
  socket.setKeepAlive(true, 30_000)
  sockets.add(socket)
  socket.once('close', (hadError) => {
    clearTimeout(deadline)
    sockets.delete(socket)
    // kafkajs listens to 'end' and 'error' only: a socket closed without either would leave its requests to their timeout.
    if (!hadError) socket.emit('end')
  })
  return socket
}

/**
 * kafkajs logs what it also throws, so its lines are for debugging only. Named fields pass, the rest may hold anything.
 */
function forwardLog(log: Logger, { namespace, log: line }: LogEntry): void {
  const { message, broker, error } = line
  log.debug('kafkajs', { namespace, detail: message, broker, ...(typeof error === 'string' ? { reason: error } : {}) })
}
