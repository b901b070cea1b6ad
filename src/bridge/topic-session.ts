// One topic from the first look at it to the right to write it: read, checked, fenced, read on to the fence.

import { randomUUID } from 'node:crypto'
import { abortable } from '../base/abort.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import { hasCode, KubedeltaError } from '../base/errors.ts'
import type { Control, DigestRecord, Progress } from '../record/control.ts'
import type { Appended, Compression, TopicLog, TopicReader, TopicWriter } from '../topic/port.ts'
import { checkIdentity, type Continuity, type WantedIdentity } from './identity-check.ts'
import { Recovery, type RecoveryOptions } from './recover.ts'
import { namingSuccessor } from './successor.ts'
import { TopicIndex } from './topic-index.ts'
import { toControlRecord } from './wire.ts'
import { GatedWriter, type WriteGate } from './write-gate.ts'

export interface TopicSessionOptions
  extends Omit<WantedIdentity, 'partitions'>, Omit<RecoveryOptions, 'topic' | 'reader'> {
  readonly connection: TopicLog
  readonly compression: Compression
  readonly holder: string
  readonly policy: string
  /** Writer schemas of the values that will be written: fingerprint -> text. */
  readonly writtenSchemas: Readonly<Record<string, string>>
  readonly clock: Clock
  /** Where a leader election decides who writes. */
  readonly elected?: Elected
}

/** What the election says about writing. */
export interface Elected {
  readonly gate: WriteGate
  /** After this time a leader that cannot reach the Lease has ended; milliseconds. */
  readonly leaseMs: number
}

/** A topic that was read to its end and may be written by this bridge. Nothing has been written or fenced yet. */
export interface ReadTopic {
  readonly options: TopicSessionOptions
  readonly index: TopicIndex
  readonly recovery: Recovery
  readonly reader: TopicReader
  readonly partitions: number
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
  const from = await connection.admin.offsets(topic, 'earliest', signal)
  const ends = await connection.admin.offsets(topic, 'latest', signal)
  const index = new TopicIndex(ends.size)
  const recovery = new Recovery(index, from, { ...options, reader })
  await recovery.read(ends, signal)
  const read = { options, index, recovery, reader, partitions: ends.size }
  assertOurs(read)
  return read
}

/**
 * Compares what was read so far with what this bridge is.
 * @throws KubedeltaError `topic-foreign`, `scope-changed`, `partitions-changed`
 */
export function assertOurs({ options, index, recovery, partitions }: ReadTopic): Continuity {
  const found = { control: recovery.control, clusters: recovery.clusters, keys: index.size }
  return checkIdentity(found, { ...options, partitions })
}

/** The right to write a topic: from the fence on, every older writer is refused by the broker. */
export interface Leadership {
  readonly writer: TopicWriter
  readonly epoch: number
  readonly streamId: string
  readonly former: FormerLeadership
}

/** What the leadership before this one left behind. */
export interface FormerLeadership {
  readonly control: Control | undefined
  readonly synced: Progress | undefined
  /** What stands on the topic belongs to another cluster, and is taken over. */
  readonly adopted: boolean
}

/**
 * Opens the writer, which fences the one before it, puts a fence record on every partition and reads on to it, so that
 * the index holds whatever the old writer still got in.
 * @throws KubedeltaError as TopicLog's `openWriter`, `assertOurs`, and what the reader throws; `fenced` names who was faster
 */
export async function takeLead(topic: ReadTopic, signal: AbortSignal): Promise<Leadership> {
  const { options, recovery, partitions } = topic
  const adopted = assertOurs(topic).kind === 'other-cluster'
  const writer = await openWriter(options, signal)
  try {
    if (writer.partitions !== partitions) {
      throw new KubedeltaError(
        'partitions-changed',
        `Cannot write to topic ${options.topic}: it had ${partitions} partitions when it was read: current value is ${writer.partitions}; start again`,
      )
    }
    const streamId = (adopted ? undefined : recovery.control?.streamId) ?? randomUUID()
    const former = { control: recovery.control, synced: recovery.synced, adopted }
    let lead = { writer, epoch: recovery.epoch + 1, streamId }
    await fence(topic, lead, signal)
    while (recovery.epoch >= lead.epoch) {
      // Another bridge had read the topic too and put its fence there first. Its writer is the older one, and ends.
      lead = { ...lead, epoch: recovery.epoch + 1 }
      await fence(topic, lead, signal)
    }
    await outlastUnfenced(topic, { former: former.control, writer }, signal)
    return { ...lead, former: { ...former, synced: recovery.synced } }
  } catch (error) {
    await writer[Symbol.asyncDispose]()
    throw await namingSuccessor(error, topic, { epoch: recovery.epoch, from: recovery.positions })
  }
}

/** Puts the fence on every partition, reads on to it, and looks whose that is: what came since the last reading may be anybody's. */
async function fence(
  topic: ReadTopic,
  lead: Pick<Leadership, 'writer' | 'epoch' | 'streamId'>,
  signal: AbortSignal,
): Promise<void> {
  const fences = await abortable(appendControl(topic, lead, { kind: 'fence' }), signal)
  await topic.recovery.read(new Map(fences.map(({ partition, baseOffset }) => [partition, baseOffset])), signal)
  assertOurs(topic)
}

/**
 * What the embedded log refuses is the lock of a process that still runs, stopped perhaps. Who was elected waits for it: nobody
 * else is going to write.
 */
async function openWriter(
  { connection, topic, compression, clock, elected, log }: TopicSessionOptions,
  signal: AbortSignal,
): Promise<TopicWriter> {
  const backoff = new Backoff(clock, Math.random, { baseMs: 200, maxMs: 2_000, jitter: 0 })
  for (let attempt = 1; ; attempt++) {
    try {
      const options = { topic, transactionalId: `kubedelta/${topic}`, compression, signal }
      const writer = await connection.openWriter(options)
      return elected === undefined ? writer : new GatedWriter(writer, elected.gate)
    } catch (error) {
      if (elected === undefined || !hasCode(error, 'fenced')) throw error
      if (attempt === 1) log.warn('waiting for the former leader to end: it still holds the log', { topic, error })
      await clock.sleep(backoff.delay(), signal)
    }
  }
}

/** For how long Kafka's clients wait for an answer; what was sent before then may still arrive. */
const REQUEST_TIMEOUT_MS = 30_000

/**
 * A coordinator forgets a transactional id that nobody takes for transactional.id.expiration.ms. Who takes it then gets
 * another producer id, and the brokers go on taking what the former writer sends. An elected one has to have ended by the time its Lease is
 * over and its last request timed out; what it wrote until then is read, and repaired by the list like any other difference.
 */
async function outlastUnfenced(
  { options, recovery }: ReadTopic,
  { former, writer: { producerId } }: { readonly former: Control | undefined; readonly writer: TopicWriter },
  signal: AbortSignal,
): Promise<void> {
  if (former === undefined || former.producerId === '' || former.producerId === producerId) return
  const { connection, topic, elected, clock, log } = options
  const waitMs = elected === undefined ? 0 : elected.leaseMs + REQUEST_TIMEOUT_MS
  log.warn('the former writer is not fenced: its transactional id had expired; make sure that it has ended', {
    topic,
    holder: former.holder,
    waitMs,
  })
  await clock.sleep(waitMs, signal)
  await recovery.read(await connection.admin.offsets(topic, 'latest', signal), signal)
}

/** What a control record says beyond who writes. */
export type ControlContent =
  | { readonly kind: 'fence' }
  | Pick<Progress, 'kind' | 'synced' | 'resourceVersion' | 'newestResourceVersion'>
  | Pick<DigestRecord, 'kind' | 'algorithm' | 'count' | 'digest'>

/**
 * Appends a control record to every partition; resolves when all are acknowledged.
 * @throws as TopicWriter's `append`
 */
export function appendControl(
  topic: Pick<ReadTopic, 'options' | 'partitions'>,
  lead: Pick<Leadership, 'writer' | 'epoch' | 'streamId'>,
  content: ControlContent,
): Promise<readonly Appended[]> {
  return appendControls(topic, lead, () => content)
}

/**
 * Appends to each partition what is to be said of it, if anything is; all in one step. Resolves when all are acknowledged.
 * @throws as TopicWriter's `append`
 */
export async function appendControls(
  { options, partitions }: Pick<ReadTopic, 'options' | 'partitions'>,
  { writer, epoch, streamId }: Pick<Leadership, 'writer' | 'epoch' | 'streamId'>,
  contentOf: (partition: number) => ControlContent | undefined,
): Promise<readonly Appended[]> {
  const { clusterId, cluster, holder, scope, policy, writtenSchemas, clock } = options
  const common = {
    clusterId,
    cluster,
    streamId,
    epoch,
    producerId: writer.producerId,
    holder,
    asOf: clock.now(),
    partitions,
    scope,
    policy,
    schemas: writtenSchemas,
  }
  const appends: Array<Promise<Appended>> = []
  for (let partition = 0; partition < partitions; partition++) {
    const content = contentOf(partition)
    if (content === undefined) continue
    const control: Control = { ...content, ...common }
    appends.push(writer.append(partition, { records: [toControlRecord(control)] }))
  }
  return Promise.all(appends)
}
