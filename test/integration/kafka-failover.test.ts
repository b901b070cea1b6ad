// needs: kafka
// Leaders that die, followers that are missing, a leader that comes back: nothing is lost, nothing stands twice, the order holds.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import type { Appended, TopicLog, TopicReader, TopicWriter } from '../../src/topic/port.ts'
import { lookAtPartition, type PartitionView } from '../conformance/kafka-operator.ts'
import {
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  record,
  STORY_MS,
  storySignal,
} from '../conformance/log-content.ts'
import { recordingLogger, type RecordingLogger } from '../conformance/recording-logger.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { ready } from '../support/ready.ts'

let kafka: KafkaCluster

before(async () => {
  // A broker that is back leads again what it is the first replica of: a second later instead of five minutes.
  const properties = { 'leader.imbalance.check.interval.seconds': '1', 'leader.imbalance.per.broker.percentage': '0' }
  kafka = await startKafka({ nodes: 3, properties })
})

after(async () => kafka[Symbol.asyncDispose]())

test(
  'appends and reads go on while each broker in turn is killed and comes back',
  { timeout: 2 * STORY_MS },
  async () => {
    const brokers = kafka.brokers.split(',')
    await using log = await openKafkaLog({ brokers, signal: storySignal(), requestTimeoutMs: 5_000 })
    const topic = await freshTopic(log, { partitions: 1, replicationFactor: 3 })
    await using writer = await openWriter(log, topic)
    const values = numbered('value', 9_000)
    const appended: Promise<Appended>[] = []
    for (const [index, value] of values.entries()) {
      appended.push(writer.append(0, { records: [record(value, value)] }))
      if (index % 500 === 0) await appended.at(-1)
      if (index % 3_000 === 1_000) await kafka.kill(Math.floor(index / 3_000))
      if (index % 3_000 === 2_500) await kafka.restart(Math.floor(index / 3_000))
    }
    await assertLog(log, topic, values, await Promise.all(appended))
  },
)

test('writer and reader follow a leader that dies to the next one, and back', { timeout: 2 * STORY_MS }, async () => {
  await using story = await openStory({ 'min.insync.replicas': '2' })
  const [preferred = 0] = (await story.partition(({ leader, replicas }) => leader === replicas[0])).replicas
  await story.appends(500)
  await kafka.kill(preferred - 1)
  await story.partition(({ leader }) => leader !== preferred)
  await story.appends(500)
  await kafka.restart(preferred - 1)
  await story.whileAppending(() => story.partition(({ leader }) => leader === preferred))
  await story.appends(500)
  await story.assertWhole()
})

test(
  'appends wait while a replica too few is in sync, and go on by themselves',
  { timeout: 2 * STORY_MS },
  async () => {
    await using story = await openStory({ 'min.insync.replicas': '3' })
    const { leader } = await story.partition(({ inSync }) => inSync.length === 3)
    await story.appends(500)
    const follower = leader % 3
    await kafka.kill(follower)
    await story.partition(({ inSync }) => inSync.length === 2)
    story.append(500)
    await story.says('NOT_ENOUGH_REPLICAS')
    await kafka.restart(follower)
    await story.assertWhole()
  },
)

test(
  'appends wait while two of three brokers are down, and go on by themselves',
  { timeout: 2 * STORY_MS },
  async () => {
    await using story = await openStory({ 'min.insync.replicas': '2' })
    const { leader } = await story.partition(({ inSync }) => inSync.length === 3)
    const followers = [leader % 3, (leader + 1) % 3] as const
    await story.appends(500)
    await kafka.kill(followers[0])
    await story.partition(({ inSync }) => inSync.length === 2)
    await story.appends(500)
    await kafka.kill(followers[1])
    story.append(500)
    await story.says('append failed, retrying')
    await kafka.restart(followers[0])
    await kafka.restart(followers[1])
    await story.appends(500)
    await story.assertWhole()
  },
)

/** A topic with a replica on each broker, its writer, and a reader that follows from the beginning. */
class Story implements AsyncDisposable {
  readonly #log: TopicLog
  readonly #topic: string
  readonly #writer: TopicWriter
  readonly #reader: TopicReader
  readonly #lines: RecordingLogger['lines']
  readonly #appended: Promise<Appended>[] = []
  readonly #read: string[] = []
  readonly #stop = new AbortController()
  readonly #reading: Promise<void>

  constructor(parts: {
    readonly log: TopicLog
    readonly topic: string
    readonly writer: TopicWriter
    readonly reader: TopicReader
    readonly lines: RecordingLogger['lines']
  }) {
    this.#log = parts.log
    this.#topic = parts.topic
    this.#writer = parts.writer
    this.#reader = parts.reader
    this.#lines = parts.lines
    this.#reading = this.#follow()
    // Looked at when all that was appended has been read.
    this.#reading.catch(() => {})
  }

  /** Appends so many more values; a wait for them is `assertWhole`. */
  append(count: number): void {
    for (; count > 0; count--) {
      const value = `value-${this.#appended.length}`
      const appended = this.#writer.append(0, { records: [record(value, value)] })
      appended.catch(() => {})
      this.#appended.push(appended)
    }
  }

  /** Appends so many more values and waits for the last one. */
  async appends(count: number): Promise<void> {
    this.append(count)
    await this.#appended.at(-1)
  }

  /** Appends one value after the other until the work is done. */
  async whileAppending(work: () => Promise<unknown>): Promise<void> {
    const done = new AbortController()
    const working = work().finally(() => done.abort())
    while (!done.signal.aborted) await this.appends(1)
    await working
  }

  /** Waits until the brokers tell such a state of the partition. */
  partition(claim: (view: PartitionView) => boolean): Promise<PartitionView> {
    return ready(
      async () => {
        const view = await lookAtPartition(kafka, this.#topic)
        assert.ok(claim(view), JSON.stringify(view))
        return view
      },
      { what: 'the partition', timeoutMs: STORY_MS },
    )
  }

  /** Waits until the writer has logged this, with appends that wait. */
  async says(text: string): Promise<void> {
    await ready(
      async () => {
        const found = this.#lines.some(({ message, fields }) => `${message} ${JSON.stringify(fields)}`.includes(text))
        assert.ok(found, JSON.stringify(this.#lines))
      },
      { what: text, timeoutMs: STORY_MS },
    )
    assert.ok(this.#writer.status().pendingRecords > 0)
  }

  /** Everything was acknowledged, stands on the topic once and in order, and has reached the reader so. */
  async assertWhole(): Promise<void> {
    const appended = await Promise.all(this.#appended)
    const values = numbered('value', appended.length)
    await assertLog(this.#log, this.#topic, values, appended)
    await Promise.race([
      ready(async () => assert.ok(this.#read.length >= values.length, `${this.#read.length}`), { what: 'the reader' }),
      this.#reading,
    ])
    assert.deepEqual(this.#read, values)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#reading
    await this.#reader[Symbol.asyncDispose]()
    await this.#writer[Symbol.asyncDispose]()
    await this.#log[Symbol.asyncDispose]()
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop
    for await (const { records } of this.#reader.read({ topic: this.#topic, from: new Map([[0, 0]]), signal })) {
      for (const { value } of records) this.#read.push(String(value))
    }
  }
}

async function openStory(config: Readonly<Record<string, string>>): Promise<Story> {
  const brokers = kafka.brokers.split(',')
  const logger = recordingLogger()
  const signal = storySignal()
  const log = await openKafkaLog({ brokers, signal, requestTimeoutMs: 5_000, log: logger })
  const topic = await freshTopic(log, { replicationFactor: 3, config })
  const [writer, reader] = [await openWriter(log, topic), await log.openReader({ signal })]
  return new Story({ log, topic, writer, reader, lines: logger.lines })
}
