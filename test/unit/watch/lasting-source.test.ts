import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { abortable } from '../../../src/base/abort.ts'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { FakeSource } from '../../../src/testing/fake-source.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import type { DeltaSink } from '../../../src/watch/delta.ts'
import { LastingSource, type Serving } from '../../../src/watch/lasting-source.ts'
import { Reflector } from '../../../src/watch/reflector.ts'
import type { RawObject } from '../../../src/object/raw-object.ts'
import type { Resource } from '../../../src/object/resource.ts'

const { signal } = new AbortController()
const gone = { kind: 'error', error: new KubedeltaError('not-found', 'Cannot list pods: not found') } as const

/** A cluster that says whether it serves the collection. */
class Answer implements Serving {
  gone = false
  readonly back = Promise.withResolvers<void>()
  async isGone(): Promise<boolean> {
    return this.gone
  }
  untilServed(_resource: Resource, until: AbortSignal): Promise<void> {
    return abortable(this.back.promise, until)
  }
}

function setUp() {
  const source = new FakeSource()
  const serving = new Answer()
  const clock = new ManualClock()
  return { source, serving, clock, lasting: new LastingSource({ source, serving, clock }) }
}

async function all<F>(frames: AsyncIterable<readonly F[]>): Promise<readonly F[]> {
  return (await Array.fromAsync(frames)).flat()
}

describe('a collection that is gone', () => {
  test('lists as an empty one, as new as was asked for', async () => {
    const { source, serving, lasting } = setUp()
    serving.gone = true
    source.failNext('list', gone)
    assert.deepEqual(await all(lasting.list({ resourceVersion: '7' }, signal)), [
      { kind: 'page', resourceVersion: '7', continue: '' },
    ])
  })

  test('does not list as empty as long as that is not certain, within a list, or for one who knows nothing of it', async () => {
    for (const [isGone, request] of [
      [false, { resourceVersion: '7' }],
      [true, { resourceVersion: '', continue: 'C1', limit: 5 }],
      [true, { resourceVersion: '' }],
    ] as const) {
      const { source, serving, lasting } = setUp()
      serving.gone = isGone
      source.failNext('list', gone)
      await assert.rejects(all(lasting.list(request, signal)), gone.error)
    }
  })

  test('is watched, without a request, until it is back, and then has to be listed', async () => {
    const { source, serving, lasting } = setUp()
    serving.gone = true
    source.failNext('list', gone)
    await all(lasting.list({ resourceVersion: '7' }, signal))
    const watching = all(lasting.watch({ resourceVersion: '7', timeoutSeconds: 300 }, signal))
    serving.back.resolve()
    await assert.rejects(watching, (error) => hasCode(error, 'expired'))
    assert.equal(source.requests.length, 1)
  })

  test('is watched no longer than asked for', async () => {
    const { source, serving, clock, lasting } = setUp()
    serving.gone = true
    source.failNext('list', gone)
    await all(lasting.list({ resourceVersion: '7' }, signal))
    const watching = all(lasting.watch({ resourceVersion: '7', timeoutSeconds: 300 }, signal))
    await clock.advance(300_000)
    assert.deepEqual(await watching, [])
  })
})

describe('a watch', () => {
  test('is opened where the cluster is as new as what was seen', async () => {
    const { source, lasting } = setUp()
    source.add({ name: 'a' })
    source.failNext('watch', { kind: 'close' })
    assert.deepEqual(await all(lasting.watch({ resourceVersion: '1', timeoutSeconds: 300 }, signal)), [])
    assert.deepEqual(
      source.requests.map(({ kind, resourceVersion }) => [kind, resourceVersion]),
      [
        ['list', ''],
        ['watch', '1'],
      ],
    )
  })

  test('is expired where the cluster is older than what was seen', async () => {
    const { source, lasting } = setUp()
    source.add({ name: 'a' })
    const watching = all(lasting.watch({ resourceVersion: '9', timeoutSeconds: 300 }, signal))
    await assert.rejects(watching, (error) => hasCode(error, 'expired') && /current value is 1:/.test(error.message))
  })
})

test('a reflector takes a cluster that was restored to an older state for a new history, and says so', async () => {
  const before = new FakeSource({ resourceVersion: 100 })
  before.add({ name: 'a' })
  const restored = new FakeSource({ resourceVersion: 40 })
  restored.add({ name: 'a' })
  let current = before
  const source = {
    resource: before.resource,
    name: before.name,
    list: (...args: Parameters<FakeSource['list']>) => current.list(...args),
    watch: (...args: Parameters<FakeSource['watch']>) => current.watch(...args),
  }
  const clock = new ManualClock()
  const ends: string[] = []
  const nothing = (): void => {}
  const sink: DeltaSink<RawObject> = {
    begin: nothing,
    item: nothing,
    add: nothing,
    update: nothing,
    delete: nothing,
    bookmark: nothing,
    end: (resourceVersion) => void ends.push(resourceVersion),
  }
  const warnings: unknown[] = []
  const log = { ...silentLogger, warn: (message: string, fields: unknown) => void warnings.push([message, fields]) }
  const reflector = new Reflector({
    source: new LastingSource({ source, serving: new Answer(), clock }),
    sink,
    clock,
    random: () => 0,
    log: { ...log, with: () => ({ ...log, with: () => silentLogger }) },
    initialResourceVersion: { notOlderThan: '90' },
    errorHandler: nothing,
  })
  const stop = new AbortController()
  const running = reflector.run(stop.signal)
  await before.waitForWatches(1)
  current = restored
  before.closeWatches()
  for (let n = 0; n < 40 && ends.length < 2; n++) await clock.advance(5_000)
  assert.deepEqual(ends, ['101', '41'])
  assert.deepEqual(warnings, [
    ['a new history begins: the cluster is older than it was before', { resourceVersion: '41', before: '101' }],
  ])
  stop.abort()
  await running
})
