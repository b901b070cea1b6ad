// Does to topics what an operator does: the adapter itself never alters or deletes one.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import kafkajs, { type Admin } from 'kafkajs'
import type { KafkaCluster } from '../support/kafka.ts'
import { ready } from '../support/ready.ts'

const { ConfigResourceTypes, Kafka, logLevel } = kafkajs

/** Sets these configurations of a topic and waits until brokers hold to them; all others go back to the defaults. */
export async function setTopicConfig(
  kafka: KafkaCluster,
  topic: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  await withAdmin(kafka, async (admin) => {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configEntries }
    await admin.alterConfigs({ validateOnly: false, resources: [resource] })
    const names = Object.keys(config)
    await ready(
      async () => {
        const described = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ ...resource, configNames: names }],
        })
        const entries = described.resources[0]?.configEntries ?? []
        assert.deepEqual(Object.fromEntries(entries.map((entry) => [entry.configName, entry.configValue])), config)
      },
      { what: `the configuration of ${topic}` },
    )
    // A broker shows a change before it holds to it, and holds to it before it shows the next one.
    await admin.createTopics({ topics: [{ topic: `after.${randomUUID()}` }], waitForLeaders: true })
  })
}

export async function deleteTopic(kafka: KafkaCluster, topic: string): Promise<void> {
  await withAdmin(kafka, async (admin) => {
    await admin.deleteTopics({ topics: [topic] })
  })
}

async function withAdmin(kafka: KafkaCluster, use: (admin: Admin) => Promise<void>): Promise<void> {
  const admin = new Kafka({
    brokers: kafka.brokers.split(','),
    logLevel: logLevel.NOTHING,
    connectionTimeout: 10_000,
  }).admin()
  await admin.connect()
  try {
    await use(admin)
  } finally {
    await admin.disconnect()
  }
}
