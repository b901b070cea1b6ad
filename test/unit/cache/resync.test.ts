import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { silentLogger } from '../../../src/base/log.ts'
import { ResyncSchedule, type ResyncTurn } from '../../../src/cache/resync-schedule.ts'
import { runResync } from '../../../src/cache/resync.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { keptLog, pod, recorder, runningCache, settled, swap } from './support.ts'

const notRunning = { handler: 'h', running: false, now: 0 }
const HOUR = 3_600_000

describe('resync', () => {
  test('#51 only handlers that are due get a resync', async () => {
    const clock = new ManualClock()
    await using running = runningCache({ resyncMs: 1_000, clock })
    const handlers = [0, 2_000, 3_000].map((resyncMs) => {
      const handler = recorder()
      running.cache.addHandler(handler, { resyncMs })
      return handler
    })
    await swap(running, '1', pod('pod1', '1'), pod('pod2', '1'))
    for (const handler of handlers) await handler.count(2)
    const resyncing = new AbortController()
    const resync = runResync(running.writer, clock, resyncing.signal)
    const callsAt: number[][] = []
    for (let second = 1; second <= 6; second += 1) {
      await clock.advance(1_000)
      await settled()
      callsAt.push(handlers.map(({ calls }) => calls.length - 2))
    }
    resyncing.abort()
    await resync
    assert.deepEqual(callsAt, [
      [0, 0, 0],
      [0, 2, 0],
      [0, 2, 2],
      [0, 4, 2],
      [0, 4, 2],
      [0, 6, 4],
    ])
    assert.deepEqual(handlers[1]?.calls.slice(2, 4), ['update shop/pod1@1 @1', 'update shop/pod2@1 @1'])
    assert.equal(clock.sleepers, 0)
  })

  test('#51 an update without a new resourceVersion is for handlers that are due, everyone until the first check', async () => {
    const clock = new ManualClock()
    await using running = runningCache({ resyncMs: 10_000, clock })
    const [never, due] = [recorder(), recorder()]
    running.cache.addHandler(never, { resyncMs: 0 })
    running.cache.addHandler(due)
    await swap(running, '1', pod('a', '1'))
    await swap(running, '2', pod('a', '1'))
    await settled()
    assert.deepEqual([never.calls.length, due.calls.length], [2, 2])
    await clock.advance(10_000)
    assert.equal(running.writer.shouldResync(), true)
    await swap(running, '3', pod('a', '1'))
    await settled()
    assert.deepEqual([never.calls.length, due.calls.length], [2, 3])
    assert.equal(running.writer.shouldResync(), false)
    await swap(running, '4', pod('a', '1'))
    await running.writer.apply({ kind: 'set', object: pod('a', '5') }, running.signal)
    await settled()
    assert.deepEqual([never.calls.length, due.calls.length], [3, 4])
  })

  test('a resync of the feed is for the handlers that asked for it', async () => {
    await using running = runningCache({ rules: 'log' })
    const [plain, asking] = [recorder(), recorder()]
    running.cache.addHandler(plain)
    running.cache.addHandler(asking, { upstreamResync: true })
    await swap(running, '1', pod('a', '1'))
    await running.writer.sync('shop/a', 'asked', running.signal)
    await running.writer.sync('shop/absent', 'asked', running.signal)
    await settled()
    assert.deepEqual(plain.calls, ['add shop/a@1 initial'])
    assert.deepEqual(asking.calls, ['add shop/a@1 initial', 'update shop/a@1 @1'])
  })

  test('a cache without a period resyncs nobody and waits for its end', async () => {
    await using running = runningCache()
    const controller = new AbortController()
    const resync = runResync(running.writer, new ManualClock(), controller.signal)
    controller.abort()
    await resync
  })
})

describe('resync periods', () => {
  test('#52 a shorter period lowers the check period before the cache runs, the others keep theirs', () => {
    const schedule = new ResyncSchedule(12 * HOUR, silentLogger)
    const turns: ResyncTurn[] = []
    const periods = (): number[] => [schedule.checkMs, ...turns.map(({ periodMs }) => periodMs)]
    for (const [requestedMs, expected] of [
      [0, [12 * HOUR, 0]],
      [60_000, [60_000, 0, 60_000]],
      [55_000, [55_000, 0, 60_000, 55_000]],
      [5_000, [5_000, 0, 60_000, 55_000, 5_000]],
    ] as const) {
      turns.push(schedule.add(requestedMs, notRunning))
      assert.deepEqual(periods(), expected)
    }
  })

  test('#52 once the cache runs a shorter period is raised to the check period', () => {
    const log = keptLog()
    const schedule = new ResyncSchedule(60_000, log)
    assert.equal(schedule.add(5_000, { ...notRunning, running: true }).periodMs, 60_000)
    assert.equal(schedule.checkMs, 60_000)
    assert.equal(log.lines.length, 1)
  })

  test('a period under a second is raised to it', () => {
    const log = keptLog()
    const schedule = new ResyncSchedule(12 * HOUR, log)
    assert.equal(schedule.add(10, notRunning).periodMs, 1_000)
    assert.equal(schedule.checkMs, 1_000)
    assert.equal(log.lines.length, 1)
  })

  test('without a check period a period is void, with a warning, and everyone stays due', () => {
    const log = keptLog()
    const schedule = new ResyncSchedule(0, log)
    const turn = schedule.add(5_000, notRunning)
    assert.deepEqual([turn.periodMs, turn.isDue, schedule.checkMs, log.lines.length], [0, true, 0, 1])
  })

  test('a handler that was removed is due no more', () => {
    const schedule = new ResyncSchedule(1_000, silentLogger)
    const turn = schedule.add(1_000, notRunning)
    assert.equal(schedule.check(1_000), true)
    schedule.remove(turn)
    assert.equal(schedule.check(2_000), false)
  })
})
