import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aborted } from '../../../src/base/abort.ts'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger } from '../../../src/base/log.ts'
import type { BridgedResource, BridgeOptions, Selection } from '../../../src/bridge/bridge-options.ts'
import { LeaderElection } from '../../../src/bridge/leader-election.ts'
import { resourceName, type Resource } from '../../../src/object/resource.ts'
import { PODS } from '../../../src/testing/fake-objects.ts'
import { FakeSource } from '../../../src/testing/fake-source.ts'
import { LastingSource } from '../../../src/watch/lasting-source.ts'
import { BridgeHarness, shortOf, type RunningBridge } from '../../support/bridge-harness.ts'
import { FakeLease } from '../../support/fake-lease.ts'

const CARTS: Resource = { ...PODS, group: 'shop.example.com', resource: 'carts', kind: 'Cart', version: 'v1' }
const CARTS_TOPIC = 'kubedelta.test.carts.shop.example.com'

function bridged(resource: Resource): BridgedResource {
  return { resource, namespaces: [], labelSelector: '', fieldSelector: '', partitions: undefined, named: false }
}

/** A cluster that serves what the test says, and a bridge that carries all of it. */
class Cluster extends BridgeHarness {
  readonly carts = new FakeSource({ resource: CARTS })
  #served: readonly Resource[] = [PODS]
  unreachableGroups: readonly string[] = []
  #changed = Promise.withResolvers<void>()

  serve(...resources: readonly Resource[]): void {
    this.#served = resources
    const changed = this.#changed
    this.#changed = Promise.withResolvers()
    changed.resolve()
  }

  options(): Partial<BridgeOptions> {
    const isGone = async (): Promise<boolean> => !this.#served.some(({ resource }) => resource === 'carts')
    const serving = { isGone, untilServed: (_resource: Resource, until: AbortSignal) => aborted(until) }
    const carts = new LastingSource({ source: this.carts, serving, clock: this.clock })
    return {
      resources: this.#served.map(bridged),
      selections: (signal) => this.#selections(signal),
      createSource: ({ resource }) => (resource.resource === 'pods' ? this.source : carts),
    }
  }

  async *#selections(signal: AbortSignal): AsyncGenerator<Selection> {
    while (!signal.aborted) {
      const served = this.#served
      const { unreachableGroups } = this
      const next = this.#changed.promise
      yield {
        resources: served.map(bridged),
        unreachableGroups,
        serves: (resource) => served.includes(resource),
        ifGone(name) {
          const isGone = name === resourceName(CARTS) && !served.some(({ resource }) => resource === 'carts')
          return isGone && unreachableGroups.length === 0 ? bridged({ ...CARTS, version: '', kind: '' }) : undefined
        },
      }
      await Promise.race([next, aborted(signal)])
    }
  }

  /** A bridge that writes while it holds the Lease. */
  candidate(identity: string, lease: FakeLease): RunningBridge {
    const election = new LeaderElection({
      store: lease.store(),
      identity,
      timing: { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
      clock: this.clock,
      wallNow: () => this.clock.now(),
      random: () => 0,
      setMaster: () => {},
      log: silentLogger,
    })
    return this.start({ ...this.options(), election, holder: identity })
  }

  shorts(): readonly string[] {
    return this.lines(CARTS_TOPIC).map(shortOf)
  }
}

describe('a collection that comes later', () => {
  test('is read, fenced and listed like the first ones', async () => {
    const t = new Cluster()
    const running = t.start(t.options())
    await t.untilEqual(running)
    t.carts.add({ name: 'a' })
    t.serve(PODS, CARTS)
    await t.until(() => t.shorts().length === 1, 'a cart')
    await t.until(() => t.controls(CARTS_TOPIC).some(({ kind }) => kind === 'progress'), 'progress')
    assert.deepEqual(t.shorts(), ['ADDED LIST default/a@1'])
    assert.equal(t.controls(CARTS_TOPIC)[0]?.kind, 'fence')
    assert.deepEqual(
      running.bridge.health().map(({ name }) => name),
      ['pods', 'carts.shop.example.com'],
    )
    await running.stop()
  })

  test('is taken over by a standby that was there before it, with the differences alone', async () => {
    const t = new Cluster()
    const lease = new FakeLease()
    const leader = t.candidate('first', lease)
    await t.untilEqual(leader)
    const standby = t.candidate('second', lease)
    await t.until(() => standby.bridge.candidate()?.role === 'standby', 'a standby')
    for (const name of ['same', 'changed', 'gone']) t.carts.add({ name })
    t.serve(PODS, CARTS)
    await t.until(() => t.shorts().length === 3, 'three carts')
    await leader.stop()
    t.carts.modify({ name: 'changed' })
    t.carts.delete({ name: 'gone' })
    await t.clock.advance(2_000)
    await t.until(() => t.shorts().length === 6, 'the differences')
    const isSynced = (): boolean => {
      const health = standby.bridge.health()
      return health.length === 2 && health.every(({ synced }) => synced)
    }
    await t.until(isSynced, 'both resources, synced')
    assert.deepEqual(t.shorts().slice(3).toSorted(), [
      'DELETED RECOVERY default/gone@3 finalStateUnknown',
      'UPDATED RECOVERY default/changed@4',
      'tombstone default/gone',
    ])
    const fences = t.controls(CARTS_TOPIC).filter(({ kind }) => kind === 'fence')
    assert.deepEqual(
      fences.map(({ holder, epoch }) => `${holder} ${epoch}`),
      ['first 1', 'second 2'],
    )
    await standby.stop()
  })

  test('whose topic is refused is degraded and ends nothing, and is tried again', async () => {
    const t = new Cluster()
    const running = t.start(t.options())
    await t.untilEqual(running)
    const { admin } = t.log
    const create = admin.create.bind(admin)
    admin.create = () => Promise.reject(new KubedeltaError('forbidden', 'Cannot create topic: forbidden'))
    t.serve(PODS, CARTS)
    const cartsOf = () => running.bridge.health().find(({ name }) => name === 'carts.shop.example.com')
    await t.until(() => cartsOf()?.degraded === 'Cannot create topic: forbidden', 'a degraded resource')
    admin.create = create
    t.serve(PODS, CARTS)
    await t.until(() => cartsOf()?.synced === true, 'a resource that synced')
    assert.equal(cartsOf()?.degraded, undefined)
    await running.stop()
  })

  test('in another version alone begins again, and nothing is deleted', async () => {
    const t = new Cluster()
    t.serve(PODS, CARTS)
    t.carts.add({ name: 'a' })
    const running = t.start(t.options())
    await t.until(() => t.shorts().length === 1, 'a cart')
    t.serve(PODS, { ...CARTS, version: 'v2' })
    await t.until(() => t.controls(CARTS_TOPIC).at(-1)?.epoch === 2, 'another epoch')
    t.carts.modify({ name: 'a' })
    await t.until(() => t.shorts().length === 2, 'an update')
    const last = t.lines(CARTS_TOPIC).at(-1)
    assert.equal(last?.kind === 'record' && `${last.record.op} ${last.record.version}`, 'UPDATED v2')
    await running.stop()
  })
})

describe('a collection of which only the topic is left', () => {
  async function left(): Promise<Cluster> {
    const t = new Cluster()
    t.serve(PODS, CARTS)
    t.carts.add({ name: 'a' })
    const first = t.start(t.options())
    await t.until(() => t.controls(CARTS_TOPIC).some(({ kind }) => kind === 'progress'), 'progress')
    await first.stop()
    const gone = { kind: 'error', error: new KubedeltaError('not-found', 'Cannot list carts: not found') } as const
    t.carts.failNext('list', gone, gone, gone)
    t.carts.failNext('watch', gone, gone, gone)
    t.serve(PODS)
    return t
  }

  test('has its objects deleted, after a fence, and stays', async () => {
    const t = await left()
    const second = t.start(t.options())
    await t.until(() => t.shorts().length === 3, 'a delete')
    assert.deepEqual(t.shorts().slice(1), ['DELETED RECOVERY default/a@1 finalStateUnknown', 'tombstone default/a'])
    await t.until(() => second.bridge.health().every(({ synced }) => synced), 'all synced')
    await second.stop()
  })

  test('is left alone while its group is out of reach, and not after', async () => {
    const t = await left()
    t.unreachableGroups = ['shop.example.com']
    const before = t.log.records(CARTS_TOPIC).length
    const second = t.start(t.options())
    await t.untilEqual(second)
    t.serve(PODS)
    await t.until(() => second.bridge.health().length === 1, 'pods alone')
    assert.equal(t.log.records(CARTS_TOPIC).length, before)
    t.unreachableGroups = []
    t.serve(PODS)
    await t.until(() => t.shorts().length === 3, 'a delete')
    await second.stop()
  })

  test('is left alone where it is another cluster’s', async () => {
    const t = await left()
    const before = t.log.records(CARTS_TOPIC).length
    const second = t.start({ ...t.options(), clusterId: 'cluster-2', adoptTopic: true })
    await t.untilEqual(second)
    t.serve(PODS)
    await t.until(() => second.bridge.health().length === 1, 'pods alone')
    assert.equal(t.log.records(CARTS_TOPIC).length, before)
    await second.stop()
  })
})

test('an apiserver that answers 5xx again and again leaves its collection degraded until it answers', async () => {
  const t = new Cluster()
  const down = { kind: 'error', error: new KubedeltaError('server', 'Cannot list pods: 503') } as const
  t.source.failNext('watch', ...Array.from({ length: 10 }, () => down))
  t.source.failNext('list', ...Array.from({ length: 10 }, () => down))
  const running = t.start(t.options())
  await t.until(() => running.bridge.health().length > 0, 'a resource')
  const degraded = () => running.bridge.health()[0]?.degraded
  for (let n = 0; n < 20 && degraded() === undefined; n++) {
    await t.until(() => t.clock.sleepers > 0, 'a pause')
    await t.clock.advance(1_000)
  }
  assert.equal(degraded(), 'Cannot list pods: 503')
  assert.ok(t.source.requests.filter(({ kind }) => kind === 'list').length >= 3)
  assert.match(await running.metrics(), /kubedelta_synced\{resource="pods"\} 0/)
  t.source.heal()
  for (let n = 0; n < 20 && degraded() !== undefined; n++) await t.clock.advance(5_000)
  assert.equal(degraded(), undefined)
  await running.stop()
})
