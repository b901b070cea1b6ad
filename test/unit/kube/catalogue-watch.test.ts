import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger, type Logger } from '../../../src/base/log.ts'
import type { Catalogue } from '../../../src/kube/catalogue.ts'
import { CatalogueWatch } from '../../../src/kube/catalogue-watch.ts'
import { PODS } from '../../../src/testing/fake-objects.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const CARTS = { ...PODS, group: 'shop.example.com', resource: 'carts', kind: 'Cart' }
const { signal } = new AbortController()

function setUp({ always = true }: { readonly always?: boolean } = {}) {
  const catalogue: Catalogue = { resources: [PODS, CARTS], unreachableGroups: [] }
  const clock = new ManualClock()
  const said: string[] = []
  const log: Logger = { ...silentLogger, warn: (message) => void said.push(message) }
  const cluster: { catalogue: Catalogue; asked: number; error: KubedeltaError | undefined } = {
    catalogue,
    asked: 0,
    error: undefined,
  }
  const watch = new CatalogueWatch({
    discover: async () => {
      cluster.asked++
      if (cluster.error !== undefined) throw cluster.error
      return cluster.catalogue
    },
    catalogue,
    everyMs: 60_000,
    always,
    clock,
    log,
  })
  return { clock, said, cluster, watch }
}

describe('catalogue watch', () => {
  test('asks every so often, and soon after a nudge, twice', async () => {
    const { clock, cluster, watch } = setUp()
    const stop = new AbortController()
    const running = watch.run(stop.signal)
    await clock.advance(59_999)
    assert.equal(cluster.asked, 0)
    await clock.advance(1)
    assert.equal(cluster.asked, 1)
    watch.nudge()
    await turn()
    await clock.advance(1_000)
    assert.equal(cluster.asked, 2)
    await clock.advance(9_000)
    assert.equal(cluster.asked, 3)
    await clock.advance(59_999)
    assert.equal(cluster.asked, 3)
    stop.abort()
    await running
  })

  test('is not kept from asking by nudges without end', async () => {
    const { clock, cluster, watch } = setUp()
    const stop = new AbortController()
    const running = watch.run(stop.signal)
    for (let n = 0; n < 20; n++) {
      watch.nudge()
      await turn()
      await clock.advance(500)
    }
    assert.ok(cluster.asked >= 4, `asked ${cluster.asked} times`)
    stop.abort()
    await running
  })

  test('asks only while somebody waits, where nobody wants to know of what is new', async () => {
    const { clock, cluster, watch } = setUp({ always: false })
    const stop = new AbortController()
    const running = watch.run(stop.signal)
    await clock.advance(600_000)
    assert.equal(cluster.asked, 0)
    cluster.catalogue = { resources: [PODS], unreachableGroups: [] }
    await watch.look(signal)
    const served = watch.untilServed(CARTS, signal)
    await clock.advance(60_000)
    assert.equal(cluster.asked, 2)
    cluster.catalogue = { resources: [PODS, CARTS], unreachableGroups: [] }
    await clock.advance(60_000)
    await served
    stop.abort()
    await running
  })

  test('shares one discovery among those who ask at once', async () => {
    const { cluster, watch } = setUp()
    cluster.catalogue = { resources: [PODS], unreachableGroups: [] }
    assert.deepEqual(await Promise.all([watch.isGone(CARTS, signal), watch.isGone(CARTS, signal)]), [true, true])
    assert.equal(cluster.asked, 1)
  })

  for (const [what, catalogue, error] of [
    [
      'a collection that is served in another version',
      { resources: [{ ...CARTS, version: 'v2' }], unreachableGroups: [] },
    ],
    ['a collection whose group was out of reach', { resources: [PODS], unreachableGroups: [CARTS.group] }],
    ['any collection while discovery fails', undefined, new KubedeltaError('server', 'Cannot discover: 503')],
  ] as const) {
    test(`takes for gone not ${what}`, async () => {
      const { cluster, watch } = setUp()
      if (catalogue !== undefined) cluster.catalogue = catalogue
      cluster.error = error
      assert.equal(await watch.isGone(CARTS, signal), false)
    })
  }

  test('goes on with what it knows while discovery fails, and says so once', async () => {
    const { clock, said, cluster, watch } = setUp()
    const stop = new AbortController()
    const running = watch.run(stop.signal)
    const before = watch.current
    cluster.error = new KubedeltaError('unreachable', 'Cannot discover: refused')
    await clock.advance(60_000)
    await clock.advance(60_000)
    assert.equal(cluster.asked, 2)
    assert.equal(watch.current, before)
    assert.deepEqual(said, ['what the cluster serves cannot be read, going on with what is known'])
    stop.abort()
    await running
  })
})
