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

/** Deletes what stands before these offsets of the partitions; only where cleanup.policy holds `delete`. */
export async function deleteRecords(
  kafka: KafkaCluster,
  topic: string,
  before: ReadonlyMap<number, number>,
): Promise<void> {
  const partitions = [...before].map(([partition, offset]) => ({ partition, offset: String(offset) }))
  await withAdmin(kafka, async (admin) => {
    // kafkajs looks for the leaders of topics that it knows, and knows those that it was asked for before.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions })
  })
}

/** Who leads the first partition of a topic, by node id; the first replica is the one that leads where it can. */
export interface PartitionView {
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

/** @throws Error while the brokers know no leader */
export async function lookAtPartition(kafka: KafkaCluster, topic: string): Promise<PartitionView> {
  let view: PartitionView | undefined
  await withAdmin(kafka, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const partition = topics[0]?.partitions[0]
    if (partition !== undefined) view = { ...partition, inSync: partition.isr }
  })
  if (view === undefined || view.leader < 0) throw new Error(`no leader of ${topic}`)
  return view
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
