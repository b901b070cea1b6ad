import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkSnapshotOptions } from '../../../src/consumer/snapshot-options.ts'
import { topicCache } from '../../../src/consumer/topic-cache.ts'

const directory = '/var/cache/kubedelta'

function contentOf(selection: Readonly<Record<string, unknown>>, version?: string, hasTransform = false): string {
  const options = { directory, ...(version === undefined ? {} : { version }) }
  return checkSnapshotOptions(options, { hasTransform, selection }).content
}

describe('options of snapshots', () => {
  test('have a default for the interval', () => {
    assert.equal(checkSnapshotOptions({ directory }, { hasTransform: false, selection: {} }).intervalMs, 60_000)
  })

  test('are refused without a directory, with a wrong interval, and beside a transform that has no version', () => {
    const where = { from: 'kafka://x:9092', cluster: 'c', resource: 'pods' }
    assert.throws(() => topicCache({ ...where, snapshot: { directory: '' } }), { code: 'usage' })
    assert.throws(() => topicCache({ ...where, snapshot: { directory, intervalMs: 0 } }), RangeError)
    assert.throws(() => topicCache({ ...where, transform: (pod) => pod, snapshot: { directory } }), /snapshot.version/)
    topicCache({ ...where, transform: (pod) => pod, snapshot: { directory, version: '1' } })
  })

  test('tell contents apart that are not the same', () => {
    const contents = [
      contentOf({}),
      contentOf({ keys: ['a'] }),
      contentOf({ keys: ['a', 'b'] }),
      contentOf({}, '1'),
      contentOf({}, '2'),
      contentOf({}, '2', true),
    ]
    assert.equal(new Set(contents).size, contents.length)
    assert.equal(contentOf({ a: { x: 1, y: 2 }, b: undefined }), contentOf({ a: { y: 2, x: 1 } }))
  })
})
