// needs: kafka, control-plane
// Thirty lines of kafkajs and the schema are enough to follow a topic.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { startStory } from '../support/bridge-story.ts'

const EXAMPLE = resolve(import.meta.dirname, '../../examples/plain-consumer/index.js')

for (const format of ['json', 'avro']) {
  test(`the plain consumer shows what happens to ${format} records`, { timeout: 120_000 }, async () => {
    await using story = await startStory()
    const { kafka, plane } = story
    await plane.kubectl(['create', 'configmap', 'cart'])
    await using bridge = await story.bridge(['-r', 'configmaps', '-n', 'default', '--format', format])
    const command = [EXAMPLE, kafka.brokers, 'kubedelta.test.configmaps']
    const consumer = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const lines: string[] = []
      for await (const line of createInterface(consumer.stdout)) {
        lines.push(line.replace(/ \d+ /, ' N '))
        if (line.startsWith('ADDED default/cart ')) await plane.kubectl(['delete', 'configmap', 'cart'])
        if (line === 'GONE default/cart') break
      }
      const own = lines.filter((line) => line.includes('default/cart'))
      assert.deepEqual(own, ['ADDED default/cart N ConfigMap', 'DELETED default/cart N ConfigMap', 'GONE default/cart'])
      consumer.kill('SIGTERM')
      const [code] = await once(consumer, 'exit')
      assert.equal(code, 0)
      await bridge.stop()
    } finally {
      consumer.kill('SIGKILL')
    }
  })
}
