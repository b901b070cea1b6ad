// needs: kafka
// A leader that dies in a replicated cluster hands its partitions over without loss.

import { after, before, test } from 'node:test'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import type { Appended } from '../../src/topic/port.ts'
import {
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  record,
  STORY_MS,
  storySignal,
} from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'

let kafka: KafkaCluster

before(async () => {
  kafka = await startKafka({ nodes: 3 })
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
