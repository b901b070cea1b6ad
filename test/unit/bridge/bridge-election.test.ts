import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasCode, KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger, type Logger } from '../../../src/base/log.ts'
import type { BridgeOptions } from '../../../src/bridge/bridge.ts'
import { LeaderElection } from '../../../src/bridge/leader-election.ts'
import { bridgeHealth } from '../../../src/cli/bridge-health.ts'
import type { ReadBatch, ReadOptions, TopicLog } from '../../../src/topic/port.ts'
import { BridgeHarness, shortOf, TOPIC, type RunningBridge } from '../../support/bridge-harness.ts'
import { FakeLease } from '../../support/fake-lease.ts'

const timing = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }

class Candidates extends BridgeHarness {
  readonly lease = new FakeLease()

  candidate(identity: string, options: Partial<BridgeOptions> = {}): RunningBridge {
    const election = new LeaderElection({
      store: this.lease.store(),
      identity,
      timing,
      clock: this.clock,
      wallNow: () => this.clock.now(),
      random: () => 0,
      setMaster: () => {},
      log: silentLogger,
    })
    return this.start({ election, holder: identity, ...options })
  }

  async untilRole(running: RunningBridge, role: string): Promise<void> {
    await this.until(() => running.bridge.candidate()?.role === role, `a bridge that is ${role}`)
  }
}

/** A leader with everything published, and a standby with a warm index. */
async function startPair(options: Partial<BridgeOptions> = {}) {
  const t = new Candidates()
  t.source.add({ name: 'a' })
  const leader = t.candidate('first')
  await t.untilEqual(leader)
  const standby = t.candidate('second', options)
  await t.untilRole(standby, 'standby')
  return { t, leader, standby }
}

describe('bridges that elect one writer', () => {
  test('publish what the leader saw, and then what the standby sees, each state once', async () => {
    const { t, leader, standby } = await startPair()
    t.source.add({ name: 'b' })
    await t.until(() => t.lines().length === 2, 'a second record')
    await leader.stop()
    t.source.add({ name: 'c' })
    await t.clock.advance(2_000)
    await t.untilEqual(standby)
    await standby.stop()
    assert.deepEqual(t.lines().map(shortOf), [
      'ADDED LIST default/a@1',
      'ADDED WATCH default/b@2',
      'ADDED RECOVERY default/c@3',
    ])
    assert.deepEqual(
      new Set(t.controls().map(({ holder, epoch }) => `${holder} ${epoch}`)),
      new Set(['first 1', 'second 2']),
    )
    assert.equal(t.lease.claim?.holder, '')
  })

  test('let the standby read on as the leader writes, so that only the tail is left when it leads', async () => {
    const reads: ReadOptions[] = []
    const t = new Candidates()
    t.source.add({ name: 'a' })
    const leader = t.candidate('first')
    await t.untilEqual(leader)
    const standby = t.candidate('second', { connection: watched(t.log, reads) })
    await t.untilRole(standby, 'standby')
    for (let n = 0; n < 50; n++) t.source.add({ name: `b${n}` })
    await t.until(() => t.lines().length === 51, 'all records')
    await t.until(() => reads.length === 2, 'a read that follows')
    const end = t.log.records(TOPIC).length
    await leader.stop()
    await t.clock.advance(2_000)
    await t.untilEqual(standby)
    await standby.stop()
    const [atStart, following, tail] = reads
    assert.deepEqual([atStart?.until !== undefined, following?.until], [true, undefined])
    assert.ok((tail?.from.get(0) ?? 0) >= end, `the tail begins at ${tail?.from.get(0)} of ${end}`)
  })

  test('show the standby ready with whose it is, and the leader only once it has synced', async () => {
    const { t, leader, standby } = await startPair()
    const health = bridgeHealth(standby.bridge, t.clock)
    assert.deepEqual(health.ready(), {
      ok: true,
      checks: [
        { name: 'topics', ok: true, detail: '' },
        { name: 'leader-election', ok: true, detail: 'standby of first' },
      ],
    })
    await leader.stop()
    const acknowledge = t.log.holdAcks()
    await t.clock.advance(2_000)
    await t.untilRole(standby, 'leading')
    assert.equal(health.ready().ok, false)
    acknowledge()
    await t.untilEqual(standby)
    assert.equal(health.ready().ok, true)
    await standby.stop()
  })

  test('list once at the start of a standby too: a missing permission is not found out at a failover', async () => {
    const t = new Candidates()
    t.lease.put('another')
    const forbidden = new KubedeltaError('forbidden', 'Cannot list pods: forbidden')
    t.source.failNext('list', { kind: 'error', error: forbidden })
    await assert.rejects(t.candidate('second').ended, forbidden)
    assert.deepEqual(t.lease.requests, [])
  })

  test('end a standby whose topic another cluster takes over', async () => {
    const { t, leader, standby } = await startPair()
    const last = t.controls().at(-1)
    assert.ok(last !== undefined)
    await t.takeOver('stranger', { clusterId: 'cluster-2' })
    await assert.rejects(standby.ended, (error) => hasCode(error, 'topic-foreign') && /cluster-2/.test(error.message))
    t.source.add({ name: 'b' })
    await assert.rejects(leader.ended, (error) => hasCode(error, 'fenced') && error.fields.holder === 'stranger')
  })

  test('write nothing while the Lease cannot be renewed, and all of it when it can', async () => {
    const { t, leader } = await startPair()
    t.lease.isSilent = true
    await t.clock.advance(10_000)
    await t.untilRole(leader, 'paused')
    const before = t.log.records(TOPIC).length
    t.source.add({ name: 'b' })
    t.source.modify({ name: 'a' })
    await t.clock.advance(1_000)
    assert.equal(t.log.records(TOPIC).length, before)
    t.lease.isSilent = false
    await t.clock.advance(2_000)
    await t.until(() => t.lines().length === 3, 'what waited')
    assert.deepEqual(t.lines().map(shortOf).slice(1), ['ADDED WATCH default/b@2', 'UPDATED WATCH default/a@3'])
  })

  test('write nothing of what waits once the Lease is lost', async () => {
    const { t, leader } = await startPair()
    t.lease.isSilent = true
    await t.clock.advance(10_000)
    const before = t.log.records(TOPIC).length
    t.source.add({ name: 'b' })
    await t.clock.advance(5_000)
    // It looks at the Lease once more.
    await t.clock.advance(5_000)
    await assert.rejects(leader.ended, (error) => hasCode(error, 'lease-lost'))
    assert.equal(t.log.records(TOPIC).length, before)
  })

  test('wait for the log of a former leader that still runs', async () => {
    const t = new Candidates()
    t.source.add({ name: 'a' })
    const said: string[] = []
    let refusals = 3
    const connection: TopicLog = {
      ...delegating(t.log),
      openWriter: (options) => {
        if (refusals-- > 0) return Promise.reject(new KubedeltaError('fenced', 'Cannot write to topic: locked'))
        return t.log.openWriter(options)
      },
    }
    const log = { ...silentLogger, warn: (message: string) => void said.push(message), with: (): Logger => log }
    const running = t.candidate('second', { connection, log })
    await t.until(() => t.clock.sleepers >= 2, 'a pause')
    await t.clock.advance(5_000)
    await t.untilEqual(running)
    assert.deepEqual(said, ['waiting for the former leader to end: it still holds the log'])
    await running.stop()
  })

  test('outlast a writer that could not be fenced, and repair what it wrote meanwhile', async () => {
    const t = new Candidates()
    t.source.add({ name: 'a' })
    const zombie = t.start({ holder: 'zombie' })
    await t.untilEqual(zombie)
    t.log.expireProducer(TOPIC)
    const leader = t.candidate('second')
    await t.until(() => t.controls().some(({ epoch }) => epoch === 2), 'a fence')
    t.source.add({ name: 'b' })
    await t.until(() => t.lines().length === 2, 'a write by the zombie')
    await t.clock.advance(44_999)
    assert.equal(leader.bridge.health().length, 0)
    await t.clock.advance(1)
    await t.untilEqual(leader)
    assert.deepEqual(t.lines().map(shortOf), ['ADDED LIST default/a@1', 'ADDED WATCH default/b@2'])
  })
})

describe('two bridges without election', () => {
  const topics = ['kubedelta.test.configmaps', TOPIC] as const

  function bothResources(t: BridgeHarness) {
    const other = { ...t.source.resource, resource: 'configmaps' }
    const selected = { namespaces: [], labelSelector: '', fieldSelector: '', partitions: undefined, named: true }
    return [t.source.resource, other].map((resource) => ({ ...selected, resource }))
  }

  test('that start at once: one survives, the other ends before it has published anything', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const bridges = ['one', 'two'].map((holder) => t.start({ resources: bothResources(t), holder }))
    const loser = await Promise.race(
      bridges.map(async ({ ended }, n) => {
        await assert.rejects(ended, (error) => hasCode(error, 'fenced'))
        return n
      }),
    )
    const winner = bridges[1 - loser]
    assert.ok(winner !== undefined)
    await t.untilEqual(winner, { failures: 'expected' })
    const name = ['one', 'two'][1 - loser]
    for (const topic of topics) assert.equal(t.controls(topic).at(-1)?.holder, name)
    await winner.stop()
  })

  test('do not end each other where one is slow between its topics', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const resources = bothResources(t)
    const first = t.start({ resources, holder: 'before' })
    await t.untilEqual(first)
    await first.stop()
    const gate = Promise.withResolvers<void>()
    const [configmaps, pods] = topics
    const slow = t.start({
      resources,
      holder: 'slow',
      connection: gated(t.log, { tailsOf: configmaps, writersOf: pods, until: gate.promise }),
    })
    await t.until(() => t.controls(configmaps).at(-1)?.holder === 'slow', 'its first fence')
    const quick = t.start({ resources, holder: 'quick' })
    await t.untilEqual(quick)
    gate.resolve()
    await assert.rejects(slow.ended, (error) => hasCode(error, 'fenced') && error.fields.holder === 'quick')
    t.source.add({ name: 'b' })
    await t.untilEqual(quick, { failures: 'expected' })
    for (const topic of topics) assert.equal(t.controls(topic).at(-1)?.holder, 'quick')
    await quick.stop()
  })

  test('of which the later one has read the topic before the earlier one wrote to it: its epoch is the higher one all the same', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const gate = Promise.withResolvers<void>()
    let hasRead = false
    const gates = { writersOf: TOPIC, until: gate.promise, onWait: () => void (hasRead = true) }
    const later = t.start({ holder: 'later', connection: gated(t.log, gates) })
    await t.until(() => hasRead, 'a topic that was read')
    const earlier = t.start({ holder: 'earlier' })
    await t.untilEqual(earlier)
    gate.resolve()
    await t.until(() => t.controls().at(-1)?.holder === 'later', 'a fence')
    t.source.add({ name: 'b' })
    await assert.rejects(earlier.ended, (error) => hasCode(error, 'fenced') && error.fields.holder === 'later')
    await t.untilEqual(later, { failures: 'expected' })
    assert.deepEqual(
      t.lines().map((line) => (line.kind === 'record' ? `${shortOf(line)} ${line.record.epoch}` : '')),
      ['ADDED LIST default/a@1 1', 'ADDED WATCH default/b@2 2'],
    )
    await later.stop()
  })
})

interface Gates {
  /** Topic whose tail is read, after the fence, only then. */
  readonly tailsOf?: string
  /** Topic whose writer is opened only then. */
  readonly writersOf: string
  readonly until: Promise<void>
  /** Called when a writer is asked for. */
  readonly onWait?: () => void
}

function gated(log: TopicLog, { tailsOf, writersOf, until, onWait }: Gates): TopicLog {
  return {
    ...delegating(log),
    openWriter: async (options) => {
      if (options.topic === writersOf) {
        onWait?.()
        await until
      }
      return log.openWriter(options)
    },
    openReader: async (options) => {
      const reader = await log.openReader(options)
      let reads = 0
      async function* read(request: ReadOptions): AsyncIterable<ReadBatch> {
        if (request.topic === tailsOf && ++reads === 2) await until
        yield* reader.read(request)
      }
      return { read, [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() }
    },
  }
}

/** The log, with all that is asked of its readers written down. */
function watched(log: TopicLog, reads: ReadOptions[]): TopicLog {
  return {
    ...delegating(log),
    openReader: async (options) => {
      const reader = await log.openReader(options)
      return {
        read: (read) => {
          reads.push(read)
          return reader.read(read)
        },
        [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
      }
    },
  }
}

function delegating(log: TopicLog): TopicLog {
  return {
    admin: log.admin,
    openWriter: (options) => log.openWriter(options),
    openReader: (options) => log.openReader(options),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  }
}
