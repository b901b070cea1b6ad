// needs: kafka
// A log that is disposed of leaves nothing open behind it.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import { appendEach, freshTopic, numbered, openWriter, STORY_MS, storySignal } from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'

let kafka: KafkaCluster

before(async () => {
  kafka = await startKafka()
})

after(async () => kafka[Symbol.asyncDispose]())

test('disposing of a log with work under way leaves no socket and no timer', { timeout: STORY_MS }, async () => {
  const log = await openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal() })
  const topic = await freshTopic(log)
  const writer = await openWriter(log, topic)
  await appendEach(writer, ['value'])
  const reader = await log.openReader({ signal: storySignal() })
  const following = (async () => {
    for await (const { records } of reader.read({ topic, from: new Map([[0, 0]]), signal: storySignal() })) {
      if (records.length > 0) return
    }
  })()
  await following
  const pending = appendEach(writer, numbered('late', 100))
  await Promise.all([assert.rejects(pending), log[Symbol.asyncDispose]()])
  assert.deepEqual(openResources(), [])
})

function openResources(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap' || name === 'Timeout')
}
