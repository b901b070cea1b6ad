import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import type { Control } from '../../../src/record/control.ts'
import { FakeSource } from '../../../src/testing/fake-source.ts'
import type { TopicLog, TopicWriter } from '../../../src/topic/port.ts'
import { BridgeHarness, shortOf, TOPIC } from '../../support/bridge-harness.ts'

describe('bridge', () => {
  test('publishes the first list, then what it watches, in order', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const running = t.start()
    await t.untilEqual(running)
    t.source.modify({ name: 'a' })
    t.source.add({ name: 'b' })
    t.source.delete({ name: 'a' })
    await t.until(() => t.lines().length === 5, 'five records')
    assert.deepEqual(t.lines().map(shortOf), [
      'ADDED LIST default/a@1',
      'UPDATED WATCH default/a@2',
      'ADDED WATCH default/b@3',
      'DELETED WATCH default/a@4',
      'tombstone default/a',
    ])
    await running.stop()
  })

  test('fences with a higher epoch, and says on every partition how far it is', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    for (const epoch of [1, 2]) {
      const running = t.start({}, { partitions: 3 })
      await t.untilEqual(running)
      await t.until(() => t.controls().filter((control) => control.epoch === epoch).length >= 6, 'fence and progress')
      await running.stop()
      const own = t.controls().filter((control) => control.epoch === epoch)
      assert.deepEqual(own.map(({ kind }) => kind).toSorted(), [
        ...Array(3).fill('fence'),
        ...Array(3).fill('progress'),
      ])
      assert.equal(own.at(-1)?.clusterId, 'cluster-1')
    }
    assert.equal(new Set(t.controls().map(({ streamId }) => streamId)).size, 1)
  })

  test('marks records initial until the first progress with synced=true', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const first = t.start()
    await t.untilEqual(first)
    t.source.add({ name: 'b' })
    await t.untilEqual(first)
    await first.stop()
    t.source.add({ name: 'c' })
    const second = t.start()
    await t.untilEqual(second)
    await second.stop()
    const initial = t.lines().map((line) => [line.key, line.kind === 'record' && line.record.initial])
    assert.deepEqual(initial, [
      ['default/a', true],
      ['default/b', false],
      ['default/c', false],
    ])
  })

  test('publishes exactly the differences at the next start', async () => {
    const t = new BridgeHarness()
    for (const name of ['same', 'changed', 'gone', 'reborn']) t.source.add({ name, body: { spec: { name } } })
    const first = t.start()
    await t.untilEqual(first)
    await first.stop()
    const before = t.lines().length
    t.source.modify({ name: 'changed' })
    t.source.delete({ name: 'gone' })
    t.source.delete({ name: 'reborn' })
    t.source.add({ name: 'reborn' })
    t.source.add({ name: 'new' })
    const second = t.start()
    await t.untilEqual(second)
    await second.stop()
    const after = t.lines().slice(before)
    assert.deepEqual(after.map(shortOf).toSorted(), [
      'ADDED RECOVERY default/new@9',
      'ADDED RECOVERY default/reborn@8',
      'DELETED RECOVERY default/gone@3 finalStateUnknown',
      'DELETED RECOVERY default/reborn@4 finalStateUnknown',
      'UPDATED RECOVERY default/changed@5',
      'tombstone default/gone',
      'tombstone default/reborn',
    ])
    const gone = after.find((line) => line.key === 'default/gone' && line.kind === 'record')
    assert.match(String(gone?.kind === 'record' ? gone.record.object : ''), /"spec":\{"name":"gone"\}/)
    const reborn = after.filter(({ key }) => key === 'default/reborn').map(shortOf)
    assert.deepEqual(reborn, [
      'DELETED RECOVERY default/reborn@4 finalStateUnknown',
      'tombstone default/reborn',
      'ADDED RECOVERY default/reborn@8',
    ])
  })

  test('finds by a relist what a watch missed', async () => {
    const t = new BridgeHarness()
    for (const name of ['a', 'b', 'c']) t.source.add({ name })
    const running = t.start()
    await t.untilEqual(running)
    const before = t.lines().length
    t.source.modify({ name: 'a' }, { dropWatch: true })
    t.source.delete({ name: 'b' }, { dropWatch: true })
    t.source.resetWatch()
    for (let n = 0; n < 5 && !t.equals(); n++) {
      await t.until(() => t.clock.sleepers > 0, 'the reflector waits')
      await t.clock.advance(5_000)
    }
    await t.until(() => t.equals(), 'topic equals source')
    assert.deepEqual(t.lines().slice(before).map(shortOf), [
      'UPDATED RELIST default/a@4',
      'DELETED RELIST default/b@2 finalStateUnknown',
      'tombstone default/b',
    ])
    assert.match(await running.metrics(), /kubedelta_relists_total\{resource="pods",reason="expired"\} 1/)
    await running.stop()
  })

  test('ends an object with what it published a moment ago, though that is not acknowledged when a list shows another', async () => {
    const t = new BridgeHarness()
    const running = t.start()
    await t.untilEqual(running)
    const acknowledge = t.log.holdAcks()
    t.source.add({ name: 'brief', body: { spec: 'its last state' } })
    await t.until(() => t.lines().length === 1, 'a record')
    t.source.delete({ name: 'brief' }, { dropWatch: true })
    t.source.add({ name: 'brief' }, { dropWatch: true })
    t.source.resetWatch()
    const isListed = (): boolean => running.bridge.health()[0]?.watches[0]?.lastSyncResourceVersion === '3'
    for (let n = 0; n < 5 && !isListed(); n++) {
      await t.until(() => t.clock.sleepers > 0, 'the reflector waits')
      await t.clock.advance(5_000)
    }
    // Time enough for one that does not wait.
    for (let turns = 0; turns < 100; turns++) await turn()
    acknowledge()
    await t.untilEqual(running)
    const [, deleted] = t.lines()
    assert.ok(deleted?.kind === 'record' && deleted.record.finalStateUnknown)
    assert.match(String(deleted.record.object), /its last state/)
    await running.stop()
  })

  test('asks for nothing older than what the topic holds', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const first = t.start()
    await t.untilEqual(first)
    await first.stop()
    const seen = t.source.requests.length
    const second = t.start()
    await t.untilEqual(second)
    await second.stop()
    // The first request after it is the check that the collection may be listed.
    const versions = t.source.requests.slice(seen + 1).map(({ resourceVersion }) => resourceVersion)
    assert.equal(versions[0], '1')
  })

  test('waits once for what a restored etcd has lost, and the next start knows the new history', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'kept' })
    const killed = t.start()
    await t.untilEqual(killed)
    // No progress is written behind these, so that no later one falls.
    for (let n = 0; n < 5; n++) t.source.add({ name: `lost-${n}` })
    await t.untilEqual(killed)
    await t.takeOver('what has killed it')
    t.source.bookmark()
    await assert.rejects(killed.ended)
    const expected = { failures: 'expected' } as const
    t.source = new FakeSource({ resourceVersion: 2 })
    t.source.add({ name: 'kept' })
    const first = t.start()
    const isAsked = (): boolean => t.source.requests.some(({ resourceVersion }) => resourceVersion === '6')
    await t.until(isAsked, 'a question for what was lost', expected)
    await t.clock.advance(120_000)
    await t.untilEqual(first, expected)
    await first.stop()
    const seen = t.source.requests.length
    const next = t.start()
    await t.untilEqual(next, expected)
    assert.deepEqual(
      t.source.requests.slice(seen + 1).map(({ resourceVersion }) => resourceVersion),
      ['3'],
    )
    await next.stop()
  })

  test('publishes an object that the topic cannot take with object null, and goes on', async () => {
    const t = new BridgeHarness()
    t.log.maxGroupBytes = 2_000
    t.source.add({ name: 'big', body: { spec: 'x'.repeat(2_000) } })
    t.source.add({ name: 'small' })
    const running = t.start()
    await t.untilEqual(running)
    assert.match(await running.metrics(), /kubedelta_objects_withheld_total\{resource="pods",reason="too-large"\} 1/)
    const objects = t.lines().map((line) => [line.key, line.kind === 'record' && line.record.object === null])
    assert.deepEqual(objects, [
      ['default/big', true],
      ['default/small', false],
    ])
    await running.stop()
    const again = t.start()
    await t.untilEqual(again)
    await again.stop()
    assert.equal(t.lines().length, 2, 'what was withheld is not published again')
  })

  test('shows unchanged objects again at a resync', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const running = t.start({ resyncMs: 5_000 })
    await t.untilEqual(running)
    await t.clock.advance(5_000)
    await t.until(() => t.lines().length === 2, 'a resync')
    assert.equal(t.lines().map(shortOf).at(-1), 'UPDATED RESYNC default/a@1')
    await running.stop()
  })

  test('repeats progress while nothing happens', async () => {
    const t = new BridgeHarness()
    const running = t.start()
    await t.untilEqual(running)
    await t.until(() => t.controls().length === 2, 'fence and first progress')
    for (let n = 0; n < 7; n++) await t.clock.advance(10_000)
    await t.until(() => t.controls().length === 3, 'one more progress')
    await running.stop()
  })

  test('leaves its identity on a quiet topic, however soon the broker forgets tombstones', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const running = t.start()
    await t.untilEqual(running)
    t.log.compact(TOPIC, { tombstones: 'drop' })
    assert.deepEqual(t.controls(), [])
    for (let n = 0; n < 7; n++) await t.clock.advance(10_000)
    await t.until(() => t.controls().length > 0, 'a progress record')
    const [control] = t.controls()
    assert.deepEqual([control?.kind, control?.clusterId, control?.epoch], ['progress', 'cluster-1', 1])
    await running.stop()
    const stranger = t.start({ clusterId: 'cluster-2' })
    await assert.rejects(stranger.ended, (error) => error instanceof KubedeltaError && error.code === 'topic-foreign')
  })

  test('goes on with a higher epoch where nothing but records says what the last one was', async () => {
    const t = new BridgeHarness()
    for (const name of ['a', 'b']) {
      const running = t.start()
      t.source.add({ name })
      await t.untilEqual(running)
      await running.stop()
    }
    t.log.compact(TOPIC, { tombstones: 'drop' })
    assert.deepEqual(t.controls(), [])
    const next = t.start()
    await t.untilEqual(next)
    assert.equal(t.controls()[0]?.epoch, 3)
    await next.stop()
  })

  test('ends when another writer takes over, and names it', async () => {
    const t = new BridgeHarness()
    const running = t.start()
    await t.untilEqual(running)
    await t.takeOver('intruder')
    t.source.add({ name: 'a' })
    await assert.rejects(running.ended, (error) => {
      assert.ok(error instanceof KubedeltaError && error.code === 'fenced')
      assert.match(error.message, /intruder has taken it over with epoch 2: current value is 1/)
      assert.deepEqual([error.fields.holder, error.fields.epoch], ['intruder', 2])
      return true
    })
    assert.match(await running.metrics(), /kubedelta_fenced_total 1/)
  })

  test('is refused where a bridge of another cluster has come between its reading and its fence, whatever its epoch', async () => {
    for (const epoch of [1, 2, 3]) {
      const t = new BridgeHarness()
      t.source.add({ name: 'a' })
      const before = t.start()
      await t.untilEqual(before)
      await before.stop()
      const lines = t.lines().length
      const late = t.start({
        connection: whenOpening(t.log, async (open) => {
          await t.takeOver('stranger', { clusterId: 'cluster-2', epoch })
          return open()
        }),
      })
      t.source.add({ name: 'b' })
      await assert.rejects(late.ended, (error) => hasCode(error, 'topic-foreign') && /cluster-2/.test(error.message))
      assert.equal(t.lines().length, lines)
    }
  })

  test('is refused where partitions were added between its reading and its fence', async () => {
    const t = new BridgeHarness()
    const late = t.start({
      connection: whenOpening(t.log, async (open) => Object.create(await open(), { partitions: { value: 2 } })),
    })
    await assert.rejects(late.ended, (error) => hasCode(error, 'partitions-changed'))
    assert.deepEqual(t.controls(), [])
  })

  test('asks nothing of the history of a cluster whose topic it takes over, and begins another stream', async () => {
    const t = new BridgeHarness()
    t.source.advanceTo(100)
    t.source.add({ name: 'a' })
    const former = t.start()
    await t.untilEqual(former)
    await former.stop()
    t.source = new FakeSource()
    t.source.add({ name: 'b' })
    const adopting = t.start({ clusterId: 'cluster-2', adoptTopic: true })
    await t.untilEqual(adopting)
    assert.deepEqual(
      t.source.requests.map(({ resourceVersion }) => resourceVersion),
      ['', ''],
    )
    await adopting.stop()
    const streams = t.controls().map(({ streamId, epoch }) => `${streamId} ${epoch}`)
    assert.deepEqual(new Set(t.controls().map(({ streamId }) => streamId)).size, 2)
    assert.deepEqual(new Set(streams).size, 2)
    const added = t.lines().find(({ key }) => key === 'default/b')
    assert.ok(added?.kind === 'record' && added.record.cause === 'LIST' && added.record.initial)
  })

  test('of several namespaces says once all are listed how far the one behind is, and how new the one ahead', async () => {
    const t = new BridgeHarness()
    const [behind, ahead] = [new FakeSource(), new FakeSource()]
    ahead.advanceTo(20)
    behind.add({ name: 'x', namespace: 'a' })
    ahead.add({ name: 'x', namespace: 'b' })
    const down = { kind: 'error', error: new KubedeltaError('unreachable', 'no answer') } as const
    behind.failNext('watch', down)
    behind.failNext('list', ...Array.from({ length: 3 }, () => down))
    const running = t.start(
      { createSource: (_resource, namespace) => (namespace === 'a' ? behind : ahead) },
      { namespaces: ['a', 'b'] },
    )
    const progress = (): Control | undefined => t.controls().find(({ kind }) => kind === 'progress')
    await t.until(() => t.lines().length === 1, 'the namespace that can be listed')
    for (let turns = 0; turns < 100; turns++) await turn()
    assert.equal(progress(), undefined)
    for (let n = 0; n < 10 && progress() === undefined; n++) await t.clock.advance(5_000)
    const found = progress()
    assert.ok(found?.kind === 'progress')
    assert.deepEqual([found.resourceVersion, found.newestResourceVersion], ['1', '21'])
    await running.stop()
  })

  test('counts one takeover, however many appends and progress records it refuses', async () => {
    for (const objects of [0, 3]) {
      const t = new BridgeHarness()
      const running = t.start()
      await t.untilEqual(running)
      await t.takeOver('intruder')
      for (let n = 0; n < objects; n++) t.source.add({ name: `a${n}` })
      if (objects === 0) for (let n = 0; n < 7; n++) await t.clock.advance(10_000)
      await assert.rejects(running.ended, (error) => error instanceof KubedeltaError && error.code === 'fenced')
      assert.match(await running.metrics(), /kubedelta_fenced_total 1\n/)
    }
  })

  test('creates no topic where another one is refused', async () => {
    const t = new BridgeHarness()
    const other = { ...t.source.resource, resource: 'configmaps' }
    const topic = 'kubedelta.test.configmaps'
    const { signal } = new AbortController()
    await t.log.admin.create({ topic, partitions: 1, replicationFactor: 1, config: new Map() }, signal)
    t.log.inject(topic, 0, { key: Buffer.from('x/y'), value: Buffer.from('foreign'), headers: [], timestampMs: 0 })
    const selected = { namespaces: [], labelSelector: '', fieldSelector: '', partitions: undefined, named: true }
    const resources = [t.source.resource, other].map((resource) => ({ ...selected, resource }))
    const running = t.start({ resources })
    await assert.rejects(running.ended, (error) => error instanceof KubedeltaError && error.code === 'topic-foreign')
    assert.deepEqual(await t.log.admin.list(signal), [topic])
    assert.equal(t.controls(topic).length, 0, 'nothing is fenced')
  })

  test('stops while no broker acknowledges its fence', async () => {
    const t = new BridgeHarness()
    t.log.holdAcks()
    const running = t.start()
    await t.until(() => t.controls().length === 1, 'a fence')
    await running.stop()
  })

  test('refuses to start when a named resource may not be listed', async () => {
    const t = new BridgeHarness()
    const forbidden = new KubedeltaError('forbidden', 'Cannot list pods: forbidden')
    t.source.failNext('list', { kind: 'error', error: forbidden })
    const running = t.start()
    await assert.rejects(running.ended, forbidden)
    assert.equal(await t.log.admin.describe(TOPIC, new AbortController().signal), undefined, 'no topic was created')
  })
})

/** The log, with something done in the place of opening a writer. */
function whenOpening(log: TopicLog, run: (open: () => Promise<TopicWriter>) => Promise<TopicWriter>): TopicLog {
  return {
    admin: log.admin,
    openReader: (options) => log.openReader(options),
    openWriter: (options) => run(() => log.openWriter(options)),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  }
}
