// The transform of an informer: called once for each state, and what happens to a key when it fails.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../../src/base/metrics.ts'
import { recorder, type Pod } from '../cache/support.ts'
import { withInformer, type InformerHarness } from './informer-harness.ts'

interface Counted {
  readonly calls: string[]
  readonly transform: (object: Pod) => Pod
}

/** A transform that drops the spec, writes down its calls and fails on objects labelled so. */
function counted(): Counted {
  const calls: string[] = []
  return {
    calls,
    transform: ({ metadata }) => {
      calls.push(`${metadata.name}@${metadata.resourceVersion ?? ''}`)
      if (metadata.labels?.['broken'] === 'yes') throw new Error('cannot')
      return { metadata }
    },
  }
}

const pod = (name: string) => ({ name, namespace: 'shop', body: { spec: { nodeName: 'node-7' } } })
const broken = (name: string) => ({ ...pod(name), labels: { broken: 'yes' } })

async function live({ informer, run, advance, signal }: InformerHarness): Promise<void> {
  void run()
  await informer.whenLive(signal)
  await advance()
}

async function relist({ source, advance }: InformerHarness): Promise<void> {
  source.resetWatch()
  await advance(5_000)
}

test('#21 a transform is called once for each state, also where the list is streamed', async () => {
  const { calls, transform } = counted()
  await withInformer({ informer: { transform } }, async (harness) => {
    const { source, informer, advance } = harness
    source.add(pod('a'))
    source.add(pod('b'))
    await live(harness)
    source.add(pod('c'))
    await advance()
    assert.deepEqual(calls, ['a@1', 'b@2', 'c@3'])
    assert.equal(informer.get('shop/a')?.spec, undefined)
    assert.ok(Object.isFrozen(informer.get('shop/a')?.metadata))
  })
})

test('#50 neither a resync nor a missed deletion transforms an object again', async () => {
  const { calls, transform } = counted()
  await withInformer({ informer: { transform, resyncMs: 1_000 } }, async (harness) => {
    const { source, informer, advance } = harness
    const handler = recorder()
    informer.addHandler(handler)
    source.add(pod('a'))
    source.add(pod('b'))
    await live(harness)
    for (let round = 0; round < 5; round += 1) {
      source.modify(pod('a'))
      await advance(1_000)
    }
    assert.deepEqual(calls, ['a@1', 'b@2', 'a@3', 'a@4', 'a@5', 'a@6', 'a@7'])
    assert.equal(handler.calls.filter((call) => call === 'update shop/b@2 @2').length, 5)
    source.delete(pod('b'), { dropWatch: true })
    await relist(harness)
    assert.equal(calls.filter((call) => call.startsWith('b@')).length, 1)
    assert.ok(handler.calls.includes('delete shop/b@2 unknown'))
  })
})

test('the last state of a deletion that was watched is transformed too', async () => {
  const { transform } = counted()
  await withInformer({ informer: { transform } }, async (harness) => {
    const { source, informer, advance } = harness
    const specs: unknown[] = []
    informer.addHandler({ onDelete: ({ spec }) => void specs.push(spec) })
    source.add(pod('a'))
    await live(harness)
    source.delete(pod('a'))
    await advance()
    assert.deepEqual(specs, [undefined])
  })
})

test('where a transform fails the last good state stays, it is counted and logged, and the next state is taken', async () => {
  const metrics = createMetrics()
  const { transform } = counted()
  await withInformer({ informer: { transform, metrics } }, async (harness) => {
    const { source, informer, advance, content, lines } = harness
    source.add(pod('a'))
    await live(harness)
    source.modify(broken('a'))
    source.add(broken('b'))
    await advance()
    assert.deepEqual(content(), ['shop/a@1'])
    assert.equal(informer.status().withheld, 2)
    assert.equal(informer.lastSyncResourceVersion(), '3')
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error').map(({ fields }) => fields['key']),
      ['shop/a', 'shop/b'],
    )
    assert.match(await metrics.text(), /kubedelta_cache_transform_errors_total\{resource="pods"\} 2/)
    source.modify(pod('a'))
    source.delete(broken('b'))
    await advance()
    assert.deepEqual(content(), ['shop/a@4'])
    assert.equal(informer.status().withheld, 0)
  })
})

for (const watchList of [true, false]) {
  test(`a list does not delete what the transform fails on (${watchList ? 'streamed' : 'in pages'})`, async () => {
    const { transform } = counted()
    await withInformer({ watchList, informer: { transform } }, async (harness) => {
      const { source, informer, content } = harness
      const handler = recorder()
      informer.addHandler(handler)
      source.add(pod('a'))
      source.add(broken('b'))
      await live(harness)
      assert.deepEqual(content(), ['shop/a@1'])
      source.modify(broken('a'), { dropWatch: true })
      source.modify(pod('b'), { dropWatch: true })
      await relist(harness)
      assert.deepEqual(content(), ['shop/a@1', 'shop/b@4'])
      assert.equal(informer.status().withheld, 1)
      assert.ok(!handler.calls.some((call) => call.startsWith('delete')))
    })
  })
}

test('the deletion of an object whose last state cannot be transformed deletes it, the last state unknown', async () => {
  const { transform } = counted()
  await withInformer({ informer: { transform } }, async (harness) => {
    const { source, informer, advance, content } = harness
    const handler = recorder()
    informer.addHandler(handler)
    source.add(pod('a'))
    await live(harness)
    source.delete(broken('a'))
    await advance()
    assert.deepEqual(content(), [])
    assert.deepEqual(handler.calls, ['add shop/a@1 initial', 'delete shop/a@1 unknown'])
  })
})

for (const [returned, value] of [
  ['nothing', undefined],
  ['a promise', Promise.resolve()],
] as const) {
  test(`a transform that returns ${returned} has failed`, async () => {
    const returning: unknown = () => value
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as a program in JavaScript may
    const transform = returning as (object: Pod) => Pod
    await withInformer({ informer: { transform } }, async (harness) => {
      const { source, content, lines } = harness
      source.add(pod('a'))
      await live(harness)
      assert.deepEqual(content(), [])
      assert.ok(lines.some(({ message }) => message === 'transform failed, the last good state stays'))
    })
  })
}

test('a transform that drops the metadata moves no key', async () => {
  const transform = (): Pod => ({ metadata: { name: 'elsewhere' } })
  await withInformer({ informer: { transform } }, async (harness) => {
    const { source, informer } = harness
    source.add(pod('a'))
    await live(harness)
    assert.equal(informer.get('shop/a')?.metadata.name, 'elsewhere')
    assert.deepEqual(informer.indexKeys('namespace', 'shop'), ['shop/a'])
  })
})
