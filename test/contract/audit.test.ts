// Holds the line about known vulnerabilities that CI prints to what npm answers.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'

const SCRIPT = resolve(import.meta.dirname, '../../scripts/audit.js')

const ANSWERS = [
  {
    name: 'counts by severity and names what is affected',
    answer: JSON.stringify({
      vulnerabilities: { undici: { severity: 'high' }, yaml: { severity: 'low' } },
      metadata: { vulnerabilities: { info: 0, low: 1, moderate: 0, high: 1, critical: 0, total: 2 } },
    }),
    line: '0 critical, 1 high, 0 moderate, 1 low, 0 info; undici (high); yaml (low)',
  },
  {
    name: 'nothing found',
    answer: JSON.stringify({ vulnerabilities: {}, metadata: { vulnerabilities: { total: 0 } } }),
    line: '0 critical, 0 high, 0 moderate, 0 low, 0 info',
  },
  {
    name: 'a registry without the endpoint',
    answer: JSON.stringify({
      message: '405 Method Not Allowed - POST https://registry.example.com',
      error: { summary: '' },
    }),
    line: 'could not be run: 405 Method Not Allowed - POST https://registry.example.com',
  },
  {
    name: 'an error of npm itself',
    answer: JSON.stringify({ error: { code: 'ENOLOCK', summary: 'This command requires an existing lockfile.' } }),
    line: 'could not be run: This command requires an existing lockfile.',
  },
  { name: 'no answer', answer: '', line: 'could not be run: npm answered ""' },
] as const

for (const { name, answer, line } of ANSWERS) {
  test(`the dependency audit says so: ${name}`, () => {
    const { stdout, status } = spawnSync(process.execPath, [SCRIPT], { input: answer, encoding: 'utf8' })
    assert.deepEqual([stdout, status], [`dependency audit: ${line}\n`, 0])
  })
}
