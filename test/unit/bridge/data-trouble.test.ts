import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { KubedeltaError } from '../../../src/base/errors.ts'
import { ForeignRecords } from '../../../src/bridge/foreign-records.ts'
import { TopicIndex } from '../../../src/bridge/topic-index.ts'
import { toControlRecord } from '../../../src/bridge/wire.ts'
import { describeSchema, recordSchema } from '../../../src/codec/avro.ts'
import { encodeRecord } from '../../../src/codec/codec.ts'
import type { RawObject } from '../../../src/object/raw-object.ts'
import type { Resource } from '../../../src/object/resource.ts'
import type { Progress } from '../../../src/record/control.ts'
import type { KubeRecord } from '../../../src/record/record.ts'
import { scopeText } from '../../../src/record/scope.ts'
import { PODS } from '../../../src/testing/fake-objects.ts'
import { FakeSource } from '../../../src/testing/fake-source.ts'
import { MemoryTopicLog } from '../../../src/testing/memory-topic.ts'
import { partitionOf } from '../../../src/topic/partition.ts'
import { recordingLogger } from '../../conformance/recording-logger.ts'
import { BridgeHarness, shortOf, TOPIC, type Line } from '../../support/bridge-harness.ts'
import { sampleRecord } from '../record/samples.ts'

const { signal } = new AbortController()

const SECRETS: Resource = {
  group: '',
  version: 'v1',
  resource: 'secrets',
  kind: 'Secret',
  namespaced: true,
  singular: 'secret',
  shortNames: [],
  verbs: ['get', 'list', 'watch'],
}

/** The object of each record of a key, '' where it is withheld, the op before it. */
function objectsOf(lines: readonly Line[], key: string): readonly string[] {
  return lines
    .filter((line) => line.key === key)
    .map((line) => (line.kind === 'tombstone' ? 'tombstone' : `${line.record.op} ${String(line.record.object ?? '')}`))
}

describe('an object over the limit of the topic', () => {
  test('leaves out the last state of its former self first, and stands in full where it fits alone', async () => {
    const t = new BridgeHarness()
    t.log.maxGroupBytes = 2_500
    const body = { data: 'x'.repeat(900) }
    t.source.add({ name: 'a', body })
    const running = t.start()
    await t.untilEqual(running)
    t.source.delete({ name: 'a' }, { dropWatch: true })
    const { bytes } = t.source.add({ name: 'a', body })
    await t.until(() => t.equals(), 'topic equals source')
    assert.deepEqual(objectsOf(t.lines(), 'default/a').slice(1), ['DELETED ', 'tombstone', `ADDED ${String(bytes)}`])
    assert.match(await running.metrics(), /kubedelta_objects_withheld_total\{resource="pods",reason="too-large"\} 1\n/)
    await running.stop()
  })

  test('is left out as well where it does not fit alone, and its next version that fits is published', async () => {
    const t = new BridgeHarness()
    t.log.maxGroupBytes = 2_500
    t.source.add({ name: 'a' })
    const running = t.start()
    await t.untilEqual(running)
    t.source.delete({ name: 'a' }, { dropWatch: true })
    t.source.add({ name: 'a', body: { data: 'x'.repeat(3_000) } })
    t.source.add({ name: 'b' })
    await t.until(() => t.equals(), 'its lane goes on')
    assert.deepEqual(objectsOf(t.lines(), 'default/a').slice(1), ['DELETED ', 'tombstone', 'ADDED '])
    assert.match(await running.metrics(), /kubedelta_objects_withheld_total\{resource="pods",reason="too-large"\} 2\n/)
    const { bytes } = t.source.modify({ name: 'a' })
    await t.until(() => t.equals(), 'topic equals source')
    assert.equal(objectsOf(t.lines(), 'default/a').at(-1), `UPDATED ${String(bytes)}`)
    await running.stop()
  })
})

describe('an object whose bytes are broken', () => {
  const broken = (object: RawObject): RawObject => ({ ...object, bytes: Buffer.alloc(0), unreadable: 'not-utf8' })

  test('is withheld, counted, and written whole by the next list that shows it so', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const running = t.start({}, {})
    await t.untilEqual(running)
    const object = t.source.modify({ name: 'a' }, { dropWatch: true })
    t.source.emit({ kind: 'modified', object: broken(object) })
    t.source.add({ name: 'b' })
    await t.until(() => t.equals(), 'the watch goes on')
    assert.equal(objectsOf(t.lines(), 'default/a').at(-1), 'UPDATED ')
    assert.match(await running.metrics(), /kubedelta_objects_withheld_total\{resource="pods",reason="not-utf8"\} 1\n/)
    t.source.advanceTo(Number(t.source.resourceVersion) + 1)
    t.source.resetWatch()
    await untilRelisted(t, () => objectsOf(t.lines(), 'default/a').at(-1) === `UPDATED ${String(object.bytes)}`)
    await running.stop()
    assert.equal(t.lines().map(shortOf).at(-1), `UPDATED RELIST default/a@${object.resourceVersion}`)
  })

  test('is deleted like any other', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'a' })
    const running = t.start()
    await t.untilEqual(running)
    const object = t.source.delete({ name: 'a' }, { dropWatch: true })
    t.source.emit({ kind: 'deleted', object: broken(object) })
    await t.until(() => t.equals(), 'topic equals source')
    assert.deepEqual(objectsOf(t.lines(), 'default/a').slice(1), ['DELETED ', 'tombstone'])
    await running.stop()
  })
})

describe('records of another producer', () => {
  const garbage = { headers: [], timestampMs: 0, value: Buffer.from('not ours') }
  const foreign = ['default/known', 'default/unknown', 'no/key/of/ours']

  function inject(t: BridgeHarness): void {
    for (const key of foreign) t.log.inject(TOPIC, 0, { ...garbage, key: Buffer.from(key) })
    t.log.inject(TOPIC, 0, { ...garbage, key: Buffer.from('default/deleted'), value: null })
  }

  test('are written over, deleted or brought back by the next start', async () => {
    const t = new BridgeHarness()
    for (const name of ['known', 'deleted', 'other']) t.source.add({ name })
    const first = t.start()
    await t.untilEqual(first)
    await first.stop()
    inject(t)
    const before = t.log.records(TOPIC).length
    const second = t.start()
    await t.until(() => second.bridge.health().some(({ synced }) => synced), 'synced')
    await second.stop()
    assert.deepEqual(ownLines(t, before).map(shortOf).toSorted(), [
      'ADDED RECOVERY default/deleted@2',
      'DELETED RECOVERY default/unknown@ finalStateUnknown',
      'UPDATED RECOVERY default/known@1',
      'tombstone default/unknown',
    ])
  })

  test('are written over, deleted or brought back while the bridge runs, as soon as it appends behind them', async () => {
    const t = new BridgeHarness()
    for (const name of ['known', 'deleted', 'other']) t.source.add({ name })
    const running = t.start()
    await t.untilEqual(running)
    await t.until(() => t.controls().length === 2, 'the first progress record')
    inject(t)
    const before = t.log.records(TOPIC).length
    t.source.add({ name: 'new' })
    const isRepaired = (): boolean => ownLines(t, before).length === 5
    await untilRelisted(t, isRepaired)
    assert.deepEqual(ownLines(t, before).map(shortOf).toSorted(), [
      'ADDED RELIST default/deleted@2',
      'ADDED WATCH default/new@4',
      'DELETED RELIST default/unknown@ finalStateUnknown',
      'UPDATED RELIST default/known@1',
      'tombstone default/unknown',
    ])
    assert.match(await running.metrics(), /kubedelta_foreign_records_total\{resource="pods"\} 4\n/)
    await running.stop()
  })

  test('do not count where the bridge has written the key behind them', async () => {
    const t = new BridgeHarness()
    t.source.add({ name: 'known' })
    const running = t.start()
    await t.untilEqual(running)
    await t.until(() => t.controls().length === 2, 'the first progress record')
    t.log.inject(TOPIC, 0, { ...garbage, key: Buffer.from('default/known') })
    const before = t.log.records(TOPIC).length
    t.source.modify({ name: 'known' })
    await t.until(() => ownLines(t, before).length === 1, 'the update')
    await untilRelisted(t, () => t.source.requests.filter(({ kind }) => kind === 'watch').length > 1)
    assert.deepEqual(ownLines(t, before).map(shortOf), ['UPDATED WATCH default/known@2'])
    await running.stop()
  })

  /** What stands behind so many records, by the bridge. */
  function ownLines(t: BridgeHarness, before: number): readonly Line[] {
    const since = t.log.records(TOPIC).slice(before)
    const theirs = t.log.records(TOPIC).slice(0, before)
    return t.linesOf(since.filter((record) => !theirs.includes(record)))
  }
})

test('an offset that is given twice ends the run: acknowledged records are gone', async () => {
  const reader = await new MemoryTopicLog().openReader()
  const records = new ForeignRecords({
    topic: TOPIC,
    reader,
    index: new TopicIndex(),
    log: recordingLogger(),
    relist: () => {},
    onFound: () => {},
  })
  records.appended({ partition: 0, baseOffset: 7 }, 3)
  records.appended({ partition: 1, baseOffset: 0 }, 1)
  records.appended({ partition: 0, baseOffset: 8 }, 1)
  await assert.rejects(
    records.run(signal),
    (error) => error instanceof KubedeltaError && error.code === 'log-truncated',
  )
})

describe('another policy than the one the topic was written under', () => {
  test('rewrites each object once, tells how many, and lets no old text through in a delete', async () => {
    const t = new BridgeHarness()
    t.source = new FakeSource({ resource: SECRETS })
    const topic = 'kubedelta.test.secrets'
    const clear = { data: { password: 'Y2xlYXI=' } }
    const names = ['kept', 'gone', 'reborn']
    await t.log.admin.create({ topic, partitions: 1, replicationFactor: 1, config: new Map() }, signal)
    for (const name of names) injectRecord(t.log, topic, recordOf(SECRETS, t.source.add({ name, body: clear })))
    t.log.inject(topic, 0, toControlRecord(progressOf(SECRETS)))
    for (const name of ['gone', 'reborn']) t.source.delete({ name })
    t.source.add({ name: 'reborn', body: clear })
    const log = recordingLogger()
    const running = t.start({ log })
    await t.until(() => running.bridge.health().some(({ synced }) => synced), 'synced')
    await running.stop()
    const lines = t.lines(topic).slice(names.length)
    assert.deepEqual(lines.map(shortOf).toSorted(), [
      'ADDED RECOVERY default/reborn@6',
      'DELETED RECOVERY default/gone@2 finalStateUnknown',
      'DELETED RECOVERY default/reborn@3 finalStateUnknown',
      'UPDATED POLICY default/kept@1',
      'tombstone default/gone',
      'tombstone default/reborn',
    ])
    for (const line of lines) {
      if (line.kind === 'record')
        assert.match(String(line.record.object), /"data":\{"password":"KioqKioq"\}/, shortOf(line))
    }
    assert.deepEqual(
      log.lines
        .filter(({ message }) => message === 'objects rewritten under the new policy')
        .map(({ fields }) => fields?.['count']),
      [1],
    )
  })

  test('lets no old text through either where the rewrite came to its end in one partition only', async () => {
    const t = new BridgeHarness()
    t.source = new FakeSource({ resource: SECRETS })
    const topic = 'kubedelta.test.secrets'
    await t.log.admin.create({ topic, partitions: 2, replicationFactor: 1, config: new Map() }, signal)
    const clear = { data: { password: 'Y2xlYXI=' } }
    for (const name of ['a', 'b', 'c', 'd'])
      injectRecord(t.log, topic, recordOf(SECRETS, t.source.add({ name, body: clear })), 2)
    const former = { ...progressOf(SECRETS), partitions: 2 }
    for (const partition of [0, 1]) t.log.inject(topic, partition, toControlRecord(former))
    // What a run under the policy in force leaves that is killed before the other partition has its records.
    t.log.inject(topic, 1, toControlRecord({ ...former, epoch: 2, policy: 'mask-secrets/v1' }))
    for (const name of ['a', 'b']) t.source.delete({ name })
    const running = t.start()
    await t.until(() => running.bridge.health().some(({ synced }) => synced), 'synced')
    await running.stop()
    const lines = t.lines(topic).flatMap((line) => (line.kind === 'record' ? line.record : []))
    const own = lines.filter(({ epoch }) => epoch > 1)
    assert.equal(own.length, 4)
    for (const { object } of own) assert.match(String(object), /"data":\{"password":"KioqKioq"\}/)
  })
})

describe('records of another schema', () => {
  type Field = { readonly name: string }
  const schema: { readonly fields: readonly Field[] } = JSON.parse(recordSchema.text)
  const older = schema.fields.filter(({ name }) => name !== 'epoch')
  const newer = [...schema.fields, { name: 'labels', type: { type: 'map', values: 'string' }, default: {} }]

  for (const { claim, fields, change } of [
    { claim: 'a newer one', fields: newer, change: (body: Buffer) => Buffer.concat([body, Buffer.from([0])]) },
    { claim: 'an older one', fields: older, change: withoutEpoch },
  ]) {
    test(`${claim} is read by the next start, and nothing is written again`, async () => {
      const t = new BridgeHarness()
      const { fingerprint, canonical } = describeSchema(JSON.stringify({ ...schema, fields }))
      await t.log.admin.create({ topic: TOPIC, partitions: 1, replicationFactor: 1, config: new Map() }, signal)
      const object = t.source.add({ name: 'a' })
      const own = encodeRecord({ kind: 'avro' })(recordOf(t.source.resource, object))
      const head = Buffer.from([0xc3, 0x01, ...Buffer.from(fingerprint, 'hex').toReversed()])
      t.log.inject(TOPIC, 0, toControlRecord({ ...progressOf(PODS), schemas: { [fingerprint]: canonical } }))
      const key = Buffer.from('default/a')
      t.log.inject(TOPIC, 0, {
        key,
        value: Buffer.concat([head, change(own.subarray(10))]),
        headers: [],
        timestampMs: 0,
      })
      const before = t.log.records(TOPIC).length
      const running = t.start()
      await t.until(() => running.bridge.health().some(({ synced }) => synced), 'synced')
      await running.stop()
      assert.deepEqual(t.linesOf(t.log.records(TOPIC).slice(before)), [])
    })
  }

  /** Epoch 1 is one byte before the union's index and the length of the object. */
  function withoutEpoch(body: Buffer): Buffer {
    const at = body.indexOf('{"kind"') - 4
    assert.equal(body[at], 2)
    return Buffer.concat([body.subarray(0, at), body.subarray(at + 1)])
  }
})

function recordOf({ resource, kind }: Resource, object: RawObject): KubeRecord {
  const { namespace, name, uid, resourceVersion, bytes } = object
  const identity = { cluster: 'test', resource, kind, namespace, name, uid, resourceVersion }
  return sampleRecord({ ...identity, epoch: 1, object: bytes })
}

function injectRecord(log: MemoryTopicLog, topic: string, record: KubeRecord, partitions = 1): void {
  const key = Buffer.from(`${record.namespace}/${record.name}`)
  log.inject(topic, partitionOf(key, partitions), {
    key,
    value: encodeRecord({ kind: 'json' })(record),
    headers: [],
    timestampMs: 0,
  })
}

/** The end of an earlier run. */
function progressOf(resource: Resource): Progress {
  return {
    kind: 'progress',
    synced: true,
    resourceVersion: '1',
    clusterId: 'cluster-1',
    cluster: 'test',
    streamId: 'stream',
    epoch: 1,
    producerId: '',
    holder: 'before',
    asOf: 0,
    partitions: 1,
    scope: scopeText({ resource, namespaces: [], labelSelector: '', fieldSelector: '' }),
    policy: 'none',
    schemas: {},
  }
}

/** Lets time pass until the reflector has listed again and the claim holds. */
async function untilRelisted(t: BridgeHarness, claim: () => boolean): Promise<void> {
  for (let round = 0; round < 20 && !claim(); round++) {
    for (let count = 0; count < 20; count++) await turn()
    if (!claim()) await t.clock.advance(5_000)
  }
  await t.until(claim, 'a list')
}
