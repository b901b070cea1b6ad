// Caches and digests after any history: who holds what the log says is never told otherwise, and who does not finds out and mends it.

import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../src/base/metrics.ts'
import type { DigestRecord } from '../../src/record/control.ts'
import { Digest, DIGEST_ALGORITHM } from '../../src/record/digest.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import { lyingLog } from '../support/lying-log.ts'
import { progress, record, TopicHarness, type RunningCache } from '../unit/consumer/support.ts'

type Step =
  | { readonly kind: 'set' | 'delete' | 'replace'; readonly name: string }
  | { readonly kind: 'digest' | 'progress' | 'compact' | 'settle' | 'cut' | 'mend' | 'wait' }

const names = ['a', 'b', 'c', 'd', 'e']
const name = fc.constantFrom(...names)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('set', 'delete', 'replace'), name }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('digest', 'progress', 'compact', 'settle', 'cut', 'mend', 'wait') }),
  },
)
const history = fc.array(step, { maxLength: 40 })

test('a cache is never told that it differs where it holds what its log does, compacted or not', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (steps) => {
      const world = await World.begin()
      for (const each of steps) await world.act(each)
      await world.compare()
      assert.match(await world.results(), /^(?!.*different).*same/)
      assert.equal(await world.rebuilds(), 0)
      await world.end()
    }),
    { numRuns: 500 },
  )
})

test('a cache that lost a record finds out with the next digest, and holds what the log does', async () => {
  await fc.assert(
    fc.asyncProperty(history, name, history, async (before, lost, after) => {
      const world = await World.begin()
      for (const each of before) await world.act(each)
      await world.act({ kind: 'mend' })
      await world.act({ kind: 'settle' })
      // All of the key's, so that a later one does not make up for it.
      world.lost = lost
      for (const each of after.filter(({ kind }) => kind !== 'compact' && kind !== 'digest')) await world.act(each)
      await world.act({ kind: 'mend' })
      await world.act({ kind: 'settle' })
      const isWrong = !world.isHeld()
      world.lost = undefined
      await world.compare()
      assert.equal(await world.rebuilds(), isWrong ? 1 : 0)
      await world.compare()
      assert.ok(world.isHeld(), 'the cache holds what the log does')
      assert.equal(await world.rebuilds(), isWrong ? 1 : 0)
      assert.equal(world.running.cache.status().diverged, false)
      await world.end()
    }),
    { numRuns: 500 },
  )
})

interface State {
  readonly uid: string
  readonly resourceVersion: number
}

/** A topic of two partitions as its bridge writes it, and a cache of it. */
class World {
  readonly running: RunningCache
  /** A cache never gets the records of this pod. */
  lost: string | undefined
  readonly #topic: TopicHarness
  readonly #metrics = createMetrics()
  readonly #pods = new Map<string, State>()
  #version = 1
  #mend: (() => void) | undefined

  private constructor(topic: TopicHarness) {
    this.#topic = topic
    const from = lyingLog(topic.log, () => {
      const { lost } = this
      return lost === undefined ? undefined : (stored) => (stored.key.toString() === `shop/${lost}` ? [] : [stored])
    })
    this.running = topic.start({ from, metrics: this.#metrics })
  }

  static async begin(): Promise<World> {
    const topic = await new TopicHarness({ partitions: 2 }).create()
    topic.control(progress(1))
    const world = new World(topic)
    await world.running.whenLive()
    return world
  }

  async act(step: Step): Promise<void> {
    switch (step.kind) {
      case 'set':
        return this.#set(step.name)
      case 'delete':
        return this.#delete(step.name)
      case 'replace':
        return this.#replace(step.name)
      case 'digest':
        return this.#digest()
      case 'progress':
        return this.#topic.control(progress(this.#version))
      case 'compact':
        return this.#topic.log.compact(this.#topic.topic)
      case 'settle':
        return await this.running.settled()
      case 'cut':
        this.#mend ??= this.#topic.log.cut()
        return
      case 'mend':
        this.#mend?.()
        this.#mend = undefined
        return
      case 'wait':
        return await this.#topic.clock.advance(60_000)
      default:
        return step satisfies never
    }
  }

  /** Has the cache compare itself, and read the topic again where that follows. */
  async compare(): Promise<void> {
    await this.act({ kind: 'mend' })
    await this.running.settled()
    this.#digest()
    for (let round = 0; round < 3; round++) {
      await this.running.settled()
      await this.#topic.clock.advance(2_000)
    }
  }

  isHeld(): boolean {
    const held = this.running.cache.list().map(({ metadata }) => `${metadata.uid} ${metadata.resourceVersion}`)
    const wanted = [...this.#pods.values()].map(({ uid, resourceVersion }) => `${uid} ${resourceVersion}`)
    return held.toSorted().join() === wanted.toSorted().join()
  }

  /** How the digests came out. */
  async results(): Promise<string> {
    const text = await this.#metrics.text()
    return [...text.matchAll(/digest_checks_total\{.*result="(\w+)"/g)].map(([, result]) => result).join(' ')
  }

  async rebuilds(): Promise<number> {
    const text = await this.#metrics.text()
    return [...text.matchAll(/rebuilds_total\{.*\} (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
  }

  async end(): Promise<void> {
    await this.running.stop()
  }

  #set(pod: string): void {
    const before = this.#pods.get(pod)
    const resourceVersion = ++this.#version
    const uid = before?.uid ?? `uid-${pod}-${resourceVersion}`
    this.#pods.set(pod, { uid, resourceVersion })
    this.#topic.write(record(pod, resourceVersion, { uid, op: before === undefined ? 'ADDED' : 'UPDATED' }))
  }

  #delete(pod: string): void {
    const before = this.#pods.get(pod)
    if (before === undefined) return
    this.#pods.delete(pod)
    this.#topic.write(record(pod, ++this.#version, { uid: before.uid, op: 'DELETED' }))
  }

  #replace(pod: string): void {
    const before = this.#pods.get(pod)
    if (before === undefined) return this.#set(pod)
    const deleted = record(pod, before.resourceVersion, { uid: before.uid, op: 'DELETED', finalStateUnknown: true })
    const resourceVersion = ++this.#version
    const uid = `uid-${pod}-${resourceVersion}`
    this.#pods.set(pod, { uid, resourceVersion })
    this.#topic.replace(deleted, record(pod, resourceVersion, { uid }))
  }

  #digest(): void {
    const { partitions, clock } = this.#topic
    const { kind: _kind, synced: _synced, resourceVersion: _version, ...leadership } = progress(this.#version)
    for (let partition = 0; partition < partitions; partition++) {
      const sums = new Digest()
      for (const [pod, { uid, resourceVersion }] of this.#pods) {
        const key = `shop/${pod}`
        if (partitionOf(Buffer.from(key), partitions) !== partition) continue
        sums.add({ key, uid, resourceVersion: String(resourceVersion) })
      }
      const digest: DigestRecord = {
        kind: 'digest',
        ...leadership,
        asOf: clock.now(),
        algorithm: DIGEST_ALGORITHM,
        ...sums.sum(),
      }
      this.#topic.control(digest, partition)
    }
  }
}
