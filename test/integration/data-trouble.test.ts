// needs: kafka, control-plane
// Objects and records at the edge of what is legal, and beyond it: nothing is lost, nothing broken is published, all else goes on.

import assert from 'node:assert/strict'
import { Kafka, logLevel } from 'kafkajs'
import { after, before, describe, test } from 'node:test'
import { CLUSTER, kubedelta, type BridgeProcess } from '../support/bridge-process.ts'
import { startStory, type BridgeStory } from '../support/bridge-story.ts'
import { startByteProxy } from '../support/byte-proxy.ts'
import { CART_DEFINITION, configMap } from '../support/cluster-objects.ts'
import { createTopic } from '../support/kafka-topic.ts'
import {
  assertLives,
  assertSameState,
  clusterState,
  isRecord,
  lifeOf,
  objectText,
  shortOf,
  type RecordLine,
  type TopicLine,
} from '../support/topic-lines.ts'

let story: BridgeStory
const life = new AsyncDisposableStack()

before(async () => {
  story = life.use(await startStory())
  const { plane } = story
  await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(CART_DEFINITION) })
  await plane.kubectl(['wait', '--for=condition=Established', 'crd/carts.shop.example.com'])
})

after(() => life.disposeAsync())

describe('what is legal in a cluster', () => {
  const prefix = 'legal'
  /** A name of RBAC may hold anything but a slash and a percent sign. */
  const names = [
    'a:b',
    'ü "quoted" \\ back',
    '😀\u2028',
    'tab\tline\nnul-free\u0001',
    '$kubedelta',
    ' ',
    "'",
    '{}',
    'key,value',
  ]
  const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles'
  let listed: ReadonlyMap<string, RecordLine> = new Map()
  let watched: ReadonlyMap<string, RecordLine> = new Map()

  before(async () => {
    const args = ['-r', 'clusterroles.rbac.authorization.k8s.io,configmaps,carts.shop.example.com', '--prefix']
    await using watching = await story.bridge([...args, `${prefix}.watched`])
    await story.create(roles, names.map(role))
    await story.create('/api/v1/namespaces/default/configmaps', [annotated()])
    await story.create('/apis/shop.example.com/v1/namespaces/default/carts', [nested()])
    await using listing = await story.bridge([...args, `${prefix}.listed`])
    await watching.stop()
    await listing.stop()
    watched = await recordsOf(`${prefix}.watched`)
    listed = await recordsOf(`${prefix}.listed`)
  })

  for (const name of names) {
    test(`is published under its key: a name ${JSON.stringify(name)}`, () => {
      assert.equal(watched.get(name)?.name, name)
      assert.equal(watched.get(name)?.object?.metadata.name, name)
      assert.deepEqual(listed.get(name)?.object, watched.get(name)?.object)
    })
  }

  test('has the labels and annotations that the apiserver took, 256 KiB of them', () => {
    const { labels, annotations } = watched.get('default/annotated')?.object?.metadata ?? {}
    assert.deepEqual({ labels, annotations }, metadataOf(annotated()))
    assert.deepEqual(listed.get('default/annotated')?.object?.metadata.annotations, annotations)
  })

  test('has the same bytes listed and watched, two hundred levels deep', () => {
    const line = watched.get('default/nested')
    assert.ok(line !== undefined)
    assert.match(objectText(line), /(\{"a":\[){99}/)
    assert.equal(objectText(listed.get('default/nested') ?? line), objectText(line))
  })

  function role(name: string): object {
    return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name } }
  }

  function annotated(): object {
    const labels = { 'example.com/A_b.c-9': 'A_b.c-9', empty: '', ['n'.repeat(63)]: 'v'.repeat(63) }
    const annotations = {
      'example.com/text': 'ü "\\" \u0000 \u2028 😀 </script>',
      'example.com/huge': 'ä'.repeat(130_000),
    }
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'annotated', labels, annotations } }
  }

  function metadataOf(object: object): unknown {
    const { metadata }: { metadata: { labels: unknown; annotations: unknown } } = JSON.parse(JSON.stringify(object))
    return { labels: metadata.labels, annotations: metadata.annotations }
  }

  function nested(): object {
    const spec = JSON.parse(`${'{"a":['.repeat(100)}${']}'.repeat(100)}`)
    return { apiVersion: 'shop.example.com/v1', kind: 'Cart', metadata: { name: 'nested' }, spec }
  }

  async function recordsOf(of: string): Promise<ReadonlyMap<string, RecordLine>> {
    const resources = ['clusterroles.rbac.authorization.k8s.io', 'configmaps', 'carts.shop.example.com']
    const all = await Promise.all(resources.map((resource) => story.read(resource, { prefix: of })))
    return new Map(
      all
        .flat()
        .filter(isRecord)
        .map((line) => [line.key, line]),
    )
  }
})

test('an object that outgrows the topic is withheld alone, and a former self is left out before what exists now', async () => {
  const { plane, kafka } = story
  const namespace = 'limit'
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const large = (name: string, kilobytes: number): object => configMap(name, { text: 'x'.repeat(kilobytes * 1024) })
  await plane.kubectl(['create', 'namespace', namespace])
  await createTopic(kafka.brokers, {
    topic: `${namespace}.test.configmaps`,
    configEntries: Object.entries({
      'cleanup.policy': 'compact',
      'delete.retention.ms': '604800000',
      'max.message.bytes': '100000',
    }).map(([name, value]) => ({ name, value })),
  })
  await story.create(path, [large('reborn', 60), large('huge', 10), configMap('small')])
  const args = ['-r', 'configmaps', '-n', namespace, '--prefix', namespace, '--compression', 'none']
  await using first = await story.bridge(args)
  await first.stop()
  await plane.request(`${path}/reborn`, { method: 'DELETE' })
  await story.create(path, [large('reborn', 60)])
  await using second = await story.bridge(args)
  for (const object of [large('huge', 200), configMap('small', { step: '1' })]) {
    const { metadata } = Object(object)
    const { status } = await plane.request(`${path}/${metadata.name}`, { method: 'PUT', body: object })
    assert.equal(status, 200)
  }
  await using topic = story.follow('configmaps', { prefix: namespace })
  await topic.untilEqual(await clusterState(plane, 'configmaps', ['-n', namespace]))
  assert.equal(await second.metric('kubedelta_objects_withheld_total', { reason: 'too-large' }), 2)
  const lines = topic.lines.filter(isRecord)
  assert.deepEqual(
    lines.filter(({ object }) => object === null).map((line) => shortOf(line).replace(/@.*/, '')),
    [`DELETED RECOVERY ${namespace}/reborn`, `UPDATED WATCH ${namespace}/huge`],
  )
  assert.notEqual(lines.findLast(({ key }) => key === `${namespace}/reborn`)?.object, null)
  assertLives(topic.lines)
  await second.stop()
  assert.match(
    second.output(),
    /"message":"object withheld: it is larger than the topic takes[^\n]*"key":"limit\/huge"|"key":"limit\/huge"[^\n]*object withheld/,
  )
})

test('an object that a broken proxy makes other than UTF-8 is withheld, never published as it came, until it is whole', async () => {
  const { plane } = story
  const namespace = 'proxied'
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  await plane.kubectl(['create', 'namespace', namespace])
  await story.create(path, [configMap('listed', { text: 'a^b' }), configMap('whole')])
  await using proxy = await startByteProxy(plane, { from: '^', to: 0xff })
  const args = ['-r', 'configmaps', '-n', namespace, '--prefix', namespace]
  await using bridge = await story.bridge(args, { kubeconfig: proxy.kubeconfig })
  await story.create(path, [configMap('watched', { text: 'a^b' }), configMap('after')])
  await using topic = story.follow('configmaps', { prefix: namespace })
  await topic.untilEqual(await clusterState(plane, 'configmaps', ['-n', namespace]))
  const withheld = (): readonly string[] =>
    topic.lines
      .filter(isRecord)
      .filter(({ object }) => object === null)
      .map(({ name }) => name)
  assert.deepEqual(withheld(), ['listed', 'watched'])
  assert.equal(await bridge.metric('kubedelta_objects_withheld_total', { reason: 'not-utf8' }), 2)
  proxy.mend()
  for (const name of ['listed', 'watched']) {
    await plane.kubectl(['label', 'configmap', '-n', namespace, name, 'step=mended'])
  }
  await topic.until(
    (lines) =>
      lines.filter(isRecord).filter((line) => line.object?.['data'] !== undefined && /a\^b/.test(line.text)).length ===
      2,
    'both objects whole',
  )
  await bridge.stop()
})

describe('records of another producer', () => {
  const namespace = 'foreign'
  const topic = `${namespace}.test.configmaps`
  const args = ['-r', 'configmaps', '-n', namespace, '--prefix', namespace]
  let running: readonly TopicLine[] = []
  let started: readonly TopicLine[] = []
  let found = 0

  before(async () => {
    const { plane, kafka } = story
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    await plane.kubectl(['create', 'namespace', namespace])
    await story.create(
      path,
      ['known', 'deleted', 'other'].map((name) => configMap(name)),
    )
    await using bridge = await story.bridge(args)
    await intrude(kafka.brokers)
    await story.create(path, [configMap('new')])
    running = await untilRepaired(bridge)
    found = await bridge.metric('kubedelta_foreign_records_total')
    await bridge.stop()
    await intrude(kafka.brokers)
    await using next = await story.bridge(args)
    await next.stop()
    started = await readable()
  })

  test('are written over, deleted and brought back while the bridge runs', async () => {
    assertSameState(running, await clusterState(story.plane, 'configmaps', ['-n', namespace]))
    assert.equal(found, 3)
    assert.match(lifeOf(running, `${namespace}/known`).at(-1) ?? '', /^UPDATED RELIST/)
    assert.match(lifeOf(running, `${namespace}/deleted`).at(-1) ?? '', /^ADDED RELIST/)
    assert.equal(lifeOf(running, `${namespace}/nobody`).at(-1), 'tombstone')
  })

  test('are written over, deleted and brought back by the next start', async () => {
    assertSameState(started, await clusterState(story.plane, 'configmaps', ['-n', namespace]))
    const since = started.slice(running.length)
    assert.deepEqual(
      since
        .filter(isRecord)
        .map(({ op, cause, name }) => `${op} ${cause} ${name}`)
        .toSorted(),
      ['ADDED RECOVERY deleted', 'DELETED RECOVERY nobody', 'UPDATED RECOVERY known'],
    )
  })

  async function intrude(brokers: string): Promise<void> {
    const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    const keys = { known: 'not ours', nobody: '{"not":"ours"}', deleted: null }
    const messages = Object.entries(keys).map(([name, value]) => ({ key: `${namespace}/${name}`, value }))
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  async function untilRepaired(bridge: BridgeProcess): Promise<readonly TopicLine[]> {
    const state = await clusterState(story.plane, 'configmaps', ['-n', namespace])
    for (;;) {
      const lines = await readable()
      const last = lines.findLast(({ key }) => key === `${namespace}/deleted`)
      const isDone = lifeOf(lines, `${namespace}/nobody`).at(-1) === 'tombstone' && last?.tombstone === false
      if (isDone && state.size > 0) return lines
      assert.equal((await bridge.get('/livez')).status, 200)
    }
  }

  /** What stands on the topic without what others put there, which tail tells on stderr. */
  async function readable(): Promise<readonly TopicLine[]> {
    const from = ['--from', `kafka://${story.kafka.brokers}`, '--cluster', CLUSTER, '--prefix', namespace]
    const { stdout } = await kubedelta(['tail', 'configmaps', ...from, '-o', 'json', '--from-beginning', '--until-end'])
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((text) => ({ ...JSON.parse(text), text }))
  }
})
