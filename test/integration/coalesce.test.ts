// needs: kafka, control-plane
// While the broker is away an object costs what its last state takes, however often it changes; nothing of its life is lost.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { configMap } from '../support/cluster-objects.ts'
import { ready } from '../support/ready.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  isRecord,
  lifeOf,
  shortOf,
  type TopicLine,
  type Version,
} from '../support/topic-lines.ts'

const PATH = '/api/v1/namespaces/default/configmaps'
const UPDATES = 3_000
const NOTE = 'x'.repeat(4_000)

let story: BridgeStory
const life = new AsyncDisposableStack()
let state: ReadonlyMap<string, Version> = new Map()
const lines: Record<string, readonly TopicLine[]> = {}
const coalesced: Record<string, number> = {}
/** Bytes that the bridge held at the end of the outage. */
const buffered: Record<string, number> = {}
/** resourceVersions that the hot object went through, in order. */
const versions: string[] = []

before(async () => {
  story = life.use(await startStory())
  const { kafka, plane } = story
  await story.create(
    PATH,
    ['hot', 'gone', 'reborn'].map((name) => configMap(name)),
  )
  await using bridges = new AsyncDisposableStack()
  const running: Record<string, BridgeProcess> = {}
  for (const [prefix, ...args] of [['last'], ['every', '--no-coalesce']] as const) {
    running[prefix] = bridges.use(
      await story.bridge(['-r', 'configmaps', '-n', 'default', '--prefix', prefix, ...args]),
    )
  }
  await kafka.kill()
  for (let n = 1; n <= UPDATES; n++) versions.push(await put('hot', { step: String(n), note: NOTE }))
  for (const name of ['gone', 'reborn']) await plane.request(`${PATH}/${name}`, { method: 'DELETE' })
  await story.create(PATH, [configMap('reborn'), configMap('new')])
  await put('new', { step: '1' })
  state = await clusterState(plane, 'configmaps', ['-n', 'default'])
  if (running['every'] !== undefined) await untilAllRead(running['every'])
  for (const [prefix, bridge] of Object.entries(running))
    buffered[prefix] = await bridge.metric('kubedelta_buffered_bytes')
  await kafka.restart()
  for (const [prefix, bridge] of Object.entries(running)) {
    await using topic = story.follow('configmaps', { prefix })
    await topic.untilEqual(state)
    coalesced[prefix] = await bridge.metric('kubedelta_records_coalesced_total')
    await bridge.stop()
    lines[prefix] = await story.read('configmaps', { prefix })
  }
})

after(() => life.disposeAsync())

for (const prefix of ['last', 'every'] as const) {
  describe(prefix === 'last' ? 'with coalescing' : 'with --no-coalesce', () => {
    test('the topic equals the cluster', () => assertSameState(lines[prefix] ?? [], state))

    test('each record follows what stands before it, and none stands twice', () => {
      const all = lines[prefix] ?? []
      assertLives(all)
      const states = all.filter(isRecord).map(shortOf)
      assert.equal(new Set(states).size, states.length)
    })

    test('what was deleted, re-created or created meanwhile is on the topic as such', () => {
      const steps = (name: string): readonly string[] =>
        lifeOf(lines[prefix] ?? [], `default/${name}`).map((text) => text.replace(/@.*/, ''))
      assert.deepEqual(steps('gone'), ['ADDED LIST', 'DELETED WATCH', 'tombstone'])
      assert.deepEqual(steps('reborn'), ['ADDED LIST', 'DELETED WATCH', 'tombstone', 'ADDED WATCH'])
      assert.equal(steps('new')[0], 'ADDED WATCH')
    })
  })
}

test('with coalescing an object that changed thousands of times has few records, the last of them its last state', () => {
  const hot = publishedVersions('last')
  assert.equal(hot.at(-1), versions.at(-1))
  assert.ok(hot.length < UPDATES / 2, `${hot.length} records of ${UPDATES} updates`)
  assert.equal(coalesced['last'], UPDATES + 1 - hot.length + Number(stepsOfNew() === 1))
})

test('with coalescing an outage costs memory by keys: less than a tenth of what every update takes', () => {
  assert.ok((buffered['every'] ?? 0) > UPDATES * NOTE.length, `${buffered['every']} bytes`)
  assert.ok((buffered['last'] ?? Infinity) < (UPDATES * NOTE.length) / 5, `${buffered['last']} bytes`)
})

test('with --no-coalesce every update is on the topic', () => {
  assert.deepEqual(publishedVersions('every').slice(1), versions)
  assert.equal(coalesced['every'], 0)
})

function publishedVersions(prefix: string): readonly string[] {
  return (lines[prefix] ?? [])
    .filter(isRecord)
    .filter(({ key }) => key === 'default/hot')
    .map(({ resourceVersion }) => resourceVersion)
}

/** Of the object that was created and changed once while the broker was away. */
function stepsOfNew(): number {
  return (lines['last'] ?? []).filter(({ key }) => key === 'default/new').length
}

async function put(name: string, data: Readonly<Record<string, string>>): Promise<string> {
  const { status, body } = await story.plane.request(`${PATH}/${name}`, { method: 'PUT', body: configMap(name, data) })
  assert.equal(status, 200, body)
  const answer: { readonly metadata: { readonly resourceVersion: string } } = JSON.parse(body)
  return answer.metadata.resourceVersion
}

/** Waits until a bridge that replaces nothing holds all updates: an object's bytes count twice, for its record's value too. */
async function untilAllRead(bridge: BridgeProcess): Promise<void> {
  const enough = 2 * UPDATES * NOTE.length
  const probe = async (): Promise<void> => {
    const held = await bridge.metric('kubedelta_buffered_bytes')
    if (held < enough) throw new Error(`it holds ${held} bytes`)
  }
  await ready(probe, { what: `a bridge that holds ${enough} bytes` })
}
