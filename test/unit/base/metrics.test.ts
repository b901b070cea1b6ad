import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../../src/base/metrics.ts'

test('metrics are printed in the Prometheus text format', async () => {
  const metrics = createMetrics()
  const published = metrics.counter('published_total', 'Records published.', ['resource'])
  published.inc({ resource: 'pods' })
  published.inc({ resource: 'pods' }, 2)
  metrics.gauge('synced', 'Whether it is in sync.', ['resource']).set({ resource: 'pods' }, 1)
  metrics.histogram('latency_seconds', 'Seconds to the ack.', [], [0.1, 1]).observe({}, 0.5)
  const text = await metrics.text()
  for (const line of [
    '# HELP published_total Records published.',
    'published_total{resource="pods"} 3',
    'synced{resource="pods"} 1',
    'latency_seconds_bucket{le="0.1"} 0',
    'latency_seconds_bucket{le="1"} 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), line)
  }
  assert.match(metrics.contentType, /^text\/plain/)
})

test('a gauge that is collected is read when it is printed', async () => {
  const metrics = createMetrics()
  let used = 1
  metrics.gauge('buffered_bytes', 'Bytes buffered.', [], () => used)
  used = 7
  assert.match(await metrics.text(), /^buffered_bytes 7$/m)
})

test('two registries share nothing', async () => {
  createMetrics().counter('a_total', 'A.', []).inc({})
  assert.doesNotMatch(await createMetrics().text(), /a_total/)
})
