// needs: kafka, control-plane
// A topic of Secrets that was written before they were masked: each is rewritten once, and compaction removes the old text.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { toControlRecord } from '../../src/bridge/wire.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { openKafkaLog } from '../../src/kafka/kafka-log.ts'
import { scopeText } from '../../src/record/scope.ts'
import type { TopicRecord } from '../../src/topic/port.ts'
import { setTopicConfig } from '../conformance/kafka-operator.ts'
import { storySignal } from '../conformance/log-content.ts'
import { CLUSTER } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { secret } from '../support/cluster-objects.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { ready } from '../support/ready.ts'
import { assertSameState, clusterState, isRecord, shortOf, type TopicLine } from '../support/topic-lines.ts'
import { sampleRecord } from '../unit/record/samples.ts'

const NAMESPACE = 'unmasked'
const TOPIC = `${NAMESPACE}.${CLUSTER}.secrets`
const PATH = `/api/v1/namespaces/${NAMESPACE}/secrets`
const CLEAR = 'Written-Before-Masking-6e21d0'
const ENCODED = Buffer.from(CLEAR).toString('base64')
const KEPT = Array.from({ length: 20 }, (_, n) => `kept${n}`)
const SECRETS = {
  group: '',
  version: 'v1',
  resource: 'secrets',
  kind: 'Secret',
  namespaced: true,
  singular: 'secret',
  shortNames: [],
  verbs: ['list', 'watch'],
}

let story: BridgeStory
const life = new AsyncDisposableStack()
const folder = life.use(temporaryFolder('policy'))
let lines: readonly TopicLine[] = []
let output = ''

before(async () => {
  story = life.use(await startStory({ kafka: { properties: { 'log.dirs': folder.path } } }))
  const { plane } = story
  await plane.kubectl(['create', 'namespace', NAMESPACE])
  await story.create(
    PATH,
    [...KEPT, 'gone'].map((name) => secret(name, { password: CLEAR })),
  )
  await writeUnmasked()
  assert.ok(filesWithText().length > 0, 'the search finds the text')
  await plane.kubectl(['delete', 'secret', '-n', NAMESPACE, 'gone'])
  await using bridge = await story.bridge(['-r', 'secrets', '-n', NAMESPACE, '--prefix', NAMESPACE])
  await bridge.stop()
  output = bridge.output()
  lines = (await story.read('secrets', { prefix: NAMESPACE })).slice(KEPT.length + 1)
  await setTopicConfig(story.kafka, TOPIC, { ...CONFIG, 'segment.ms': '1', 'min.cleanable.dirty.ratio': '0.001' })
  // A restart ends the segment by a record of its own: the active one is never cleaned.
  await using next = await story.bridge(['-r', 'secrets', '-n', NAMESPACE, '--prefix', NAMESPACE])
  await next.stop()
})

after(() => life.disposeAsync())

test('each object is rewritten once because of the policy, and never in clear', () => {
  const policy = lines.filter(isRecord).filter(({ cause }) => cause === 'POLICY')
  assert.deepEqual(policy.map(({ name }) => name).toSorted(), KEPT.toSorted())
  assert.ok(!lines.some(({ text }) => text.includes(ENCODED)))
})

test('the deletion of an object that was written in clear carries its last state masked', () => {
  const gone = lines.filter(isRecord).find(({ name }) => name === 'gone')
  assert.match(gone === undefined ? '' : shortOf(gone), /^DELETED RECOVERY .* finalStateUnknown$/)
  assert.deepEqual(gone?.object?.['data'], { password: 'KioqKioq' })
})

test('the log says how many were rewritten', () => {
  const line = output.split('\n').find((text) => text.includes('objects rewritten under the new policy'))
  assert.match(line ?? '', new RegExp(`"count":${KEPT.length}\\b`))
})

test('the next start writes nothing again, and compaction removes the old text from the disk', async () => {
  const all = await story.read('secrets', { prefix: NAMESPACE })
  assertSameState(all, await clusterState(story.plane, 'secrets', ['-n', NAMESPACE]))
  await ready(
    async () => {
      const found = filesWithText()
      if (found.length > 0) throw new Error(found.join(', '))
    },
    { what: 'a disk without the old text' },
  )
})

const CONFIG = { 'cleanup.policy': 'compact', 'delete.retention.ms': '86400000' }

interface Item {
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string }
}

const encode = encodeRecord({ kind: 'json' })

function unmasked(item: Item): TopicRecord {
  const { name, uid, resourceVersion } = item.metadata
  const resource = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret' }
  const identity = { cluster: CLUSTER, ...resource, namespace: NAMESPACE, name, uid, resourceVersion }
  const object = Buffer.from(JSON.stringify(item))
  const value = encode(sampleRecord({ ...identity, cause: 'LIST', epoch: 1, object }))
  return { key: Buffer.from(`${NAMESPACE}/${name}`), value, headers: [], timestampMs: Date.now() }
}

/** What an earlier bridge, which masked nothing, left behind. */
async function writeUnmasked(): Promise<void> {
  const { plane, kafka } = story
  const signal = storySignal()
  await using log = await openKafkaLog({ brokers: kafka.brokers.split(','), signal })
  await log.admin.create(
    { topic: TOPIC, partitions: 1, replicationFactor: -1, config: new Map(Object.entries(CONFIG)) },
    signal,
  )
  await using writer = await log.openWriter({
    topic: TOPIC,
    transactionalId: `kubedelta/${TOPIC}`,
    compression: 'none',
    signal,
  })
  const { stdout } = await plane.kubectl(['get', 'secrets', '-n', NAMESPACE, '-o', 'json'])
  const { items }: { readonly items: readonly Item[] } = JSON.parse(stdout)
  await Promise.all(items.map((item) => writer.append(0, { records: [unmasked(item)] })))
  const uidOf = ['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}']
  const progress = toControlRecord({
    kind: 'progress',
    synced: true,
    resourceVersion: '1',
    clusterId: (await plane.kubectl(uidOf)).stdout,
    cluster: CLUSTER,
    streamId: 'stream',
    epoch: 1,
    producerId: writer.producerId,
    holder: 'an earlier version',
    asOf: Date.now(),
    partitions: 1,
    scope: scopeText({ resource: SECRETS, namespaces: [NAMESPACE], labelSelector: '', fieldSelector: '' }),
    policy: 'none',
    schemas: {},
  })
  await writer.append(0, { records: [progress] })
}

/** The files of the topic that hold the old text. */
function filesWithText(): readonly string[] {
  return readdirSync(folder.path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath.includes(TOPIC))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(ENCODED))
}
