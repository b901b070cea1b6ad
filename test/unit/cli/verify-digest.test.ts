import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reasonsUnknown } from '../../../src/cli/verify-digest.ts'

const sum = { count: 1, digest: '00000000000000ff' }
const same = { kind: 'same', asOf: 1, wanted: sum, current: sum } as const
const different = { ...same, kind: 'different' } as const

test('partitions that cannot be judged are named with the reason and the way out, the others are not', () => {
  const verdicts = [same, { kind: 'unknown', asOf: 1 }, { kind: 'none' }, different, { kind: 'none' }] as const
  const [none = '', unknown = '', ...others] = reasonsUnknown(
    verdicts.map((verdict, partition) => ({ partition, verdict })),
  )
  assert.match(none, /no digest .* partitions 2, 4: .*--digest-interval .*leaving out --digest/)
  assert.match(
    unknown,
    /compaction .* partitions 1: ask again after the next one, .*--digest-interval .*leaving out --digest/,
  )
  assert.deepEqual(others, [])
})

test('nothing is said where all partitions can be judged', () => {
  assert.deepEqual(reasonsUnknown([same, different].map((verdict, partition) => ({ partition, verdict }))), [])
})
