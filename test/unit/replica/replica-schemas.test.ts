import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { createCache } from '../../../src/cache/cache.ts'
import { recordSchema } from '../../../src/codec/avro.ts'
import { encodeRecord } from '../../../src/codec/codec.ts'
import { Replica } from '../../../src/replica/replica.ts'
import { replicaMetrics } from '../../../src/replica/replica-metrics.ts'
import { ReplicaSchemas, type FetchSchema } from '../../../src/replica/replica-schemas.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { progress, record, TopicHarness, type Pod } from '../consumer/support.ts'

const never = new AbortController().signal

/** A registry that answers in turn: an error is thrown, text is the schema. */
function registry(...answers: readonly (KubedeltaError | string)[]): { fetch: FetchSchema; asked: number[] } {
  const left = [...answers]
  const asked: number[] = []
  return {
    asked,
    fetch: async (id) => {
      asked.push(id)
      const answer = left.shift()
      if (typeof answer === 'string') return answer
      throw answer ?? new KubedeltaError('unknown-schema', 'Cannot fetch schema: no more answers')
    },
  }
}

const unreachable = new KubedeltaError('unreachable', 'Cannot fetch schema: no answer')
const unknown = new KubedeltaError('unknown-schema', 'Cannot fetch schema: there is none')

describe('schemas of a registry', () => {
  test('are waited for while the registry cannot be reached', async () => {
    const clock = new ManualClock()
    const { fetch, asked } = registry(unreachable, unreachable, recordSchema.canonical)
    const schemas = new ReplicaSchemas({ fetchSchema: fetch, clock, random: () => 0, log: silentLogger })
    const fetching = schemas.fetch(7, never)
    await clock.waitForSleepers(1)
    await clock.advance(5_000)
    await fetching
    assert.deepEqual([asked.length, schemas.isKnown('id 7')], [3, true])
  })

  test('that are refused are asked for again after a minute', async () => {
    const clock = new ManualClock()
    const { fetch, asked } = registry(unknown, recordSchema.canonical)
    const schemas = new ReplicaSchemas({ fetchSchema: fetch, clock, random: () => 0, log: silentLogger })
    await assert.rejects(schemas.fetch(7, never), { code: 'unknown-schema' })
    await assert.rejects(schemas.fetch(7, never), { code: 'unknown-schema' })
    assert.equal(asked.length, 1)
    await clock.advance(60_000)
    await schemas.fetch(7, never)
    assert.equal(asked.length, 2)
  })

  test('that come late make everything readable that waited for them', async () => {
    const topic = await new TopicHarness().create()
    const encode = encodeRecord({ kind: 'confluent', id: 7 })
    const write = (name: string, resourceVersion: number): void =>
      topic.raw(`shop/${name}`, encode(record(name, resourceVersion)))
    const { fetch } = registry(unknown, recordSchema.canonical)
    const { cache, writer } = createCache<Pod>({ rules: 'log', clock: topic.clock })
    const replica = new Replica<Pod>({
      topic: topic.topic,
      resource: 'pods',
      writer,
      transform: undefined,
      keys: undefined,
      selection: undefined,
      snapshot: undefined,
      fetchSchema: fetch,
      metrics: replicaMetrics(undefined),
      clock: topic.clock,
      random: () => 0,
      log: silentLogger,
    })
    const stop = new AbortController()
    write('a', 1)
    write('a', 2)
    topic.control(progress(1))
    const following = replica.follow(topic.log, stop.signal)
    await replica.whenState('Live', stop.signal)
    assert.deepEqual([cache.size(), replica.degraded().get('shop/a')], [0, 'unknown-schema'])
    await topic.clock.advance(60_000)
    write('b', 3)
    topic.control(progress(3))
    await replica.waitForResourceVersion('3', stop.signal)
    assert.deepEqual(
      cache.list().map(({ metadata }) => metadata.resourceVersion),
      ['2', '3'],
    )
    assert.equal(replica.degraded().size, 0)
    stop.abort()
    await following
  })
})
