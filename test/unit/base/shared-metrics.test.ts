import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics, type Metrics } from '../../../src/base/metrics.ts'
import { sharedMetrics } from '../../../src/base/shared-metrics.ts'

const read = sharedMetrics((metrics: Metrics) => metrics.counter('reads_total', 'Reads.', []))

test('users of one registry count in the same metric, those of another in their own', async () => {
  const [first, second] = [createMetrics(), createMetrics()]
  read(first).inc({})
  read(first).inc({})
  read(second).inc({})
  assert.match(await first.text(), /^reads_total 2$/m)
  assert.match(await second.text(), /^reads_total 1$/m)
})

test('without a registry what is counted goes nowhere', () => {
  read(undefined).inc({})
  assert.equal(read(undefined), read(undefined))
})
