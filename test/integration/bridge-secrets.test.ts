// needs: kafka, control-plane
// The values of Secrets reach neither the broker's disk nor the bridge's log, whatever happens to the Secret.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  isRecord,
  type TopicLine,
  type Version,
} from '../support/topic-lines.ts'

/** Where each value is planted; none of them is like another, or like anything else. */
const PLANTED = {
  data: 'Planted-In-Data-7f3a91',
  stringData: 'Planted-In-StringData-c04be2',
  lastApplied: 'Planted-In-Last-Applied-58d1f6',
  annotation: 'Planted-In-Annotation-e9937b',
  changed: 'Planted-By-A-Change-14ac05',
  missed: 'Planted-While-Nobody-Watched-b2670d',
} as const

const FORMATS = ['json', 'avro'] as const

/** Shows that the search would find a value: it is published as it is. */
const CONTROL = 'Not-Secret-At-All-3d5e88'

let story: BridgeStory
const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('secrets'))
const outputs: string[] = []
const topics = new Map<string, readonly TopicLine[]>()
let state: ReadonlyMap<string, Version> = new Map()

before(async () => {
  story = life.use(await startStory({ kafka: { properties: { 'log.dirs': folder.path } } }))
  const { plane } = story
  const apply = async (manifest: object): Promise<unknown> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(manifest) })
  await apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'control' }, data: { text: CONTROL } })
  await apply(secretOf('there', PLANTED.lastApplied))
  await runBridges(async () => {
    // Created, changed, left alone, deleted and made again before the eyes of the bridges.
    await apply(secretOf('watched', PLANTED.lastApplied))
    await apply(secretOf('changed', PLANTED.lastApplied))
    await apply(secretOf('changed', PLANTED.changed))
    await plane.kubectl(['annotate', 'secret', 'watched', `example.com/later=${PLANTED.annotation}`])
    await apply(secretOf('passing', PLANTED.lastApplied))
    await plane.kubectl(['delete', 'secret', 'passing'])
    await apply(secretOf('gone', PLANTED.lastApplied))
  })
  await plane.kubectl(['delete', 'secret', 'gone', 'changed'])
  await apply(secretOf('changed', PLANTED.missed))
  await apply(secretOf('there', PLANTED.missed))
  await runBridges(async () => {})
  state = await clusterState(plane, 'secrets')
  for (const format of FORMATS) topics.set(format, await story.read('secrets', { prefix: format }))
  // At rest, so that no file goes while it is read.
  await story.kafka.stop()
})

after(() => life.disposeAsync())

describe('values of Secrets', () => {
  for (const [where, value] of Object.entries(PLANTED)) {
    test(`are in no byte of the broker's disk and of the log: ${where}`, () => {
      for (const form of [value, ...inBase64(value)]) {
        assert.deepEqual(filesWith(form), [])
        assert.ok(!outputs.some((output) => output.includes(form)))
      }
    })
  }

  test('would have been found: what is no Secret is on the disk in clear, as are the names of Secrets', () => {
    for (const [text, topic] of [
      [CONTROL, 'configmaps'],
      ['default/watched', 'secrets'],
    ] as const) {
      for (const format of FORMATS) {
        assert.ok(
          filesWith(text).some((file) => file.includes(`${format}.test.${topic}-0/`)),
          `${text} on the topic of ${topic} as ${format}`,
        )
      }
    }
    assert.ok(outputs.every((output) => output.includes('"level":"debug"')))
  })
})

test('Secrets are on their topics all the same, keys and masked values, equal to the cluster', () => {
  assert.equal(state.size, 3)
  for (const lines of topics.values()) {
    assertSameState(lines, state)
    assertLives(lines)
    for (const { object } of lines.filter(isRecord)) {
      assert.deepEqual(object?.['data'], { a: 'KioqKioq', b: 'KioqKioq' })
      assert.equal(object['stringData'], undefined)
      const { annotations = {} } = object.metadata
      assert.deepEqual(new Set(Object.values(annotations)), new Set(['******']))
      assert.ok('kubectl.kubernetes.io/last-applied-configuration' in annotations)
    }
  }
})

/** As kubectl applies it: the whole of it, `inLastApplied` included, stands in an annotation once more. */
function secretOf(name: string, inLastApplied: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, annotations: { 'example.com/note': PLANTED.annotation, 'example.com/copy': inLastApplied } },
    data: { a: Buffer.from(PLANTED.data).toString('base64') },
    stringData: { b: `${PLANTED.stringData} ${inLastApplied}` },
  }
}

/** Runs a bridge of each format, without compression and with everything logged, around what `meanwhile` does. */
async function runBridges(meanwhile: () => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const bridges: BridgeProcess[] = []
  for (const format of FORMATS) {
    const args = ['-r', 'secrets,configmaps', '--format', format, '--prefix', format]
    bridges.push(stack.use(await story.bridge([...args, '--compression', 'none', '--log-level', 'debug'])))
  }
  await meanwhile()
  const now = await clusterState(story.plane, 'secrets')
  for (const [index, bridge] of bridges.entries()) {
    await using topic = story.follow('secrets', { prefix: FORMATS[index] ?? '' })
    await topic.untilEqual(now)
    await bridge.stop()
    outputs.push(bridge.output())
  }
}

/** What a text looks like within a longer one that is encoded: it may begin at each of three places of a group of bytes. */
function inBase64(text: string): readonly string[] {
  return [0, 1, 2].map((shift) => {
    const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)])
    const wholeCharacters = Math.floor((bytes.length * 8) / 6)
    return bytes.toString('base64').slice(Math.ceil((shift * 8) / 6), wholeCharacters)
  })
}

/** The files below the broker's folder that hold this text. */
function filesWith(text: string): readonly string[] {
  const needle = Buffer.from(text)
  return readdirSync(folder.path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(needle))
}
