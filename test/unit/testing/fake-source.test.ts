import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeSource } from '../../../src/testing/fake-source.ts'
import type { ListFrame, ListRequest, WatchFrame, WatchRequest } from '../../../src/watch/source.ts'

const { signal } = new AbortController()

async function list(source: FakeSource, request: ListRequest): Promise<string[]> {
  const frames: ListFrame[] = []
  for await (const chunk of source.list(request, signal)) frames.push(...chunk)
  return frames.map((frame) =>
    frame.kind === 'item' ? frame.object.name : `page ${frame.resourceVersion} ${frame.continue}`.trim(),
  )
}

/** What a watch brings at once; it is left then. */
async function first(source: FakeSource, request: Omit<WatchRequest, 'timeoutSeconds'>): Promise<string[]> {
  for await (const chunk of source.watch({ ...request, timeoutSeconds: 300 }, signal)) return chunk.map(told)
  return []
}

function told(frame: WatchFrame): string {
  if (frame.kind === 'error') return frame.error.reason
  if ('object' in frame) return `${frame.kind} ${frame.object.name}@${frame.object.resourceVersion}`
  return `${frame.kind} ${frame.resourceVersion}`
}

test('fake source gives each change the next resourceVersion and an object as JSON', () => {
  const source = new FakeSource({ resourceVersion: 1 })
  const added = source.add({ name: 'foo', labels: { app: 'cart' }, body: { spec: { nodeName: 'n' } } })
  const modified = source.modify({ name: 'foo' })
  assert.deepEqual([added.resourceVersion, modified.resourceVersion], ['2', '3'])
  assert.equal(added.uid, modified.uid)
  assert.deepEqual(JSON.parse(added.bytes.toString()), {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'foo', namespace: 'default', uid: 'foo-2', resourceVersion: '2', labels: { app: 'cart' } },
    spec: { nodeName: 'n' },
  })
  source.delete({ name: 'foo' })
  assert.notEqual(source.add({ name: 'foo' }).uid, added.uid)
})

test('fake source lists pages, and expires what comes after them', async () => {
  const source = new FakeSource({ resourceVersion: 1 })
  for (const name of ['a', 'b', 'c']) source.add({ name })
  assert.deepEqual(await list(source, { resourceVersion: '', limit: 2 }), ['a', 'b', 'page 4 C1'])
  assert.deepEqual(await list(source, { resourceVersion: '', limit: 2, continue: 'C1' }), ['c', 'page 4'])
  assert.deepEqual(await list(source, { resourceVersion: '0', limit: 2 }), ['a', 'b', 'c', 'page 4'])
  source.expireContinue()
  await assert.rejects(list(source, { resourceVersion: '', limit: 2, continue: 'C1' }), { code: 'expired' })
  await assert.rejects(list(source, { resourceVersion: '9' }), { code: 'too-large-resource-version' })
})

test('fake source watches from a resourceVersion on, without what was dropped', async () => {
  const source = new FakeSource({ resourceVersion: 1 })
  source.add({ name: 'a' })
  source.add({ name: 'b' }, { dropWatch: true })
  source.delete({ name: 'a' })
  assert.deepEqual(await first(source, { resourceVersion: '1' }), ['added a@2', 'deleted a@4'])
  assert.deepEqual(await first(source, { resourceVersion: '2' }), ['deleted a@4'])
  assert.deepEqual(await first(source, { resourceVersion: '', sendInitialEvents: true }), ['added b@3', 'bookmark 4'])
  await assert.rejects(first(source, { resourceVersion: '9' }), { code: 'too-large-resource-version' })
  assert.equal(source.openRequests, 0)
})

test('fake source forgets its history on a reset', async () => {
  const source = new FakeSource({ resourceVersion: 1 })
  source.add({ name: 'a' })
  source.resetWatch()
  await assert.rejects(first(source, { resourceVersion: '1' }), { code: 'expired' })
  source.add({ name: 'b' })
  assert.deepEqual(await first(source, { resourceVersion: '2' }), ['added b@3'])
})

test('a fake source that lags answers old, but not older than asked', async () => {
  const source = new FakeSource({ resourceVersion: 1 })
  for (const name of ['a', 'b', 'c']) source.add({ name })
  source.delete({ name: 'a' })
  source.lagBehind(2)
  assert.deepEqual(await list(source, { resourceVersion: '0' }), ['a', 'b', 'page 3'])
  assert.deepEqual(await list(source, { resourceVersion: '4' }), ['a', 'b', 'c', 'page 4'])
  assert.deepEqual(await list(source, { resourceVersion: '' }), ['b', 'c', 'page 5'])
  assert.deepEqual(await first(source, { resourceVersion: '3', sendInitialEvents: true }), [
    'added a@2',
    'added b@3',
    'bookmark 3',
    'added c@4',
    'deleted a@5',
  ])
})
