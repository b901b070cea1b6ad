import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMetrics } from '../../../src/base/metrics.ts'
import { DeletedFinalStateUnknown } from '../../../src/cache/deleted-final-state-unknown.ts'
import { namespaceIndex, ownerIndex } from '../../../src/cache/index-function.ts'
import { createIndexer, TransactionError } from '../../../src/cache/indexer.ts'
import { keptLog, pod, type Pod } from './support.ts'

/** Objects of one's own: a key, and the values to be found under. */
interface Item {
  readonly key: string
  readonly values: readonly string[]
}

const byValue = { values: (item: Item): readonly string[] => item.values }
const item = (key: string, ...values: readonly string[]): Item => ({ key, values })
const itemIndexer = () => createIndexer<Item>({ key: ({ key }) => key, indexers: byValue })

describe('store', () => {
  test('add and update are the same: insert or replace by key', () => {
    const indexer = createIndexer<Pod>()
    indexer.add(pod('a', '1'))
    indexer.add(pod('a', '2'))
    indexer.update(pod('b', '3'))
    assert.deepEqual(indexer.listKeys().toSorted(), ['shop/a', 'shop/b'])
    assert.equal(indexer.getByKey('shop/a')?.metadata.resourceVersion, '2')
    assert.equal(indexer.get(pod('b', 'any'))?.metadata.resourceVersion, '3')
    assert.equal(indexer.list().length, 2)
  })

  test('what is absent is undefined to get and no error to delete', () => {
    const indexer = createIndexer<Pod>()
    assert.equal(indexer.getByKey('shop/a'), undefined)
    assert.equal(indexer.get(pod('a', '1')), undefined)
    indexer.delete(pod('a', '1'))
  })

  test('an object without a key is refused in client-go words that show nothing of its content', () => {
    const indexer = createIndexer<unknown>()
    assert.throws(() => indexer.add({ kind: 'Secret', data: { password: 'swordfish' } }), {
      code: 'usage',
      message:
        "couldn't create key for object Secret with fields [kind data]: object has no meta: Secret with fields [kind data]",
    })
  })

  test('replace swaps everything, the last of two with one key wins, a missing key changes nothing', () => {
    const indexer = itemIndexer()
    indexer.add(item('old', 'x'))
    indexer.replace([item('a', 'x'), item('b', 'y'), item('a', 'z')], '7')
    assert.deepEqual(indexer.listKeys().toSorted(), ['a', 'b'])
    assert.deepEqual(indexer.listIndexFuncValues('values').toSorted(), ['y', 'z'])
    assert.equal(indexer.lastStoreSyncResourceVersion(), '7')

    const strict = createIndexer<unknown>()
    strict.add(pod('a', '1'))
    assert.throws(() => strict.replace([pod('b', '2'), {}], '9'), /couldn't create key/)
    assert.deepEqual(strict.listKeys(), ['shop/a'])
    assert.equal(strict.lastStoreSyncResourceVersion(), '1')
  })

  test('resync changes nothing', () => {
    const indexer = itemIndexer()
    indexer.add(item('a', 'x'))
    indexer.resync()
    assert.deepEqual(indexer.listKeys(), ['a'])
  })

  test('a missed deletion deletes by its key', () => {
    const indexer = createIndexer<Pod>()
    indexer.add(pod('a', '1'))
    indexer.delete(new DeletedFinalStateUnknown<Pod>('shop/a', undefined))
    assert.deepEqual(indexer.list(), [])
  })

  test('a transform runs after the key was taken, and its failure changes nothing', () => {
    const indexer = createIndexer<Item>({
      key: ({ key }) => key,
      transform: (object) => {
        if (object.values.length === 0) throw new Error('empty')
        return { key: 'other', values: [] }
      },
    })
    indexer.add(item('a', 'x'))
    assert.deepEqual(indexer.getByKey('a'), { key: 'other', values: [] })
    assert.throws(() => indexer.add(item('b')), { message: 'transforming: empty' })
    assert.deepEqual(indexer.listKeys(), ['a'])
  })

  test('#61 the store remembers the last resourceVersion seen, not the highest', () => {
    const indexer = createIndexer<unknown>()
    const seen: string[] = []
    const step = (action: () => void): void => {
      action()
      seen.push(indexer.lastStoreSyncResourceVersion())
    }
    step(() => {})
    step(() => indexer.add(pod('a', '10')))
    step(() => indexer.add(pod('b', '20')))
    step(() => indexer.delete(pod('b', '30')))
    step(() => indexer.add('just a string'))
    step(() => indexer.add(pod('c', '40')))
    step(() => indexer.delete(new DeletedFinalStateUnknown<unknown>('shop/c', pod('c', '99'))))
    step(() =>
      indexer.transaction([
        { kind: 'set', object: pod('d', '40') },
        { kind: 'set', object: pod('e', '30') },
        { kind: 'set', object: pod('f', '50') },
      ]),
    )
    step(() =>
      indexer.transaction([
        { kind: 'set', object: pod('g', '60') },
        { kind: 'set', object: 'no metadata comes last' },
      ]),
    )
    step(() => indexer.add(pod('a', '8')))
    step(() => indexer.bookmark('70'))
    step(() => indexer.replace([pod('a', '5')], '80'))
    assert.deepEqual(seen, ['', '10', '20', '30', '30', '40', '40', '50', '50', '8', '70', '80'])
  })

  test('#62 a transaction applies the steps that have a key and names them', () => {
    const indexer = createIndexer<number>({
      key: (object) => {
        if (object > 2) throw new Error('test error')
        return String(object)
      },
    })
    const set = (object: number) => ({ kind: 'set', object }) as const
    indexer.transaction([set(1), set(2)])
    indexer.replace([], '')
    assert.throws(
      () => indexer.transaction([set(1), set(3), set(2), set(4)]),
      (error) => {
        assert.ok(error instanceof TransactionError)
        assert.deepEqual(error.successfulIndices, [0, 2])
        assert.match(
          error.message,
          /^failed to execute \(2\/4\) transactions failed due to: \[.*test error.*test error\]$/,
        )
        return true
      },
    )
    assert.deepEqual(indexer.listKeys(), ['1', '2'])
    assert.throws(
      () => indexer.transaction([set(3), set(4)]),
      (error) => error instanceof TransactionError && error.successfulIndices.length === 0,
    )
  })
})

describe('indexes', () => {
  test('#59 indexers added late are queryable at once', () => {
    const indexer = createIndexer<Pod>()
    indexer.add({ ...pod('a', '1'), spec: { nodeName: 'node-1' } })
    indexer.addIndexers({ node: (object) => [object.spec?.nodeName ?? ''] })
    indexer.add({ ...pod('b', '2'), spec: { nodeName: 'node-1' } })
    assert.deepEqual(indexer.indexKeys('node', 'node-1'), ['shop/a', 'shop/b'])
    assert.deepEqual(Object.keys(indexer.getIndexers()), ['node'])
  })

  test('#60 a value without keys leaves nothing behind', () => {
    const indexer = itemIndexer()
    indexer.add(item('a', 'x'))
    indexer.add(item('b', 'x', 'y'))
    indexer.delete(item('b'))
    assert.deepEqual(indexer.listIndexFuncValues('values'), ['x'])
    indexer.delete(item('a'))
    assert.deepEqual(indexer.listIndexFuncValues('values'), [])
    assert.deepEqual(indexer.byIndex('values', 'x'), [])
  })

  test('#60 an object stands under each of its values and moves when they change', () => {
    const indexer = itemIndexer()
    const expect = (foo: string[], bar: string[], baz: string[]): void =>
      assert.deepEqual(
        ['foo', 'bar', 'baz'].map((value) => indexer.indexKeys('values', value)),
        [foo, bar, baz],
      )
    indexer.add(item('1', 'foo'))
    indexer.add(item('2', 'bar'))
    expect(['1'], ['2'], [])
    indexer.update(item('2', 'foo', 'bar'))
    expect(['1', '2'], ['2'], [])
    indexer.update(item('1', 'foo', 'bar'))
    expect(['1', '2'], ['1', '2'], [])
    indexer.add(item('3', 'foo', 'bar', 'baz'))
    expect(['1', '2', '3'], ['1', '2', '3'], ['3'])
    indexer.update(item('1', 'foo'))
    expect(['1', '2', '3'], ['2', '3'], ['3'])
    indexer.update(item('2', 'bar'))
    expect(['1', '3'], ['2', '3'], ['3'])
    indexer.delete(item('1'))
    expect(['3'], ['2', '3'], ['3'])
    indexer.delete(item('3'))
    expect([], ['2'], [])
  })

  test('#62 index unites what shares any value with an object, each once', () => {
    const indexer = itemIndexer()
    indexer.add(item('one', 'ernie', 'bert'))
    indexer.add(item('two', 'bert', 'oscar'))
    indexer.add(item('three', 'ernie', 'elmo', 'elmo'))
    const keys = (items: readonly Item[]): string[] => items.map(({ key }) => key).toSorted()
    assert.deepEqual(keys(indexer.byIndex('values', 'ernie')), ['one', 'three'])
    assert.deepEqual(keys(indexer.byIndex('values', 'bert')), ['one', 'two'])
    assert.deepEqual(keys(indexer.byIndex('values', 'nobody')), [])
    assert.deepEqual(keys(indexer.index('values', item('absent', 'ernie', 'bert'))), ['one', 'three', 'two'])
    indexer.update(item('two', 'oscar'))
    assert.deepEqual(keys(indexer.index('values', item('absent', 'bert', 'elmo'))), ['one', 'three'])
    assert.deepEqual(indexer.index('values', item('absent')), [])
  })

  test('a missing index is an error to read from and has no values', () => {
    const indexer = itemIndexer()
    const error = { code: 'usage', message: 'Index with name nodes does not exist' }
    assert.throws(() => indexer.index('nodes', item('a')), error)
    assert.throws(() => indexer.byIndex('nodes', 'x'), error)
    assert.throws(() => indexer.indexKeys('nodes', 'x'), error)
    assert.deepEqual(indexer.listIndexFuncValues('nodes'), [])
  })

  test('a taken name adds nothing of what was to be added', () => {
    const indexer = itemIndexer()
    indexer.addIndexers({ b: byValue.values, a: byValue.values })
    assert.throws(() => indexer.addIndexers({ c: byValue.values, b: byValue.values, a: byValue.values }), {
      message: 'indexer conflict: map[a:{} b:{}]',
    })
    assert.deepEqual(Object.keys(indexer.getIndexers()).toSorted(), ['a', 'b', 'values'])
    assert.throws(() => indexer.byIndex('c', 'x'), /does not exist/)
  })

  test('namespace and owner indexes are ready made', () => {
    const indexer = createIndexer<Pod>({ indexers: { namespace: namespaceIndex, owner: ownerIndex } })
    indexer.add(pod('a', '1', { ownerReferences: [{ uid: 'set-1' }, { uid: 'set-2' }] }))
    indexer.add({ metadata: { name: 'node-1' } })
    assert.deepEqual(indexer.indexKeys('namespace', 'shop'), ['shop/a'])
    assert.deepEqual(indexer.indexKeys('namespace', ''), ['node-1'])
    assert.deepEqual(indexer.indexKeys('owner', 'set-2'), ['shop/a'])
    assert.deepEqual(indexer.listIndexFuncValues('owner').toSorted(), ['set-1', 'set-2'])
  })
})

describe('an index function that throws', () => {
  const failing = (object: Item): readonly string[] => {
    if (object.values.includes('poison')) throw new Error('cannot digest')
    return object.values
  }

  test('on adding an index the error goes to the caller and nothing changes', () => {
    const log = keptLog()
    const indexer = createIndexer<Item>({ key: ({ key }) => key, log })
    indexer.add(item('a', 'poison'))
    assert.throws(() => indexer.addIndexers({ good: byValue.values, bad: failing }), {
      message: 'unable to calculate an index entry for key "a" on index "bad": cannot digest',
    })
    assert.deepEqual(indexer.getIndexers(), {})
    assert.throws(() => indexer.byIndex('good', 'poison'), /does not exist/)
    assert.deepEqual(log.lines, [])
  })

  test('later the object stays, is left out of that index alone, and the failure is logged and counted', async () => {
    const log = keptLog()
    const metrics = createMetrics()
    const indexer = createIndexer<Item>({
      key: ({ key }) => key,
      indexers: { bad: failing, ...byValue },
      resource: 'pods',
      log,
      metrics,
    })
    indexer.add(item('a', 'x'))
    indexer.update(item('a', 'x', 'poison'))
    assert.deepEqual(indexer.getByKey('a'), item('a', 'x', 'poison'))
    assert.deepEqual(indexer.indexKeys('bad', 'x'), [])
    assert.deepEqual(indexer.indexKeys('values', 'x'), ['a'])
    indexer.replace([item('a', 'poison'), item('b', 'x')], '')
    assert.deepEqual(indexer.indexKeys('bad', 'x'), ['b'])
    indexer.update(item('a', 'x'))
    assert.deepEqual(indexer.indexKeys('bad', 'x'), ['a', 'b'])

    assert.deepEqual(
      log.lines.map(({ level, fields }) => [level, fields['resource'], fields['index'], fields['key']]),
      [
        ['error', 'pods', 'bad', 'a'],
        ['error', 'pods', 'bad', 'a'],
      ],
    )
    assert.match(await metrics.text(), /kubedelta_cache_index_errors_total\{resource="pods",index="bad"\} 2/)
  })

  test('asked for the values of an object the error goes to the caller', () => {
    const indexer = createIndexer<Item>({ key: ({ key }) => key, indexers: { bad: failing } })
    assert.throws(() => indexer.index('bad', item('a', 'poison')), { message: 'cannot digest' })
  })

  for (const [what, json] of [
    ['a list of anything but texts', '[7]'],
    ['one text in place of a list', '"node-7"'],
    ['nothing', 'null'],
  ] as const) {
    test(`one that returns ${what} fails like one that throws`, () => {
      const log = keptLog()
      const bad = (): readonly string[] => {
        const values: readonly string[] = JSON.parse(json)
        return values
      }
      const indexer = createIndexer<Item>({ key: ({ key }) => key, indexers: { bad }, log })
      indexer.add(item('a'))
      assert.deepEqual(indexer.listIndexFuncValues('bad'), [])
      assert.equal(log.lines.length, 1)
    })
  }

  test('one that changes its mind leaves no stale key behind', () => {
    let value = 'before'
    const indexer = createIndexer<Item>({ key: ({ key }) => key, indexers: { mood: () => [value] } })
    indexer.add(item('a'))
    value = 'after'
    indexer.delete(item('a'))
    assert.deepEqual(indexer.listIndexFuncValues('mood'), [])
  })
})

test('what is handed out cannot corrupt the store or its indexes', () => {
  const indexer = createIndexer<{ metadata: { name: string; labels: Record<string, string>; finalizers: string[] } }>({
    indexers: { app: (object) => [object.metadata.labels['app'] ?? ''] },
  })
  const given = { metadata: { name: 'a', labels: { app: 'cart' }, finalizers: ['x'] } }
  indexer.add(given)
  for (const object of [given, indexer.getByKey('a'), indexer.list()[0], indexer.byIndex('app', 'cart')[0]]) {
    assert.ok(object !== undefined)
    assert.throws(() => (object.metadata.labels['app'] = 'web'), TypeError)
    assert.throws(() => object.metadata.finalizers.push('y'), TypeError)
    assert.throws(() => (object.metadata = given.metadata), TypeError)
  }
  indexer.list().length = 0
  Object.assign(indexer.getIndexers(), { app: () => [] })
  indexer.add({ metadata: { name: 'b', labels: { app: 'cart' }, finalizers: [] } })
  assert.deepEqual(indexer.indexKeys('app', 'cart'), ['a', 'b'])
})

test('two stores share the metrics of one registry', () => {
  const metrics = createMetrics()
  createIndexer<Pod>({ metrics })
  createIndexer<Pod>({ metrics })
})
