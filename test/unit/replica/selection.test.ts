import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSelection } from '../../../src/replica/selection.ts'
import { topicCacheFactory } from '../../../src/consumer/topic-cache-factory.ts'
import type { KubeRecord } from '../../../src/record/record.ts'
import { progress, record, TopicHarness } from '../consumer/support.ts'

function labelled(name: string, resourceVersion: number, app: string, change: Partial<KubeRecord> = {}): KubeRecord {
  const metadata = {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    resourceVersion: String(resourceVersion),
    labels: { app },
  }
  return record(name, resourceVersion, { object: Buffer.from(JSON.stringify({ metadata })), ...change })
}

describe('a cache of a part of a topic', () => {
  test('hears of an object that comes into its selection as an add, of one that leaves it as a delete as it last was', async () => {
    const topic = await new TopicHarness().create()
    topic.control(progress(1))
    const running = topic.start({ labels: 'app=cart' })
    await running.whenLive()
    for (const [version, app] of [
      [2, 'till'],
      [3, 'cart'],
      [4, 'cart'],
      [5, 'till'],
      [6, 'till'],
      [7, 'cart'],
    ] as const) {
      topic.write(labelled('a', version, app))
    }
    topic.write(labelled('a', 8, 'cart', { op: 'DELETED' }))
    await running.until(() => running.heard.length >= 5, 'it heard')
    await running.settled()
    assert.deepEqual(running.heard, ['add a@3', 'update a@3 a@4', 'delete a@4', 'add a@7', 'delete a@8'])
    await running.stop()
  })

  test('decodes nothing of other namespaces: what is broken there is no trouble of its own', async () => {
    const topic = await new TopicHarness().create()
    topic.raw('office/a', Buffer.from('{broken'))
    topic.raw('shop/b', Buffer.from('{broken'))
    topic.control(progress(1))
    const running = topic.start({ namespaces: ['shop'] })
    await running.whenLive()
    assert.deepEqual([...running.cache.status().degraded.keys()], ['shop/b'])
    await running.stop()
  })

  test('selects before it transforms', async () => {
    const topic = await new TopicHarness().create()
    topic.write(labelled('a', 2, 'cart'), labelled('b', 3, 'till'))
    topic.control(progress(3))
    const running = topic.start({
      labels: 'app=cart',
      transform: ({ metadata: { namespace, name, uid, resourceVersion } }) => ({
        metadata: { namespace, name, uid, resourceVersion },
      }),
    })
    await running.whenLive()
    assert.deepEqual(running.held(), ['a@2'])
    assert.doesNotMatch(JSON.stringify(running.cache.list()), /labels/)
    await running.stop()
  })

  test('leaves an object on which the function of a field fails at its last good state', async () => {
    const topic = await new TopicHarness().create()
    topic.write(record('a', 2, { text: 'x' }))
    topic.write(record('a', 3, { text: 'fails' }))
    topic.control(progress(3))
    const text = (pod: { readonly text?: string }): string => {
      if (pod.text === 'fails') throw new Error('no idea')
      return pod.text ?? ''
    }
    const running = topic.start({ fields: 'text=x', selectableFields: { text } })
    await running.whenLive()
    assert.deepEqual(running.held(), ['a@2'])
    assert.deepEqual([...running.cache.status().degraded], [['shop/a', 'transform']])
    await running.stop()
  })
})

test('a selection that selects everything is none, and a wrong one is refused', () => {
  assert.equal(createSelection({}), undefined)
  assert.throws(() => createSelection({ namespaces: [] }), { code: 'usage', message: /leave it out for all$/ })
  assert.throws(() => createSelection({ labels: 'a in' }), { code: 'bad-selector' })
  assert.throws(() => createSelection({ fields: 'spec.nodeName=x' }), { code: 'bad-selector' })
})

test('selections that say the same in another order have the same text', () => {
  const one = createSelection({ namespaces: ['b', 'a'], labels: 'x=1,y', fields: 'metadata.name=a' })
  const other = createSelection({ namespaces: ['a', 'b', 'a'], labels: 'y,x=1', fields: 'metadata.name==a' })
  assert.deepEqual(one?.text, other?.text)
  assert.equal(one?.hasFunctions, false)
})

test('a factory gives the same cache for the same selection and storage alone', async () => {
  const { log } = await new TopicHarness().create()
  const topics = topicCacheFactory({ from: log, cluster: 'test' })
  const cache = topics.cache('pods', { namespaces: ['a', 'b'], labels: 'x,y', storage: 'object' })
  assert.equal(topics.cache('pods', { namespaces: ['b', 'a'], labels: 'y,x', storage: 'object' }), cache)
  assert.notEqual(topics.cache('pods', { namespaces: ['a', 'b'], labels: 'x,y' }), cache)
  assert.notEqual(topics.cache('pods', { namespaces: ['a'], labels: 'x,y', storage: 'object' }), cache)
})
