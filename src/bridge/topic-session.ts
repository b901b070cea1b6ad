// One topic from the first look at it to the right to write it: read, checked, fenced, read on to the fence.

import { randomUUID } from 'node:crypto'

import { abortable } from '../base/abort.ts'
import { KubedeltaError } from '../base/errors.ts'
import type { Control, Progress } from '../record/control.ts'
import type { Appended, Compression, TopicLog, TopicReader, TopicWriter } from '../topic/port.ts'
import { checkIdentity, type WantedIdentity } from './identity-check.ts'
import { Recovery, type RecoveryOptions } from './recover.ts'
import { TopicIndex } from './topic-index.ts'
import { toControlRecord } from './wire.ts'

export interface TopicSessionOptions
  extends Omit<WantedIdentity, 'partitions'>, Omit<RecoveryOptions, 'topic' | 'reader'> {
  readonly connection: TopicLog
  readonly compression: Compression
  readonly holder: string
  readonly policy: string
  /** Writer schemas of the values that will be written: fingerprint -> text. */
  readonly writtenSchemas: Readonly<Record<string, string>>
  readonly now: () => number
}

/** A topic that was read to its end and may be written by this bridge. Nothing has been written or fenced yet. */
export interface ReadTopic {
  readonly options: TopicSessionOptions
  readonly index: TopicIndex
  readonly recovery: Recovery
  readonly reader: TopicReader
  readonly partitions: number
  readonly ends: ReadonlyMap<number, number>
  /** What stands on the topic belongs to another cluster, and is taken over. */
  readonly adopted: boolean
}

/**
 * Reads a topic to its end and checks whose it is.
 * @throws KubedeltaError `topic-missing`, `topic-foreign`, `scope-changed`, `partitions-changed`, and what the reader throws
 */
export async function readTopic(
  options: TopicSessionOptions,
  reader: TopicReader,
  signal: AbortSignal,
): Promise<ReadTopic> {
  const { connection, topic } = options
  const index = new TopicIndex()
  const recovery = new Recovery(index, { ...options, reader })
  const from = await connection.admin.offsets(topic, 'earliest', signal)
  const ends = await connection.admin.offsets(topic, 'latest', signal)
  await recovery.read(from, ends, signal)
  const found = { control: recovery.control, clusters: recovery.clusters, keys: index.size }
  const continuity = checkIdentity(found, { ...options, partitions: ends.size })
  const adopted = continuity.kind === 'other-cluster'
  return { options, index, recovery, reader, partitions: ends.size, ends, adopted }
}

/** The right to write a topic: from the fence on, every older writer is refused by the broker. */
export interface Leadership {
  readonly writer: TopicWriter
  readonly epoch: number
  readonly streamId: string
}

/**
 * Opens the writer, which fences the one before it, puts a fence record on every partition and reads on to it, so that
 * the index holds whatever the old writer still got in.
 * @throws KubedeltaError as TopicLog's `openWriter`, and what the reader throws
 */
export async function takeLead(topic: ReadTopic, signal: AbortSignal): Promise<Leadership> {
  const { options, recovery, ends, partitions } = topic
  const writer = await options.connection.openWriter({
    topic: options.topic,
    transactionalId: `kubedelta/${options.topic}`,
    compression: options.compression,
    signal,
  })
  try {
    if (writer.partitions !== partitions) {
      throw new KubedeltaError(
        'partitions-changed',
        `Cannot write to topic ${options.topic}: it had ${partitions} partitions when it was read: current value is ${writer.partitions}; start again`,
      )
    }
    const streamId = (topic.adopted ? undefined : recovery.control?.streamId) ?? randomUUID()
    const lead = { writer, epoch: recovery.epoch + 1, streamId }
    const fences = await abortable(appendControl(topic, lead, { kind: 'fence' }), signal)
    await recovery.read(ends, new Map(fences.map(({ partition, baseOffset }) => [partition, baseOffset])), signal)
    if (recovery.epoch >= lead.epoch) {
      throw new KubedeltaError(
        'fenced',
        `Cannot write to topic ${options.topic}: ${recovery.control?.holder ?? 'another bridge'} took it over meanwhile with epoch ${recovery.epoch}: current value is ${lead.epoch}`,
      )
    }
    return lead
  } catch (error) {
    await writer[Symbol.asyncDispose]()
    throw error
  }
}

/** What a control record says beyond who writes. */
export type ControlContent = { readonly kind: 'fence' } | Pick<Progress, 'kind' | 'synced' | 'resourceVersion'>

/**
 * Appends a control record to every partition; resolves when all are acknowledged.
 * @throws as TopicWriter's `append`
 */
export async function appendControl(
  { options, partitions }: Pick<ReadTopic, 'options' | 'partitions'>,
  { writer, epoch, streamId }: Leadership,
  content: ControlContent,
): Promise<readonly Appended[]> {
  const { clusterId, cluster, holder, scope, policy, writtenSchemas, now } = options
  const control: Control = {
    ...content,
    clusterId,
    cluster,
    streamId,
    epoch,
    producerId: writer.producerId,
    holder,
    asOf: now(),
    partitions,
    scope,
    policy,
    schemas: writtenSchemas,
  }
  const records = [toControlRecord(control)]
  return Promise.all(Array.from({ length: partitions }, (_, partition) => writer.append(partition, { records })))
}
