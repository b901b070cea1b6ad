import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { LeaderElection, underElection } from '../../../src/bridge/leader-election.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { FakeLease, unreachable } from '../../support/fake-lease.ts'

const timing = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }

function setUp(lease = new FakeLease(), clock = new ManualClock(), identity = 'me') {
  const master: boolean[] = []
  const election = new LeaderElection({
    store: lease.store(),
    identity,
    timing,
    clock,
    wallNow: () => Date.UTC(2026, 0, 1),
    random: () => 0,
    setMaster: (isMaster) => master.push(isMaster),
    log: silentLogger,
  })
  const stop = new AbortController()
  return { lease, clock, election, master, stop }
}

function running(t: ReturnType<typeof setUp>): Promise<void> {
  const ended = t.election.run(t.stop.signal)
  ended.catch(() => {})
  return ended
}

describe('leader election', () => {
  test('takes a free Lease, renews it, and gives it back at the end', async () => {
    const t = setUp()
    const ended = running(t)
    await t.election.leads(t.stop.signal)
    assert.deepEqual(t.election.status(), { role: 'leading', holder: 'me' })
    await t.clock.advance(4_000)
    t.stop.abort()
    await ended
    assert.deepEqual(t.lease.requests, ['read', 'create by me', 'update by me', 'update by me', 'update by nobody'])
    assert.equal(t.lease.claim?.holder, '')
    assert.deepEqual(t.master, [false, true, false])
    assert.equal(t.clock.sleepers, 0)
  })

  test('lets a second candidate lead once the first has given the Lease back', async () => {
    const first = setUp()
    const ended = running(first)
    await first.election.leads(first.stop.signal)
    const second = setUp(first.lease, first.clock, 'other')
    const running2 = running(second)
    await first.clock.advance(2_000)
    assert.deepEqual(second.election.status(), { role: 'standby', holder: 'me' })
    first.stop.abort()
    await ended
    await second.clock.advance(2_000)
    assert.deepEqual(second.election.status(), { role: 'leading', holder: 'other' })
    second.stop.abort()
    await running2
  })

  test('pauses while a silent apiserver lets the renew deadline pass, and goes on when it answers', async () => {
    const t = setUp()
    const ended = running(t)
    await t.election.leads(t.stop.signal)
    t.lease.isSilent = true
    await t.clock.advance(9_999)
    assert.equal(t.election.gate.isOpen, true)
    await t.clock.advance(1)
    assert.deepEqual([t.election.gate.isOpen, t.election.status().role], [false, 'paused'])
    t.lease.isSilent = false
    await t.clock.advance(2_000)
    assert.deepEqual([t.election.gate.isOpen, t.election.status().role], [true, 'leading'])
    t.stop.abort()
    await ended
  })

  test('ends when the Lease is over, and shuts the gate', async () => {
    const t = setUp()
    const ended = running(t)
    await t.election.leads(t.stop.signal)
    t.lease.isSilent = true
    await t.clock.advance(15_000)
    // It looks once more.
    await t.clock.advance(5_000)
    await assert.rejects(
      ended,
      (error) => hasCode(error, 'lease-lost') && /could not be renewed for 15 s/.test(error.message),
    )
    await assert.rejects(t.election.gate.opened(), (error) => hasCode(error, 'lease-lost'))
    assert.equal(t.master.at(-1), false)
  })

  test('ends when another holds the Lease, and names it', async () => {
    const t = setUp()
    const ended = running(t)
    await t.election.leads(t.stop.signal)
    t.lease.put('other')
    await t.clock.advance(2_000)
    await assert.rejects(ended, (error) => hasCode(error, 'lease-lost') && error.fields.holder === 'other')
  })

  test('ends at once where the Lease may not be read, and while it leads only when its time is over', async () => {
    const forbidden = new KubedeltaError('forbidden', 'Cannot read Lease default/test: forbidden')
    const refused = setUp()
    refused.lease.failures.push(forbidden)
    await assert.rejects(running(refused), forbidden)
    const t = setUp()
    const ended = running(t)
    await t.election.leads(t.stop.signal)
    t.lease.failures.push(forbidden)
    await t.clock.advance(4_000)
    assert.equal(t.election.status().role, 'leading')
    t.stop.abort()
    await ended
  })

  test('goes on asking while the apiserver cannot be reached', async () => {
    const t = setUp()
    t.lease.failures.push(unreachable, unreachable)
    const ended = running(t)
    await t.clock.advance(4_000)
    assert.equal(t.election.status().role, 'leading')
    t.stop.abort()
    await ended
  })

  test('a stop that comes amid a request waits for its answer, and gives back what it brought', async () => {
    const t = setUp()
    t.lease.isSilent = true
    const ended = running(t)
    t.stop.abort()
    await turn()
    t.lease.isSilent = false
    await t.clock.advance(5_000)
    await ended
    assert.deepEqual(t.lease.requests, ['read'])
  })
})

describe('work under an election', () => {
  test('has ended before the Lease is given back', async () => {
    const t = setUp()
    const order: string[] = []
    const work = async (signal: AbortSignal): Promise<void> => {
      await t.election.leads(signal)
      t.stop.abort()
      await turn()
      order.push(`work with ${t.lease.claim?.holder}`)
    }
    await underElection(t.election, work, t.stop.signal)
    order.push(`ended with ${JSON.stringify(t.lease.claim?.holder)}`)
    assert.deepEqual(order, ['work with me', 'ended with ""'])
  })

  test('gives the Lease back when the work has failed, and says why it did', async () => {
    const t = setUp()
    const failure = new KubedeltaError('fenced', 'Cannot write')
    const work = async (signal: AbortSignal): Promise<void> => {
      await t.election.leads(signal)
      throw failure
    }
    await assert.rejects(underElection(t.election, work, t.stop.signal), failure)
    assert.equal(t.lease.claim?.holder, '')
  })

  test('is aborted when the Lease is lost, and that is what is told', async () => {
    const t = setUp()
    const work = async (signal: AbortSignal): Promise<void> => {
      await t.election.leads(signal)
      t.lease.put('other')
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      throw new Error('a consequence')
    }
    const ended = underElection(t.election, work, t.stop.signal)
    ended.catch(() => {})
    await t.election.leads(t.stop.signal)
    await t.clock.advance(2_000)
    await assert.rejects(ended, (error) => hasCode(error, 'lease-lost'))
  })
})
