// needs: kafka, control-plane
// Caches that begin before, during and after a bridge's first list, on topics that are compacted all the time.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import type { Handler } from '../../src/cache/handler.ts'
import { connect } from '../../src/connect/connect.ts'
import { topicCache, type TopicCache } from '../../src/consumer/topic-cache.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { readAll } from '../conformance/log-content.ts'
import { CLUSTER } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { configMap } from '../support/cluster-objects.ts'
import { startGatedBridge } from '../support/gated-bridge.ts'
import { assertEqualsKubectl, kubectlList, until, type AnyObject } from '../support/informers.ts'
import { ready } from '../support/ready.ts'

const NAMES = Array.from({ length: 60 }, (_, index) => `n${index}`)
const FIRST = 20

/** Every few records a segment of its own, cleaned at once. */
const COMPACTED = {
  'cleanup.policy': 'compact',
  'segment.ms': '500',
  'min.cleanable.dirty.ratio': '0.01',
  'max.compaction.lag.ms': '1000',
  'delete.retention.ms': '604800000',
}

const signal = AbortSignal.timeout(400_000)
const life = new AsyncDisposableStack()
let story: BridgeStory
let log: TopicLog

before(async () => {
  story = life.use(await startStory())
  log = life.use(await connect(`kafka://${story.kafka.brokers}`, { signal }))
})

after(() => life.disposeAsync())

for (const partitions of [1, 6]) {
  describe(`on ${partitions} partitions`, () => {
    const namespace = `first-list-${partitions}`
    const prefix = `first.list.${partitions}`
    const topic = `${prefix}.${CLUSTER}.configmaps`
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const scope = ['-n', namespace]

    test('a cache that began before, during or after the first list is live with all of it only, and follows', async () => {
      const { plane } = story
      await plane.kubectl(['create', 'namespace', namespace])
      const objects = NAMES.map((name) => configMap(name))
      await story.create(path, objects)
      const config = new Map(Object.entries(COMPACTED))
      await log.admin.create({ topic, partitions, replicationFactor: -1, config }, signal)

      await using early = start(prefix)
      await early.cache.whenState('CatchingUp', signal)
      await using bridge = await startGatedBridge({
        connection: log,
        kubeconfig: plane.kubeconfig,
        resource: 'configmaps',
        namespace,
        prefix,
        first: FIRST,
      })
      // The records that passed the gate, and a fence on each partition.
      const passed = FIRST + partitions
      await ready(async () => assert.ok((await readAll(log, topic)).length >= passed), { what: 'half a list' })
      await using middle = start(prefix)
      await middle.cache.whenState('CatchingUp', signal)
      assert.deepEqual([early.cache.size(), middle.cache.size()], [0, 0], 'half a list is not visible')
      assert.equal(early.cache.status().state, 'CatchingUp')
      bridge.open()
      await Promise.all([early.cache.whenLive(signal), middle.cache.whenLive(signal)])
      await assertEqualsKubectl(early.cache, plane, 'configmaps', scope)
      await assertEqualsKubectl(middle.cache, plane, 'configmaps', scope)

      await churn(namespace)
      await untilEqual(early.cache, scope)
      await untilEqual(middle.cache, scope)
      await compacted(topic)

      await using late = start(prefix)
      await late.cache.whenLive(signal)
      await assertEqualsKubectl(late.cache, plane, 'configmaps', scope)
      for (const { cache, heard, mistakes } of [early, middle, late]) {
        assert.deepEqual(mistakes, [])
        await until(cache, () => heard.size === cache.size(), signal)
        for (const key of cache.listKeys()) assert.deepEqual(heard.get(key), cache.get(key), key)
        assert.equal(cache.status().degraded.size, 0)
      }
      assert.equal(late.cache.status().partitions.size, partitions)
    })
  })
}

interface Started extends AsyncDisposable {
  readonly cache: TopicCache<AnyObject>
  /** What a handler heard, replayed. */
  readonly heard: ReadonlyMap<string, AnyObject>
  /** Calls that do not follow from the one before. */
  readonly mistakes: readonly string[]
}

/** A cache that runs, with a connection of its own; disposing ends it and throws what it failed with. */
function start(prefix: string): Started {
  const stop = new AbortController()
  const from = `kafka://${story.kafka.brokers}`
  const cache = topicCache<AnyObject>({ from, cluster: CLUSTER, prefix, resource: 'configmaps' })
  const heard = new Map<string, AnyObject>()
  const mistakes: string[] = []
  cache.addHandler(replaying(heard, mistakes))
  const ended = cache.run(stop.signal)
  // Whoever disposes of it gets the failure.
  ended.catch(() => {})
  return {
    cache,
    heard,
    mistakes,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}

function replaying(heard: Map<string, AnyObject>, mistakes: string[]): Handler<AnyObject> {
  const keyOf = ({ metadata: { namespace, name } }: AnyObject): string => `${namespace}/${name}`
  return {
    onAdd: (object) => {
      if (heard.has(keyOf(object))) mistakes.push(`add of known ${keyOf(object)}`)
      heard.set(keyOf(object), object)
    },
    onUpdate: (earlier, object) => {
      if (!isDeepStrictEqual(heard.get(keyOf(object)), earlier)) {
        mistakes.push(`update of ${keyOf(object)} from another state`)
      }
      heard.set(keyOf(object), object)
    },
    onDelete: (object) => {
      if (!heard.delete(keyOf(object))) mistakes.push(`delete of unknown ${keyOf(object)}`)
    },
  }
}

/** Changes everything several times, deletes some, creates some of those again. */
async function churn(namespace: string): Promise<void> {
  const { plane } = story
  const gone = NAMES.slice(0, 20)
  for (const step of ['one', 'two', 'three']) {
    await plane.kubectl(['label', 'configmaps', '-n', namespace, '--all', `step=${step}`, '--overwrite'])
  }
  await plane.kubectl(['delete', 'configmaps', '-n', namespace, ...gone])
  const again = gone.slice(0, 10).map((name) => configMap(name, { step: 'again' }))
  await story.create(`/api/v1/namespaces/${namespace}/configmaps`, again)
}

async function untilEqual(cache: TopicCache<AnyObject>, scope: readonly string[]): Promise<void> {
  const listed = await kubectlList(story.plane, 'configmaps', scope)
  const isEqual = (): boolean =>
    cache.size() === listed.size &&
    [...listed].every(([key, { metadata }]) => {
      const held = cache.get(key)?.metadata
      return held?.uid === metadata.uid && held.resourceVersion === metadata.resourceVersion
    })
  await until(cache, isEqual, signal)
  await assertEqualsKubectl(cache, story.plane, 'configmaps', scope)
}

/** Resolves once the cleaner has taken the first list away: every object was changed since. */
async function compacted(topic: string): Promise<void> {
  await ready(
    async () => {
      const values = (await readAll(log, topic)).filter(({ value }) => value !== null)
      const keys = new Set(values.map(({ key }) => key.toString()))
      assert.ok(values.length < keys.size * 2, `${values.length} records of ${keys.size} keys`)
    },
    { what: `compaction of ${topic}` },
  )
}
