// A cache of a part of a topic against the same part of a cache of all of it, through random histories.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { scanLabels } from '../../src/object/scan-labels.ts'
import { progress, record, TopicHarness, type Pod, type RunningCache } from '../unit/consumer/support.ts'

interface LabelledPod extends Pod {
  readonly metadata: Pod['metadata'] & { readonly labels?: Readonly<Record<string, string>> }
}

const step = fc.record({
  kind: fc.constantFrom('state', 'state', 'state', 'delete', 'tombstone', 'start'),
  namespace: fc.constantFrom('shop', 'office', null),
  name: fc.constantFrom('a', 'b', 'c'),
  labels: fc.constantFrom<Readonly<Record<string, string>> | undefined>(
    undefined,
    {},
    { app: 'cart' },
    { app: 'cart', tier: 'web' },
    { app: 'till' },
  ),
  text: fc.constantFrom('x', 'y'),
  uid: fc.constantFrom('u', 'v'),
})

const selections = [
  { namespaces: ['shop'] },
  { namespaces: ['office', ''] },
  { labels: 'app=cart' },
  { labels: '!app' },
  { fields: 'text=x' },
  { fields: 'metadata.name!=a', labels: 'app in (cart,till)', namespaces: ['shop', 'office'] },
]

function isSelected(
  { namespaces, labels, fields }: (typeof selections)[number],
  { metadata, text }: LabelledPod,
): boolean {
  const app = metadata.labels?.['app']
  if (namespaces !== undefined && !namespaces.includes(metadata.namespace ?? '')) return false
  if (labels === 'app=cart' && app !== 'cart') return false
  if (labels === '!app' && app !== undefined) return false
  if (labels?.startsWith('app in') === true && app !== 'cart' && app !== 'till') return false
  if (fields === 'text=x' && text !== 'x') return false
  return fields !== 'metadata.name!=a' || metadata.name !== 'a'
}

test('a partial cache is the selected part of the full cache, and its handlers hear nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30, size: 'max' }),
      fc.constantFrom(...selections),
      fc.constantFrom('bytes' as const, 'object' as const),
      async (steps, selection, storage) => {
        const topic = await new TopicHarness({ partitions: 2 }).create()
        topic.control(progress(1, { partitions: 2 }))
        const selectableFields = { text: (pod: Pod) => pod.text ?? '' }
        const full = topic.start()
        const partial: RunningCache[] = []
        const start = (): void => void partial.push(topic.start({ ...selection, storage, selectableFields }))
        start()
        for (const [index, { kind, namespace, name, labels, text, uid }] of steps.entries()) {
          const resourceVersion = index + 2
          const metadata = {
            ...(namespace === null ? {} : { namespace }),
            name,
            uid,
            resourceVersion: String(resourceVersion),
            ...(labels && { labels }),
          }
          const object = Buffer.from(JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata, text }))
          if (kind === 'start') start()
          else if (kind === 'state') topic.write(record(name, resourceVersion, { namespace, uid, object }))
          else if (kind === 'delete')
            topic.write(record(name, resourceVersion, { op: 'DELETED', namespace, uid, object }))
          else topic.raw(namespace === null ? name : `${namespace}/${name}`, null)
          if (index % 3 === 0) await turn()
        }
        topic.control(progress(1_000, { partitions: 2 }))
        for (const running of [full, ...partial]) await running.cache.waitForResourceVersion('1000', running.signal)
        const wanted = sorted(full.cache.list().filter((pod) => isSelected(selection, pod)))
        for (const { cache, heard } of partial) {
          assert.deepEqual(sorted(cache.list()), wanted)
          assert.deepEqual(cache.checkIndexes(), [])
          for (let turns = 0; turns < 20; turns += 1) await turn()
          assert.equal(
            heard.filter((call) => call.startsWith('add')).length -
              heard.filter((call) => call.startsWith('delete')).length,
            wanted.length,
          )
        }
        for (const running of [full, ...partial]) await running.stop()
      },
    ),
    { numRuns: 300 },
  )
})

function sorted(pods: readonly Pod[]): readonly string[] {
  return pods.map((pod) => JSON.stringify(pod)).toSorted()
}

test('labels scanned from text are those that JSON.parse gives', () => {
  const key = fc.constantFrom('metadata', 'metadata', 'metadata', 'labels', 'labels', 'other', 'meta\\u0064ata')
  const { text } = fc.letrec<{ readonly text: string; readonly object: string }>((tie) => ({
    text: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('"x"', '1', 'null', '[]', '[{"labels":{"a":"b"}}]', '{"a":"b"}'),
      tie('object'),
    ),
    object: fc
      .tuple(fc.array(fc.tuple(key, tie('text')), { maxLength: 4 }), fc.constantFrom('', ' '))
      .map(([members, space]) => `{${space}${members.map(([name, value]) => `"${name}":${space}${value}`).join(',')}}`),
  }))
  fc.assert(
    fc.property(text, (json) => {
      const parsed: { readonly metadata?: { readonly labels?: unknown } } | null = JSON.parse(json)
      const wanted = parsed?.metadata?.labels
      // Of anything but an object no selector asks.
      const isObject = typeof wanted === 'object' && wanted !== null
      const found = scanLabels(Buffer.from(json))
      assert.deepEqual(typeof found === 'object' && found !== null ? found : undefined, isObject ? wanted : undefined)
    }),
    { numRuns: 5_000 },
  )
})
