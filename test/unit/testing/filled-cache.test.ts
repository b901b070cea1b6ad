import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filledCache } from '../../../src/testing/filled-cache.ts'

interface Pod {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly resourceVersion: string
  }
  readonly spec: { readonly nodeName: string }
}

function pod(name: string, nodeName: string, resourceVersion = '1'): Pod {
  return { metadata: { name, namespace: 'shop', uid: `uid of ${name}`, resourceVersion }, spec: { nodeName } }
}

const indexers = { byNode: ({ spec }: Pod) => [spec.nodeName] }

test('a cache filled by hand is live with what it was given', async () => {
  const pods = filledCache<Pod>({ objects: [pod('a', 'n1'), pod('b', 'n1')], indexers })
  await pods.whenLive(new AbortController().signal)
  assert.deepEqual(pods.listKeys().toSorted(), ['shop/a', 'shop/b'])
  assert.deepEqual(pods.indexKeys('byNode', 'n1'), ['shop/a', 'shop/b'])
})

test('what a test puts and removes reaches cache, indexes and handlers', async () => {
  const stop = new AbortController()
  const pods = filledCache<Pod>({ objects: [pod('a', 'n1')], indexers })
  const heard: string[] = []
  const done = Promise.withResolvers<void>()
  pods.addHandler({
    onAdd: ({ metadata }, { initial }) => void heard.push(`add ${metadata.name} ${initial ? 'initial' : 'later'}`),
    onUpdate: (before, after) => void heard.push(`update ${before.spec.nodeName} ${after.spec.nodeName}`),
    onDelete: ({ metadata }, { finalStateUnknown }) => {
      heard.push(`delete ${metadata.name} ${finalStateUnknown ? 'missed' : 'seen'}`)
      if (metadata.name === 'b') done.resolve()
    },
  })
  const running = pods.run(stop.signal)
  pods.put(pod('a', 'n2', '2'))
  pods.put(pod('b', 'n2'))
  assert.deepEqual(pods.indexKeys('byNode', 'n2'), ['shop/a', 'shop/b'])
  pods.remove('shop/a')
  pods.remove('shop/b', { finalStateUnknown: true })
  await done.promise
  assert.deepEqual(heard, ['add a initial', 'update n1 n2', 'add b later', 'delete a seen', 'delete b missed'])
  stop.abort()
  await running
})
