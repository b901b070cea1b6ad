import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { silentLogger } from '../../../src/base/log.ts'
import { createMetrics } from '../../../src/base/metrics.ts'
import { createBridgeMetrics } from '../../../src/bridge/bridge-metrics.ts'
import type { PoppedDeltas } from '../../../src/bridge/arrival.ts'
import { readLastStates } from '../../../src/bridge/last-states.ts'
import { Outbox } from '../../../src/bridge/outbox.ts'
import { Publisher } from '../../../src/bridge/publisher.ts'
import type { Seen } from '../../../src/bridge/seen.ts'
import { TopicIndex } from '../../../src/bridge/topic-index.ts'
import { encodeRecord, RecordDecoder } from '../../../src/codec/codec.ts'
import { SchemaStore } from '../../../src/codec/schema-source.ts'
import { noPolicy } from '../../../src/policy/policy.ts'
import { fakeObject, PODS } from '../../../src/testing/fake-objects.ts'
import { MemoryTopicLog } from '../../../src/testing/memory-topic.ts'
import type { Delta } from '../../../src/watch/delta.ts'

const TOPIC = 'kubedelta.test.pods'
const signal = new AbortController().signal

/** A publisher over a log in memory, fed with what a queue would hand out. */
class Feeding {
  readonly log = new MemoryTopicLog()
  readonly index = new TopicIndex()
  readonly reads: string[][] = []
  released = 0
  #sequence = 0
  #publish: ((entries: readonly PoppedDeltas[]) => Promise<void>) | undefined

  async publish(
    ...entries: ReadonlyArray<readonly [key: string, ...deltas: ReadonlyArray<Delta<Seen>>]>
  ): Promise<void> {
    this.#publish ??= await this.#open()
    await this.#publish(
      entries.map(([key, ...deltas]) => ({
        kind: 'deltas',
        key,
        deltas,
        initial: false,
        bytes: 0,
        giveBack: () => {},
        release: () => void this.released++,
      })),
    )
  }

  seen(name: string, uid: string, resourceVersion: string): Seen {
    const object = fakeObject(PODS, { name, uid, resourceVersion })
    return { object, observedAt: 0, sequence: ++this.#sequence }
  }

  /** `DELETED a@2 of a@2`: what a record says, and the version of the object in it. */
  records(): readonly string[] {
    const decoder = new RecordDecoder(new SchemaStore())
    return this.log.records(TOPIC).map(({ key, value }) => {
      if (value === null) return `tombstone ${key.toString()}`
      const { op, uid, resourceVersion, object } = decoder.decode(value)
      const { metadata } = JSON.parse(object?.toString() ?? '{"metadata":{}}')
      return `${op} ${uid}@${resourceVersion} of ${metadata.uid}@${metadata.resourceVersion}`
    })
  }

  async #open(): Promise<(entries: readonly PoppedDeltas[]) => Promise<void>> {
    const { log, index } = this
    await log.admin.create({ topic: TOPIC, partitions: 1, replicationFactor: 1, config: new Map() }, signal)
    const writer = await log.openWriter({ topic: TOPIC, transactionalId: 'x', signal })
    const outbox = new Outbox(writer, { coalesce: true, now: () => 0, onAppended: () => {} })
    const reader = await log.openReader()
    const decoder = new RecordDecoder(new SchemaStore())
    const publisher = new Publisher({
      resource: PODS,
      cluster: 'test',
      epoch: 1,
      outbox,
      index,
      policy: noPolicy,
      encode: encodeRecord({ kind: 'json' }),
      inherited: { synced: true, policyChanged: false },
      metrics: createBridgeMetrics(createMetrics(), '0.0.0', () => 0),
      log: silentLogger,
      now: () => 0,
    })
    return async (entries) => {
      await publisher.publish(entries, async (keys) => {
        this.reads.push([...keys])
        await writer.flush(signal)
        return readLastStates(keys, index, { reader, topic: TOPIC, decoder, log: silentLogger, signal })
      })
      await writer.flush(signal)
    }
  }
}

const missed = (object?: Seen): Delta<Seen> => ({ kind: 'deleted', object, finalStateUnknown: true, reason: 'expired' })
const updated = (object: Seen): Delta<Seen> => ({ kind: 'updated', object })

describe('publisher', () => {
  test('a missed delete carries what was seen of the object in the same batch, not what stood on the topic before', async () => {
    const t = new Feeding()
    await t.publish(['default/a', updated(t.seen('a', 'u', '1'))])
    const newest = t.seen('a', 'u', '2')
    await t.publish(['default/a', updated(newest), missed(newest)])
    assert.deepEqual(t.records(), [
      'ADDED u@1 of u@1',
      'UPDATED u@2 of u@2',
      'DELETED u@2 of u@2',
      'tombstone default/a',
    ])
  })

  test('a missed delete of an object that came in the same batch carries it', async () => {
    const t = new Feeding()
    const only = t.seen('a', 'u', '1')
    await t.publish(['default/a', updated(only), missed(only)])
    assert.deepEqual(t.records(), ['ADDED u@1 of u@1', 'DELETED u@1 of u@1', 'tombstone default/a'])
    assert.deepEqual(t.reads, [], 'nothing had to be read')
  })

  test('each of several objects under one key ends with its own last state', async () => {
    const t = new Feeding()
    await t.publish(['default/a', updated(t.seen('a', 'u', '1'))])
    const seen = [updated(t.seen('a', 'v', '2')), updated(t.seen('a', 'w', '3'))] as const
    await t.publish(['default/b', updated(t.seen('b', 'x', '4'))], ['default/a', ...seen])
    assert.deepEqual(t.records(), [
      'ADDED u@1 of u@1',
      'DELETED u@1 of u@1',
      'tombstone default/a',
      'ADDED v@2 of v@2',
      'DELETED v@2 of v@2',
      'tombstone default/a',
      'ADDED w@3 of w@3',
      'ADDED x@4 of x@4',
    ])
    assert.equal(t.released, 3)
  })

  test('a watched delete and re-creation reads nothing back', async () => {
    const t = new Feeding()
    await t.publish(['default/a', updated(t.seen('a', 'u', '1'))])
    const deleted: Delta<Seen> = { kind: 'deleted', object: t.seen('a', 'u', '2'), finalStateUnknown: false }
    await t.publish(['default/a', deleted, updated(t.seen('a', 'v', '3'))])
    assert.deepEqual(t.reads, [])
    assert.deepEqual(t.records().slice(1), ['DELETED u@2 of u@2', 'tombstone default/a', 'ADDED v@3 of v@3'])
  })

  test('never reads the last states of many objects at once', async () => {
    const t = new Feeding()
    const names = Array.from({ length: 600 }, (_, n) => `p${n}`)
    await t.publish(...names.map((name) => [`default/${name}`, updated(t.seen(name, name, '1'))] as const))
    await t.publish(...names.map((name) => [`default/${name}`, missed()] as const))
    assert.deepEqual(
      t.reads.map((keys) => keys.length),
      [250, 250, 100],
    )
    assert.equal(t.records().filter((line) => line.startsWith('DELETED')).length, 600)
    assert.equal(t.index.size, 0)
    assert.equal(t.released, 1_200)
  })
})
