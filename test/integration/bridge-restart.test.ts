// needs: kafka, control-plane
// A bridge that was killed, or told to end, publishes at its next start exactly what has happened meanwhile.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { configMap, pod } from '../support/cluster-objects.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  isRecord,
  isTombstone,
  shortOf,
  type RecordLine,
  type TopicLine,
} from '../support/topic-lines.ts'

const NAMES = Array.from({ length: 30 }, (_, index) => `n${index}`)
const CHANGED = NAMES.slice(0, 7)
const DELETED = NAMES.slice(7, 12)
const CREATED = ['new0', 'new1', 'new2', 'new3']

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
})

after(() => life.disposeAsync())

const endings = {
  killed: (bridge: BridgeProcess) => bridge.kill(),
  stopped: (bridge: BridgeProcess) => bridge.stop(),
}

for (const [ending, end] of Object.entries(endings)) {
  for (const { resource, partitions, format } of [
    { resource: 'configmaps', partitions: 1, format: 'json' },
    { resource: 'pods', partitions: 3, format: 'avro' },
  ]) {
    describe(`a bridge of ${resource} that was ${ending}`, () => {
      const prefix = `${ending}.${format}`
      const namespace = `${ending}-${format}`
      const args = ['-r', resource, '-n', namespace, '--format', format, '--prefix', prefix]
      let first: readonly TopicLine[] = []
      let second: readonly TopicLine[] = []

      before(async () => {
        const { plane } = story
        const make = (names: readonly string[]): Promise<void> =>
          story.create(
            `/api/v1/namespaces/${namespace}/${resource}`,
            names.map((name) => (resource === 'pods' ? pod(name, namespace) : configMap(name))),
          )
        await plane.kubectl(['create', 'namespace', namespace])
        await make(NAMES)
        await using bridge = await story.bridge([...args, '--partitions', `${resource}=${partitions}`])
        await end(bridge)
        first = await story.read(resource, { prefix })
        await plane.kubectl(['label', resource, '-n', namespace, ...CHANGED, 'step=one'])
        await plane.kubectl(['label', resource, '-n', namespace, ...CHANGED, 'step=two', '--overwrite'])
        await plane.kubectl(['delete', resource, '-n', namespace, ...DELETED])
        await make(CREATED)
        await using next = await story.bridge(args)
        await next.stop()
        second = (await story.read(resource, { prefix })).filter((line) => !isIn(first, line))
      })

      test('leaves a topic that equals the cluster', async () => {
        const state = await clusterState(story.plane, resource, ['-n', namespace])
        assertSameState([...first, ...second], state)
        assertLives([...first, ...second])
      })

      test('publishes one record for each change, creation and deletion, and a tombstone for each deletion', () => {
        assert.deepEqual(
          second.map((line) => shortOf(line).replace(/@[0-9]+/, '')).toSorted(),
          [
            ...CHANGED.map((name) => `UPDATED RECOVERY ${namespace}/${name}`),
            ...CREATED.map((name) => `ADDED RECOVERY ${namespace}/${name}`),
            ...DELETED.map((name) => `DELETED RECOVERY ${namespace}/${name} finalStateUnknown`),
            ...DELETED.map((name) => `tombstone ${namespace}/${name}`),
          ].toSorted(),
        )
        assert.equal(second.filter(isTombstone).length, DELETED.length)
      })

      test('deletes with the last state that its topic held', () => {
        for (const name of DELETED) {
          const of = (lines: readonly TopicLine[]): RecordLine | undefined =>
            lines.filter(isRecord).find((line) => line.key === `${namespace}/${name}`)
          assert.notEqual(of(first)?.object ?? null, null)
          assert.deepEqual(of(second)?.object, of(first)?.object)
        }
      })
    })
  }
}

test('a bridge that is killed again and again amid changes publishes each state once', async () => {
  const { plane } = story
  const namespace = 'storm'
  const args = ['-r', 'configmaps', '-n', namespace, '--prefix', namespace]
  await plane.kubectl(['create', 'namespace', namespace])
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  await story.create(
    path,
    NAMES.map((name) => configMap(name)),
  )
  const storm = new AbortController()
  const changing = changeUntil(storm.signal, path)
  for (const epoch of [1, 2, 3]) {
    await using bridge = await story.bridge(args)
    await using topic = story.follow('configmaps', { prefix: namespace })
    const isOwn = (line: TopicLine): boolean => isRecord(line) && line.epoch === epoch && line.cause === 'WATCH'
    await topic.until((lines) => lines.filter(isOwn).length >= 100, 'a hundred changes')
    await bridge.kill()
  }
  storm.abort()
  await changing
  await using bridge = await story.bridge(args)
  await bridge.stop()
  const lines = await story.read('configmaps', { prefix: namespace })
  assertSameState(lines, await clusterState(plane, 'configmaps', ['-n', namespace]))
  assertLives(lines)
  const states = lines.filter(isRecord).map(({ key, op, resourceVersion }) => `${op} ${key}@${resourceVersion}`)
  assert.equal(new Set(states).size, states.length)
})

/** Replaces, deletes and creates objects without a pause, some at a time. */
async function changeUntil(signal: AbortSignal, path: string): Promise<void> {
  const work = async (names: readonly string[]): Promise<void> => {
    for (let round = 0; !signal.aborted; round++) {
      for (const name of names) {
        const body = configMap(name, { step: String(round) })
        const deletes = round % 5 === 4
        if (deletes) await story.plane.request(`${path}/${name}`, { method: 'DELETE' })
        const [method, where] = deletes ? ['POST', path] : ['PUT', `${path}/${name}`]
        const { status, body: answer } = await story.plane.request(where, { method, body })
        assert.ok(status === 200 || status === 201, answer)
      }
    }
  }
  await Promise.all([work(NAMES.slice(0, 15)), work(NAMES.slice(15))])
}

function isIn(lines: readonly TopicLine[], { partition, offset }: TopicLine): boolean {
  return lines.some((line) => line.partition === partition && line.offset === offset)
}
