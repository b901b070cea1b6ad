import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { planTopic, topicSpec, unfitTopic } from '../../../src/topic/plan.ts'
import type { TopicDescription } from '../../../src/topic/port.ts'

const topic = 'kubedelta.prod.pods'

function found(config: Readonly<Record<string, string>> = {}, more: Partial<TopicDescription> = {}): TopicDescription {
  const spec = topicSpec({ topic })
  return {
    topic,
    partitions: 1,
    replicationFactor: 3,
    config: new Map([...spec.config, ...Object.entries(config)]),
    ...more,
  }
}

function problemsOf(description: TopicDescription, partitions?: number): readonly string[] {
  const plan = planTopic({ topic, partitions }, description)
  return plan.kind === 'unfit' ? plan.problems.map(({ what }) => what) : []
}

function warningsOf(description: TopicDescription): readonly string[] {
  const plan = planTopic({ topic }, description)
  return plan.kind === 'missing' ? [] : plan.warnings.map(({ what }) => what)
}

describe('planTopic', () => {
  test('a missing topic is created compacted, with one partition and the replicas of the brokers', () => {
    assert.deepEqual(planTopic({ topic }, undefined), {
      kind: 'missing',
      spec: {
        topic,
        partitions: 1,
        replicationFactor: -1,
        config: new Map([
          ['cleanup.policy', 'compact'],
          ['max.message.bytes', '4194304'],
          ['delete.retention.ms', '604800000'],
          ['segment.ms', '3600000'],
          ['max.compaction.lag.ms', '21600000'],
        ]),
      },
    })
  })

  test('a topic as it is created is fit', () => {
    assert.deepEqual(planTopic({ topic }, found()), { kind: 'fit', partitions: 1, warnings: [] })
  })

  test('any number of partitions is fit where nobody asked for one', () => {
    assert.deepEqual(planTopic({ topic }, found({}, { partitions: 6 })), { kind: 'fit', partitions: 6, warnings: [] })
  })

  test('a topic is unfit where it deletes, does not compact, or forgets tombstones within a day', () => {
    assert.deepEqual(problemsOf(found({ 'cleanup.policy': 'delete' })), [
      'cleanup.policy must be compact: current value is delete',
    ])
    assert.deepEqual(problemsOf(found({ 'cleanup.policy': 'compact,delete' })), [
      'cleanup.policy must be compact: current value is compact,delete',
    ])
    assert.deepEqual(problemsOf(found({ 'delete.retention.ms': '86399999' })), [
      'delete.retention.ms must be >= 86400000 (24 h): current value is 86399999',
    ])
    assert.deepEqual(problemsOf(found({ 'delete.retention.ms': '86400000' })), [])
  })

  test('a topic is unfit where another number of partitions was asked for', () => {
    assert.deepEqual(problemsOf(found(), 6), ['partitions must be 6: current value is 1'])
  })

  test('few replicas and small batches are warnings', () => {
    assert.deepEqual(warningsOf(found({ 'max.message.bytes': '1048588' }, { replicationFactor: 1 })), [
      'max.message.bytes is 1048588, under 4194304: larger objects are withheld',
      'replication factor is 1, under 3: a lost broker may lose records',
    ])
  })

  test('narrow limits of timestamps are warnings, unless the broker sets the time', () => {
    const limits = { 'message.timestamp.before.max.ms': '60000', 'message.timestamp.after.max.ms': '3600000' }
    assert.deepEqual(warningsOf(found(limits)), [
      'message.timestamp.before.max.ms is 60000, under 3600000 (1 h): brokers refuse records where clocks differ that much or an outage lasts that long',
    ])
    assert.deepEqual(warningsOf(found({ ...limits, 'message.timestamp.type': 'LogAppendTime' })), [])
  })

  test('the error of an unfit topic names every problem and its fix', () => {
    const plan = planTopic({ topic }, found({ 'cleanup.policy': 'delete' }))
    assert.ok(plan.kind === 'unfit')
    const error = unfitTopic(topic, plan.problems)
    assert.equal(error.code, 'topic-unfit')
    assert.equal(
      error.message,
      `Cannot use topic ${topic}: cleanup.policy must be compact: current value is delete: kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name ${topic} --add-config cleanup.policy=compact`,
    )
  })
})
