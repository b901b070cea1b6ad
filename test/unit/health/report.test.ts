import assert from 'node:assert/strict'
import { test } from 'node:test'
import { healthText, reportOf } from '../../../src/health/report.ts'

const good = { name: 'resource pods', ok: true, detail: '' }
const degraded = { name: 'resource widgets.example.com', ok: false, detail: 'degraded: forbidden' }

test('a healthy report says ok', () => assert.equal(healthText('livez', reportOf([good]), 'short'), 'ok'))

test('a failed report names what failed and why', () => {
  assert.equal(
    healthText('readyz', reportOf([good, degraded]), 'short'),
    '[+]resource pods ok\n[-]resource widgets.example.com failed: degraded: forbidden\nreadyz check failed\n',
  )
})

test('a degraded resource shows in the verbose text of a ready report', () => {
  const report = { ok: true, checks: [good, degraded] }
  assert.equal(healthText('readyz', report, 'short'), 'ok')
  assert.match(healthText('readyz', report, 'verbose'), /^\[-\]resource widgets.*\nreadyz check passed\n$/m)
})
