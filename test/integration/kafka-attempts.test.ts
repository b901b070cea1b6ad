// A writer whose brokers are away says that it attempts, so that nobody restarts it for their sake.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '../../src/base/log.ts'
import { liveness } from '../../src/health/liveness.ts'
import { Cluster } from '../../src/kafka/cluster.ts'
import { KafkaWriter } from '../../src/kafka/writer.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { record } from '../conformance/log-content.ts'
import { reservePorts } from '../support/ports.ts'

const HOUR_MS = 3_600_000

test('an outage of six minutes in the middle of reopening is no reason for a restart', async () => {
  const clock = new ManualClock()
  await using reserved = await reservePorts(1)
  await using cluster = new Cluster({
    brokers: [`127.0.0.1:${reserved.ports[0]}`],
    clientId: 'test',
    security: {},
    connectTimeoutMs: 2_000,
    requestTimeoutMs: 2_000,
    log: silentLogger,
  })
  await using writer = new KafkaWriter({
    topic: 'topic',
    transactionalId: 'topic',
    compression: 'none',
    identity: { producerId: 1n, epoch: 0 },
    endOffsets: new Map([
      [0, 0],
      [1, 0],
    ]),
    maxBatchBytes: 1_000_000,
    firstSequence: 0,
    replicationTimeoutMs: 1_000,
    missingTopicGraceMs: 30_000,
    renewalIntervalMs: HOUR_MS,
    cluster,
    clock,
    log: silentLogger,
  })
  const renewing = writer.renewRegularly()
  // The time for a new producer epoch has come: the lanes halt, and only the coordinator is asked.
  await clock.advance(HOUR_MS)
  const appended = assert.rejects(writer.append(1, { records: [record('key', 'value')] }))
  const endMs = clock.now() + 6 * 60_000
  while (clock.now() < endMs) {
    // The timer of the next renewal, and the back-off once an attempt has failed.
    await clock.waitForSleepers(2)
    await clock.advance(clock.nextWakeMs ?? 0)
    const { lastAttemptAtMs = 0 } = writer.status()
    const { checks } = liveness([{ kind: 'attempt', name: 'lane', lastAttemptAtMs }], clock.now())
    assert.deepEqual(checks, [{ name: 'lane', ok: true, detail: '' }])
  }
  await writer[Symbol.asyncDispose]()
  await Promise.all([appended, renewing])
  assert.equal(clock.sleepers, 0)
})
