import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missedSince, totalMissed } from '../../../../src/cli/demo/outage.ts'
import { NOTHING_RECOVERED } from '../../../../src/cli/demo/recovered.ts'
import type { States } from '../../../../src/cli/compare-states.ts'
import { differenceOf } from '../../../../src/cli/demo/states.ts'
import { summarize, type EndedRun } from '../../../../src/cli/demo/summary.ts'

/** `a/1@7`: key, uid, resourceVersion. */
function states(...objects: readonly string[]): States {
  return new Map(
    objects.map((object) => {
      const [, key = '', uid = '', resourceVersion = ''] = /^(.+)\/(.+)@(.+)$/.exec(object) ?? []
      return [key, { uid, resourceVersion }]
    }),
  )
}

function endedRun(cluster: States, cache: States, unrecovered: readonly string[] = []): EndedRun {
  const counts = { ADDED: 0, UPDATED: 0, DELETED: 0 }
  return {
    outages: [],
    recovered: () => NOTHING_RECOVERED,
    unrecovered: () => unrecovered,
    resources: [
      {
        resource: 'pods',
        tally: { published: counts, recovered: counts },
        clusterStates: () => cluster,
        cacheStates: () => cache,
        difference: () => differenceOf(cluster, cache),
      },
    ],
  }
}

test('a cache that equals the cluster has lost nothing', () => {
  const { text, isLost } = summarize(endedRun(states('a/1@7', 'b/2@8'), states('b/2@8', 'a/1@7')))
  assert.equal(isLost, false)
  assert.match(text, /Nothing was lost: the caches equal the cluster, 2 objects/)
})

const losses: ReadonlyArray<readonly [name: string, run: EndedRun, line: RegExp]> = [
  ['an object that only the cluster has', endedRun(states('a/1@7'), states()), /^pods a: only in the cluster$/m],
  ['an object that only the cache has', endedRun(states(), states('a/1@7')), /^pods a: only in the cache$/m],
  ['an older version', endedRun(states('a/1@8'), states('a/1@7')), /^pods a: another version in the cache$/m],
  ['another object of the name', endedRun(states('a/2@7'), states('a/1@7')), /^pods a: another version in the cache$/m],
  ['a deletion not made good', endedRun(states(), states(), ['pods a']), /^pods a: deleted, and no Delete/m],
]

for (const [name, run, line] of losses) {
  test(`is lost and named: ${name}`, () => {
    const { text, isLost } = summarize(run)
    assert.equal(isLost, true)
    assert.match(text, /^LOST: 1 differences? /m)
    assert.match(text, line)
  })
}

test('what was missed is told by objects, not by names', () => {
  const missed = missedSince('pods', states('a/1@1', 'b/2@2', 'c/3@3'), states('a/1@5', 'b/4@6', 'd/5@7'))
  assert.deepEqual(
    missed.deleted,
    new Map([
      ['2', 'b'],
      ['3', 'c'],
    ]),
  )
  assert.deepEqual(totalMissed({ durationMs: 0, missed: [missed] }), { created: 2, changed: 1, deleted: 2 })
})
