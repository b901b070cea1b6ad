import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { ByteBudget } from '../../../src/base/byte-budget.ts'
import type { BridgedResource } from '../../../src/bridge/bridge.ts'
import { FakeSource } from '../../../src/testing/fake-source.ts'
import type { TopicLog } from '../../../src/topic/port.ts'
import { fromHeaders } from '../../../src/record/control.ts'
import { BridgeHarness, shortOf, TOPIC } from '../../support/bridge-harness.ts'

async function turns(): Promise<void> {
  for (let count = 0; count < 5; count++) await turn()
}

describe('while the broker acknowledges nothing', () => {
  test('an object that changes again and again costs one record, and what is gone or new stays apart', async () => {
    const t = new BridgeHarness()
    for (const name of ['hot', 'gone', 'reborn']) t.source.add({ name })
    const budget = new ByteBudget(1024 * 1024)
    const running = t.start({ budget })
    await t.untilEqual(running)
    const before = t.lines().length
    const acknowledge = t.log.holdAcks()
    t.source.modify({ name: 'hot' })
    await turns()
    await t.clock.advance(1_000)
    let most = 0
    for (let n = 0; n < 3_000; n++) {
      t.source.modify({ name: 'hot', body: { data: 'x'.repeat(2_000) } })
      if (n % 100 === 0) await turns()
      most = Math.max(most, budget.used)
    }
    t.source.delete({ name: 'gone' })
    t.source.delete({ name: 'reborn' })
    const reborn = t.source.add({ name: 'reborn' })
    t.source.modify({ name: 'reborn' })
    await turns()
    assert.ok(most < 500_000, `${most} bytes are held`)
    assert.equal(t.lines().length, before + 1, 'only what was handed on before stands on the topic')
    acknowledge()
    await t.until(() => t.equals(), 'topic equals source')
    const { resourceVersion } = t.source.objects.get('default/hot') ?? { resourceVersion: '' }
    assert.deepEqual(
      t
        .lines()
        .slice(before + 1)
        .map(shortOf),
      [
        `UPDATED WATCH default/hot@${resourceVersion}`,
        `DELETED WATCH default/gone@${Number(resourceVersion) + 1}`,
        'tombstone default/gone',
        `DELETED WATCH default/reborn@${Number(resourceVersion) + 2}`,
        'tombstone default/reborn',
        `ADDED WATCH default/reborn@${Number(reborn.resourceVersion) + 1}`,
      ],
    )
    assert.match(await running.metrics(), /kubedelta_records_coalesced_total\{resource="pods"\} 3000\n/)
    await running.stop()
  })

  test('what stood before a progress record stands before it on the topic, whatever comes later', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'hot' })
    const running = t.start()
    await t.untilEqual(running)
    const before = t.log.records(TOPIC).length
    const acknowledge = t.log.holdAcks()
    t.source.modify({ name: 'hot' })
    await turns()
    await t.clock.advance(1_000)
    t.source.modify({ name: 'hot' })
    t.source.bookmark()
    await turns()
    t.source.modify({ name: 'hot' })
    await turns()
    acknowledge()
    await t.until(() => t.equals(), 'topic equals source')
    const written = t.log.records(TOPIC).slice(before)
    const shown = written.map((stored) => {
      const control = fromHeaders(stored.key.toString(), stored.headers)
      return control?.kind === 'progress' ? [`progress ${control.resourceVersion}`] : t.linesOf([stored]).map(shortOf)
    })
    assert.deepEqual(shown.flat().slice(0, 4), [
      'UPDATED WATCH default/hot@2',
      'UPDATED WATCH default/hot@3',
      'progress 3',
      'UPDATED WATCH default/hot@4',
    ])
    await running.stop()
  })

  test('every update is handed on where coalescing is off', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'hot' })
    const running = t.start({ coalesce: false })
    await t.untilEqual(running)
    const acknowledge = t.log.holdAcks()
    await t.clock.advance(1_000)
    for (let n = 0; n < 100; n++) t.source.modify({ name: 'hot' })
    await t.until(() => t.lines().length === 101, 'all of them')
    acknowledge()
    await running.stop()
  })

  test('what waits is gathered into no more than one progress record', async () => {
    const t = new BridgeHarness()
    const running = t.start()
    await t.untilEqual(running)
    const before = t.controls().length
    const acknowledge = t.log.holdAcks()
    for (let n = 0; n < 50; n++) {
      t.source.add({ name: `n${n}` })
      t.source.bookmark()
      await turns()
      await t.clock.advance(10_000)
    }
    acknowledge()
    await t.until(() => t.equals(), 'topic equals source')
    await running.stop()
    assert.ok(t.controls().length - before <= 4, `${t.controls().length - before} progress records`)
    const last = t.controls().at(-1)
    assert.equal(last?.kind === 'progress' ? last.resourceVersion : '', t.source.resourceVersion)
  })
})

test('a topic that takes nothing leaves room for the others', async () => {
  const t = new BridgeHarness()
  const stuck = new FakeSource({ resource: { ...t.source.resource, resource: 'configmaps', kind: 'ConfigMap' } })
  const resources = [stuck, t.source].map(({ resource }): BridgedResource => ({
    resource,
    namespaces: [],
    labelSelector: '',
    fieldSelector: '',
    partitions: undefined,
    named: true,
  }))
  const budget = new ByteBudget(200_000)
  const blocked = Promise.withResolvers<void>()
  const running = t.start({
    resources,
    budget,
    connection: holdingAcksOf('kubedelta.test.configmaps', t.log, blocked.promise),
    createSource: ({ resource }) => (resource.resource === 'configmaps' ? stuck : t.source),
  })
  await t.until(() => running.bridge.health().every(({ synced }) => synced), 'both are synced')
  await t.clock.advance(1_000)
  for (let n = 0; n < 100; n++) stuck.add({ name: `n${n}`, body: { data: 'x'.repeat(5_000) } })
  await t.until(() => budget.used > 130_000, 'the one takes all it may')
  for (let n = 0; n < 100; n++) t.source.add({ name: `n${n}`, body: { data: 'x'.repeat(5_000) } })
  await t.until(() => t.equals(), 'the other goes on')
  assert.ok(budget.used <= 200_000)
  blocked.resolve()
  await running.stop()
})

/** The same log, where appends to one topic are acknowledged only once `until` resolves, the fence and first progress excepted. */
function holdingAcksOf(topic: string, log: TopicLog, until: Promise<void>): TopicLog {
  return {
    admin: log.admin,
    openReader: (options) => log.openReader(options),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
    async openWriter(options) {
      const writer = await log.openWriter(options)
      if (options.topic !== topic) return writer
      return {
        ...writer,
        async append(partition, group) {
          const appended = await writer.append(partition, group)
          if (group.records.some(({ value }) => value !== null)) await until
          return appended
        },
      }
    },
  }
}
