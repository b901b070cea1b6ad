import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger, type Logger } from '../../../src/base/log.ts'
import { bridgeHealth } from '../../../src/cli/bridge-health.ts'
import type { HealthSource } from '../../../src/health/server.ts'
import { BridgeHarness, type RunningBridge } from '../../support/bridge-harness.ts'

const MINUTE_MS = 60_000
/** With `random` 0 a watch is asked to last five minutes. */
const WATCH_MS = 5 * MINUTE_MS

async function watching(t: BridgeHarness): Promise<{ running: RunningBridge; health: HealthSource }> {
  t.source.add({ name: 'a' })
  const running = t.start()
  await t.untilEqual(running)
  await t.until(() => running.bridge.health()[0]?.watches[0]?.watchEndsAtMs !== undefined, 'an open watch')
  return { running, health: bridgeHealth(running.bridge, t.clock) }
}

describe('liveness of a bridge', () => {
  test('lasts until 30 s after its watch should have ended', async () => {
    const t = new BridgeHarness()
    const { running, health } = await watching(t)
    await t.clock.advance(WATCH_MS + 29_000)
    assert.equal(health.live().ok, true)
    await t.clock.advance(1_000)
    assert.deepEqual(health.live(), {
      ok: false,
      checks: [{ name: 'watch pods', ok: false, detail: 'open 30 s past its own timeout' }],
    })
    await running.stop()
  })

  test('is back once the silent watch has ended and another is open', async () => {
    const t = new BridgeHarness()
    const { running, health } = await watching(t)
    await t.clock.advance(WATCH_MS + MINUTE_MS)
    assert.equal(health.live().ok, false)
    t.source.closeWatches()
    await t.source.waitForWatches(1)
    await t.until(() => health.live().ok, 'live again')
    await running.stop()
  })

  test('does not end while an apiserver that refuses is asked again and again', async () => {
    const t = new BridgeHarness()
    const { running, health } = await watching(t)
    t.source.failNext('watch', ...Array.from({ length: 200 }, () => ({ kind: 'refused' }) as const))
    t.source.closeWatches()
    for (let minutes = 0; minutes < 20; minutes++) {
      await t.clock.advance(MINUTE_MS)
      assert.deepEqual([minutes, health.live().ok], [minutes, true])
    }
    await running.stop()
  })

  test('does not end while the log takes nothing and a list has to wait for it', async () => {
    const t = new BridgeHarness()
    const { running, health } = await watching(t)
    const acknowledge = t.log.holdAcks()
    // More than the budget of the harness holds.
    for (let n = 0; n < 20; n++) {
      t.source.add({ name: `big-${n}`, body: { spec: 'x'.repeat(100_000) } }, { dropWatch: true })
    }
    t.source.resetWatch()
    for (let n = 0; n < 5 && t.lines().length < 3; n++) {
      await t.until(() => t.clock.sleepers > 0, 'the reflector waits')
      await t.clock.advance(5_000)
    }
    await t.until(() => t.lines().length > 3, 'a part of the list')
    await t.clock.advance(10 * MINUTE_MS)
    assert.deepEqual(health.live(), { ok: true, checks: [] })
    acknowledge()
    await t.untilEqual(running)
    await running.stop()
  })
})

describe('readiness of a bridge', () => {
  test('shows a group that discovery could not reach, and does not wait for it', async () => {
    const t = new BridgeHarness()
    const { running } = await watching(t)
    const health = bridgeHealth(running.bridge, t.clock, { unreachableGroups: () => ['metrics.example.com'] })
    const { ok, checks } = health.ready()
    assert.equal(ok, true)
    assert.deepEqual(checks.at(-1), {
      name: '*.metrics.example.com',
      ok: false,
      detail: 'degraded: discovery could not reach this group',
    })
    await running.stop()
  })

  test('begins when its topics are checked and hold the first list', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const list = Promise.withResolvers<void>()
    t.source.failNext('watch', { kind: 'slow', until: list.promise })
    const running = t.start()
    const health = bridgeHealth(running.bridge, t.clock)
    assert.deepEqual(health.ready(), {
      ok: false,
      checks: [{ name: 'topics', ok: false, detail: 'not read and checked yet' }],
    })
    await t.until(() => running.bridge.health().length > 0, 'checked topics')
    assert.deepEqual(health.ready(), {
      ok: false,
      checks: [
        { name: 'topics', ok: true, detail: '' },
        { name: 'pods', ok: false, detail: 'its first list is not on the topic yet' },
      ],
    })
    list.resolve()
    await t.untilEqual(running)
    assert.equal(health.ready().ok, true)
    await running.stop()
  })

  test('begins when the first list is acknowledged, not when it is on its way', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const list = Promise.withResolvers<void>()
    t.source.failNext('watch', { kind: 'slow', until: list.promise })
    const running = t.start()
    const health = bridgeHealth(running.bridge, t.clock)
    await t.until(() => t.controls().length > 0, 'a fence')
    const acknowledge = t.log.holdAcks()
    list.resolve()
    await t.until(() => t.controls().length > 1, 'a progress record on its way')
    assert.equal(health.ready().ok, false)
    acknowledge()
    await t.until(() => health.ready().ok, 'ready')
    await running.stop()
  })

  test('does not end with a resource that is degraded, which shows', async () => {
    const t = new BridgeHarness()
    const { running, health } = await watching(t)
    const error = new KubedeltaError('forbidden', 'Cannot watch pods: forbidden')
    t.source.failNext('watch', { kind: 'error', error })
    t.source.closeWatches()
    await t.clock.advance(0)
    await t.until(() => running.bridge.health()[0]?.degraded !== undefined, 'a degraded resource')
    assert.deepEqual(health.ready(), {
      ok: true,
      checks: [
        { name: 'topics', ok: true, detail: '' },
        { name: 'pods', ok: false, detail: 'degraded: Cannot watch pods: forbidden' },
      ],
    })
    assert.equal(health.live().ok, true)
    await running.stop()
  })

  test('says once that a resource which may be listed and not watched is degraded, and shows it until it is watched', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const error = new KubedeltaError('forbidden', 'Cannot watch pods: forbidden')
    t.source.failNext('watch', ...Array.from({ length: 100 }, () => ({ kind: 'error', error }) as const))
    let said = 0
    const log: Logger = { ...silentLogger, error: () => void said++, with: () => log }
    const running = t.start({ log }, { named: false })
    const isDegraded = (): boolean => running.bridge.health()[0]?.degraded !== undefined
    await t.until(isDegraded, 'a degraded resource')
    for (let lists = 0; lists < 5; lists++) {
      const before = t.source.requests.length
      await t.clock.advance(MINUTE_MS)
      assert.ok(t.source.requests.length > before)
      assert.equal(isDegraded(), true)
      assert.match(await running.metrics(), /^kubedelta_synced\{resource="pods"\} 0$/m)
    }
    assert.equal(said, 1)
    t.source.heal()
    await t.clock.advance(MINUTE_MS)
    await t.until(() => !isDegraded(), 'a watched resource')
    assert.match(await running.metrics(), /^kubedelta_synced\{resource="pods"\} 1$/m)
    await running.stop()
  })
})
