// The factory of informers: what is shared, what is refused at once, who runs what. Running on a cluster: test/integration.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode } from '../../../src/base/errors.ts'
import type { Credentials } from '../../../src/kube/credentials.ts'
import { informerFactory } from '../../../src/watch/informer-factory.ts'
import { keptLog, type Pod } from '../cache/support.ts'

/** Credentials that nobody may use. */
const credentials: Credentials = {
  server: 'https://fake',
  source: 'a test',
  namespace: undefined,
  proxy: undefined,
  authorize: () => Promise.reject(new Error('asked for credentials')),
  refresh: () => {},
}
const byNode = (object: Pod): readonly string[] => [object.spec?.nodeName ?? '']
const byName = (object: Pod): readonly string[] => [object.metadata.name]

describe('sharing', () => {
  test('the same resource and selection, however they are written, are one informer', () => {
    const factory = informerFactory({ credentials })
    const first = factory.informer('deploy', { namespace: 'shop', labels: 'a=b,c in (e,d)' })
    assert.equal(factory.informer('deployments.apps', { namespace: 'shop', labels: 'c in (d,e), a==b' }), first)
  })

  const transform = (object: Pod): Pod => object
  for (const [what, options] of [
    ['namespace', { namespace: 'shop' }],
    ['labels', { labels: 'app=cart' }],
    ['fields', { fields: 'spec.nodeName=node-7' }],
    ['transform', { transform }],
    ['resync period', { resyncMs: 1_000 }],
    ['selectable fields', { selectableFields: { 'spec.nodeName': (object: Pod) => object.spec?.nodeName ?? '' } }],
    ['way to list', { watchList: false }],
    ['error handler', { watchErrorHandler: () => {} }],
  ] as const) {
    test(`another ${what} is another informer, the same one is not`, () => {
      const factory = informerFactory({ credentials })
      const informer = factory.informer<Pod>('pods', options)
      assert.notEqual(informer, factory.informer<Pod>('pods'))
      assert.equal(informer, factory.informer<Pod>('pods', options))
    })
  }

  test('the resync period of the factory is the default', () => {
    const factory = informerFactory({ credentials, resyncMs: 5_000 })
    assert.equal(factory.informer('pods'), factory.informer('pods', { resyncMs: 5_000 }))
  })

  test('indexers add up, and a name taken for another function is refused', () => {
    const factory = informerFactory({ credentials })
    const informer = factory.informer<Pod>('pods', { indexers: { byNode } })
    factory.informer<Pod>('pods', { indexers: { byNode, byName } })
    assert.deepEqual(informer.byIndex('byName', 'x'), [])
    assert.throws(
      () => factory.informer<Pod>('pods', { indexers: { byNode: byName } }),
      (error) => hasCode(error, 'usage') && error.message.includes("its index 'byNode' has another function"),
    )
  })

  test('one that has stopped is forgotten', async () => {
    const factory = informerFactory({ credentials })
    const first = factory.informer('pods')
    await first.run(AbortSignal.abort())
    assert.equal(first.status().state, 'stopped')
    const second = factory.informer('pods')
    assert.notEqual(second, first)
    assert.equal(factory.informer('pods'), second)
  })
})

describe('misuse is refused at the call', () => {
  test('a bad selector', () => {
    const factory = informerFactory({ credentials })
    assert.throws(
      () => factory.informer('pods', { labels: 'a in' }),
      (error) => hasCode(error, 'bad-selector'),
    )
    assert.throws(
      () => factory.informer('pods', { fields: 'a' }),
      (error) => hasCode(error, 'bad-selector'),
    )
  })

  test('a negative resync period', () => {
    assert.throws(() => informerFactory({ credentials }).informer('pods', { resyncMs: -1 }), RangeError)
  })

  test('credentials beside a kubeconfig', () => {
    assert.throws(() => informerFactory({ credentials, kubeconfig: 'x' }), TypeError)
    assert.throws(() => informerFactory({ credentials, context: 'x' }), TypeError)
  })
})

test('nothing is read before something runs, and what then fails ends the factory with all its informers', async () => {
  const factory = informerFactory({ credentials })
  const [pods, nodes] = [factory.informer('pods'), factory.informer('nodes')]
  await Promise.resolve()
  await assert.rejects(factory.run(new AbortController().signal), /asked for credentials/)
  assert.deepEqual([pods.status().state, nodes.status().state], ['stopped', 'stopped'])
})

test('handlers can be added to an informer that a running factory makes, before it runs', async () => {
  const stopping = new AbortController()
  const log = keptLog()
  const never: Credentials = { ...credentials, authorize: () => new Promise(() => {}) }
  const factory = informerFactory({ credentials: never, log, resyncMs: 60_000 })
  const running = factory.run(stopping.signal)
  const informer = factory.informer('pods')
  assert.equal(informer.status().state, 'new')
  // A shorter period lowers that of the cache only before it runs.
  informer.addHandler({}, { resyncMs: 5_000 })
  assert.deepEqual(log.lines, [])
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(informer.status().state, 'running')
  stopping.abort()
  await running
  assert.equal(informer.status().state, 'stopped')
})

test('a second run of the factory is logged and returns', async () => {
  const log = keptLog()
  const factory = informerFactory({ credentials, log })
  await factory.run(AbortSignal.abort())
  await factory.run(new AbortController().signal)
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ['informer factory has run already, it is not run again'],
  )
})
