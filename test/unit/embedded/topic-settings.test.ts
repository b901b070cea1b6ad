import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import { fullConfig, topicSettings } from '../../../src/embedded/topic-settings.ts'
import { topicSpec } from '../../../src/topic/plan.ts'

test('a topic of records is taken as the bridge asks for it', () => {
  const { config } = topicSpec({ topic: 't' })
  assert.deepEqual(topicSettings(fullConfig('t', config)), {
    maxMessageBytes: 4 * 1024 * 1024,
    deleteRetentionMs: 7 * 24 * 3_600_000,
    segmentBytes: 16 * 1024 * 1024,
    segmentMs: 3_600_000,
    minDirtyRatio: 0.5,
    maxCompactionLagMs: 6 * 3_600_000,
  })
})

const refused: ReadonlyArray<readonly [what: string, name: string, value: string]> = [
  ['a policy that deletes', 'cleanup.policy', 'compact,delete'],
  ['a name that means nothing here', 'min.insync.replicas', '2'],
  ['a number that is none', 'segment.ms', '1h'],
]

for (const [what, name, value] of refused) {
  test(`refuses ${what}`, () =>
    assert.throws(
      () => fullConfig('t', new Map([[name, value]])),
      (error) => hasCode(error, 'rejected') && error.message.includes(name),
    ))
}
