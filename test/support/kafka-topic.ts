// Creates a topic and waits until every broker knows it.

import { Kafka, logLevel } from 'kafkajs'
import type { ITopicConfig } from 'kafkajs'
import { askTopic } from './kafka-wire.ts'
import { ready } from './ready.ts'

/** Creates the topic at the brokers `host:port,...`, with one partition unless told otherwise. */
export async function createTopic(brokers: string, config: ITopicConfig): Promise<void> {
  const addresses = brokers.split(',')
  const admin = new Kafka({ brokers: addresses, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    // A broker hears of a topic some time after the controller has made it and denies it until then, which kafkajs'
    // `waitForLeaders` takes for an answer.
    await admin.createTopics({ topics: [{ numPartitions: 1, ...config }], waitForLeaders: false })
  } finally {
    await admin.disconnect()
  }
  const { topic } = config
  await Promise.all(addresses.map((address) => ready(() => askTopic(address, topic), { what: `topic ${topic}` })))
}
