import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareStates, stillThere, type Difference, type States } from '../../../src/cli/compare-states.ts'

const LISTED_AT = '10'
const same: Difference = { missing: [], extra: [], stale: [] }

const cases: ReadonlyArray<readonly [string, string, string, Difference]> = [
  ['equal states differ in nothing', 'a=u1@4', 'a=u1@4', same],
  ['what the topic lacks is missing', 'a=u1@4 b=u2@5', 'a=u1@4', { ...same, missing: ['b'] }],
  ['what only the topic has is extra', 'a=u1@4', 'a=u1@4 c=u3@6', { ...same, extra: ['c'] }],
  ['unless it came after the list', 'a=u1@4', 'a=u1@4 c=u3@11', same],
  ['an older version is stale', 'a=u1@9', 'a=u1@4', { ...same, stale: ['a'] }],
  ['a newer version is not', 'a=u1@9', 'a=u1@12', same],
  ['another object of the same name is stale', 'a=u1@9', 'a=u0@4', { ...same, stale: ['a'] }],
  ['unless it came after the list', 'a=u1@9', 'a=u5@12', same],
  ['keys are sorted', 'c=u@1 b=u@1 a=u@1', '', { ...same, missing: ['a', 'b', 'c'] }],
]

for (const [claim, cluster, topic, wanted] of cases) {
  test(`comparing states: ${claim}`, () => {
    assert.deepEqual(compareStates(parse(cluster), parse(topic), LISTED_AT), wanted)
  })
}

test('what is missing counts where the same object is still there', () => {
  const before = parse('a=u1@4 b=u2@5 c=u3@6')
  assert.deepEqual(stillThere(['a', 'b', 'c'], before, parse('a=u1@12 c=u9@13')), ['a'])
})

function parse(text: string): States {
  return new Map(
    text
      .split(' ')
      .filter(Boolean)
      .map((part) => {
        const [key = '', uid = '', resourceVersion = ''] = part.split(/[=@]/)
        return [key, { uid, resourceVersion }]
      }),
  )
}
