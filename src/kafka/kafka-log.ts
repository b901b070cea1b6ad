// Opens a Kafka cluster as a log of topics.

import { systemClock, type Clock } from '../base/clock.ts'
import { KubedeltaError } from '../base/errors.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import type { TopicAdmin, TopicLog, TopicReader, TopicWriter, WriterOptions } from '../topic/port.ts'
import { KafkaAdmin } from './admin.ts'
import { Cluster } from './cluster.ts'
import { takeProducerId } from './producer-id.ts'
import { KafkaReader, type ReadLimits } from './reader.ts'
import { retrying } from '../base/retry.ts'
import type { KafkaSecurity } from './security.ts'
import { KafkaWriter } from './writer.ts'

export interface KafkaLogOptions {
  /** Brokers to begin with, each `HOST:PORT`. */
  readonly brokers: readonly string[]
  /** Ends the attempt to open; has no effect afterwards. */
  readonly signal: AbortSignal
  /** @default plain TCP without SASL */
  readonly security?: KafkaSecurity
  /** @default writes nothing */
  readonly log?: Logger
  /** @default the system's */
  readonly clock?: Clock
  /** The name under which brokers log and limit this client. @default 'kubedelta' */
  readonly clientId?: string
  /** How long opening, and every question of the admin, is repeated before it fails. @default 30_000 */
  readonly startupTimeoutMs?: number
  /** For one handshake. @default 10_000 */
  readonly connectTimeoutMs?: number
  /** For one answer; a request without one ends its connection. At least 2,000. @default 30_000 */
  readonly requestTimeoutMs?: number
  /** How long a topic may be unknown to the brokers before its writers and readers give up. @default 30_000 */
  readonly missingTopicGraceMs?: number
  /**
   * How often a writer takes its transactional id anew, so that it does not expire (transactional.id.expiration.ms, 7 days
   * by default) and a writer that was taken over learns it. @default 3_600_000 (1 h)
   */
  readonly renewalIntervalMs?: number
  /** @default 8 MiB a fetch, 4 MiB a partition, waiting 500 ms */
  readonly readLimits?: ReadLimits
  /** Sequence number of a writer's first batch, for tests of what follows 2^31 - 1. @default 0 */
  readonly firstSequence?: number
}

/**
 * Connects and checks that the brokers speak what is needed.
 * @throws KubedeltaError `unreachable`, `timeout`, `unauthorized`, `unsupported`
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<TopicLog> {
  const settings = { ...DEFAULTS, ...options }
  checkSettings(settings)
  const cluster = openCluster(settings)
  try {
    await retrying(async () => cluster.metadata([]), {
      action: `connect to Kafka at ${settings.brokers.join(', ')}`,
      clock: settings.clock,
      signal: settings.signal,
      timeoutMs: settings.startupTimeoutMs,
      log: settings.log,
    })
    return new KafkaLog(cluster, settings)
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

type Settings = Required<KafkaLogOptions>

const MIB = 1024 * 1024

const DEFAULTS = {
  security: {},
  log: silentLogger,
  clock: systemClock,
  clientId: 'kubedelta',
  startupTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  missingTopicGraceMs: 30_000,
  renewalIntervalMs: 3_600_000,
  readLimits: { maxBytes: 8 * MIB, maxBytesPerPartition: 4 * MIB, maxWaitMs: 500 },
  firstSequence: 0,
} as const satisfies Partial<KafkaLogOptions>

/** The log; its writers and its admin share one set of connections, each reader has its own. */
class KafkaLog implements TopicLog {
  readonly admin: TopicAdmin
  readonly #cluster: Cluster
  readonly #settings: Settings
  readonly #opened = new Set<AsyncDisposable>()

  constructor(cluster: Cluster, settings: Settings) {
    this.#cluster = cluster
    this.#settings = settings
    const { clock, log, startupTimeoutMs } = settings
    this.admin = new KafkaAdmin({ cluster, clock, log, operationTimeoutMs: startupTimeoutMs })
  }

  async openWriter(options: WriterOptions): Promise<TopicWriter> {
    const { clock, log, startupTimeoutMs, requestTimeoutMs, missingTopicGraceMs, renewalIntervalMs, firstSequence } =
      this.#settings
    const { topic, transactionalId, compression = 'gzip', signal } = options
    const description = await this.admin.describe(topic, signal)
    if (description === undefined) {
      throw new KubedeltaError(
        'topic-missing',
        `Cannot write to topic ${topic}: it does not exist: create it or correct its name`,
        {
          fields: { topic },
        },
      )
    }
    const identity = await retrying(async () => takeProducerId(this.#cluster, transactionalId), {
      action: `take transactional id ${transactionalId}`,
      clock,
      signal,
      timeoutMs: startupTimeoutMs,
      log,
    })
    const endOffsets = await this.admin.offsets(topic, 'latest', signal)
    const writer = new KafkaWriter({
      topic,
      transactionalId,
      compression,
      identity,
      endOffsets,
      maxBatchBytes: Number(description.config.get('max.message.bytes') ?? DEFAULT_MAX_MESSAGE_BYTES),
      firstSequence,
      // Below the request timeout: the broker answers before the connection is given up.
      replicationTimeoutMs: requestTimeoutMs / 2,
      missingTopicGraceMs,
      renewalIntervalMs,
      cluster: this.#cluster,
      clock,
      log: log.with({ topic }),
    })
    this.#opened.add(writer)
    // It never rejects, and ends with the writer.
    void writer.renewRegularly()
    return writer
  }

  async openReader(options: { readonly signal: AbortSignal }): Promise<TopicReader> {
    options.signal.throwIfAborted()
    const { clock, log, readLimits, missingTopicGraceMs } = this.#settings
    const cluster = openCluster(this.#settings)
    const reader = new KafkaReader({ cluster, clock, log, limits: readLimits, missingTopicGraceMs })
    this.#opened.add(reader)
    return reader
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#opened].map(async (each) => each[Symbol.asyncDispose]()))
    await this.#cluster[Symbol.asyncDispose]()
  }
}

/** Kafka's own default: https://kafka.apache.org/documentation/#topicconfigs_max.message.bytes */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588

function openCluster({ brokers, clientId, security, connectTimeoutMs, requestTimeoutMs, log }: Settings): Cluster {
  return new Cluster({ brokers, clientId, security, connectTimeoutMs, requestTimeoutMs, log })
}

function checkSettings({ brokers, requestTimeoutMs, renewalIntervalMs }: Settings): void {
  if (brokers.length === 0) {
    throw new TypeError("Cannot open Kafka: 'brokers' must name at least one: current value is empty")
  }
  if (!(requestTimeoutMs >= 2_000)) {
    throw new RangeError(`Cannot open Kafka: 'requestTimeoutMs' must be >= 2000: current value is ${requestTimeoutMs}`)
  }
  if (!(renewalIntervalMs > 0)) {
    throw new RangeError(`Cannot open Kafka: 'renewalIntervalMs' must be > 0: current value is ${renewalIntervalMs}`)
  }
}
