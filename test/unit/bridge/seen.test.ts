import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stamping, type Seen } from '../../../src/bridge/seen.ts'
import type { RawObject } from '../../../src/object/raw-object.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import type { DeltaSink } from '../../../src/watch/delta.ts'

const { signal } = new AbortController()

/** A sink that notes what the stamping knew by the time it was called. */
function setUp() {
  const noted: string[] = []
  const seen: Seen[] = []
  const note = (object?: Seen): void => {
    noted.push(stamping.newestResourceVersion)
    if (object !== undefined) seen.push(object)
  }
  const sink: DeltaSink<Seen> = {
    begin: () => {},
    item: note,
    end: () => note(),
    add: note,
    update: note,
    delete: note,
    bookmark: () => note(),
  }
  const stamping: Stamping = new Stamping(sink, new ManualClock(1_000))
  return { stamping, noted, seen }
}

function object(resourceVersion: string): RawObject {
  const facts = { namespace: 'default', name: 'a', uid: 'u', resourceVersion, kind: 'Pod', apiVersion: 'v1' }
  return { ...facts, bytes: Buffer.from('{}') }
}

test('the newest resourceVersion is known before what has it is passed on, and never falls within a history', () => {
  const { stamping, noted } = setUp()
  stamping.begin('initial')
  for (const version of ['7', '5']) void stamping.item(object(version), signal)
  void stamping.end('9', signal)
  void stamping.add(object('10'), signal)
  void stamping.update(object('11'), signal)
  void stamping.delete(object('12'), signal)
  stamping.bookmark('20')
  void stamping.update(object('8'), signal)
  assert.deepEqual(noted, ['7', '7', '9', '10', '11', '12', '20', '20'])
})

test('a list that ends below what was seen before begins another history, and what is newer was of the one before', () => {
  const { stamping, noted } = setUp()
  void stamping.end('100', signal)
  stamping.begin('expired')
  void stamping.item(object('60'), signal)
  void stamping.end('61', signal)
  void stamping.add(object('62'), signal)
  assert.deepEqual(noted, ['100', '100', '61', '62'])
})

test('what is seen is stamped with the time and its place', () => {
  const { stamping, seen } = setUp()
  for (const version of ['1', '2']) void stamping.add(object(version), signal)
  assert.deepEqual(
    seen.map(({ observedAt, sequence, object: { resourceVersion } }) => [observedAt, sequence, resourceVersion]),
    [
      [1_000, 1, '1'],
      [1_000, 2, '2'],
    ],
  )
})
