import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCache } from '../../../src/cache/cache.ts'
import { createLister } from '../../../src/cache/lister.ts'
import { parseLabelSelector } from '../../../src/object/label-selector.ts'
import { pod, swap, type Pod } from './support.ts'

async function filled() {
  const { cache, writer } = createCache<Pod>({ fields: { 'spec.nodeName': (object) => object.spec?.nodeName ?? '' } })
  await swap(
    { writer, signal: new AbortController().signal },
    '1',
    { ...pod('a', '1', { labels: { app: 'cart' } }), spec: { nodeName: 'n1' } },
    { ...pod('b', '1', { labels: { app: 'web' } }), spec: { nodeName: 'n2' } },
    pod('c', '1', { namespace: 'bank', labels: { app: 'cart' } }),
    { metadata: { name: 'node-1' } },
  )
  return cache
}

const names = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.name).toSorted()

test('a list holds what satisfies namespace, labels and fields', async () => {
  const cache = await filled()
  for (const [options, expected] of [
    [{}, ['a', 'b', 'c', 'node-1']],
    [{ namespace: '' }, ['a', 'b', 'c', 'node-1']],
    [{ namespace: 'shop' }, ['a', 'b']],
    [{ namespace: 'nowhere' }, []],
    [{ labels: 'app=cart' }, ['a', 'c']],
    [{ labels: parseLabelSelector('app in (web,cart)') }, ['a', 'b', 'c']],
    [{ labels: '!app' }, ['node-1']],
    [{ labels: '' }, ['a', 'b', 'c', 'node-1']],
    [{ namespace: 'shop', labels: 'app=cart' }, ['a']],
    [{ fields: 'metadata.name=a' }, ['a']],
    [{ fields: 'metadata.namespace!=shop' }, ['c', 'node-1']],
    [{ fields: 'spec.nodeName=n2' }, ['b']],
    [{ fields: 'spec.nodeName!=n2,metadata.namespace==shop' }, ['a']],
    [{ namespace: 'shop', labels: 'app', fields: 'spec.nodeName=n1' }, ['a']],
  ] as const) {
    assert.deepEqual(names(cache.list(options)), expected, JSON.stringify(options))
  }
})

test('a wrong selector and an undeclared field are refused', async () => {
  const cache = await filled()
  assert.throws(() => cache.list({ labels: 'app in' }), { code: 'bad-selector' })
  assert.throws(() => cache.list({ fields: 'metadata.name' }), { code: 'bad-selector' })
  assert.throws(() => cache.list({ fields: 'status.phase=Running' }), {
    code: 'bad-selector',
    message:
      'Cannot select by field: wanted one of metadata.name, metadata.namespace, spec.nodeName: current value is "status.phase"',
  })
  assert.throws(() => cache.list({ fields: 'constructor=x' }), { code: 'bad-selector' })
})

test('a lister reads one namespace or all, and what is absent is undefined', async () => {
  const lister = createLister<Pod>(await filled())
  assert.deepEqual(names(lister.list({ labels: 'app=cart' })), ['a', 'c'])
  assert.deepEqual(names(lister.namespace('shop').list()), ['a', 'b'])
  assert.deepEqual(names(lister.namespace('shop').list({ labels: 'app=web' })), ['b'])
  assert.equal(lister.namespace('bank').get('c')?.metadata.name, 'c')
  assert.equal(lister.namespace('bank').get('a'), undefined)
  assert.equal(lister.get('node-1')?.metadata.name, 'node-1')
})
