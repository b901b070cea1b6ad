// needs: kafka
// Lost acknowledgements, cut connections and refused batches leave nothing out, nothing twice and nothing out of order.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { openKafkaLog, type KafkaLogOptions } from '../../src/kafka/kafka-log.ts'
import type { Appended, RecordGroup, TopicLog, TopicWriter } from '../../src/topic/port.ts'
import {
  appendEach,
  assertLog,
  freshTopic,
  numbered,
  openWriter,
  readValues,
  record,
  storySignal,
} from '../conformance/log-content.ts'
import { startKafka, type KafkaCluster } from '../support/kafka.ts'
import { startKafkaProxy, type KafkaProxy } from '../support/kafka-proxy.ts'
import { ready } from '../support/ready.ts'
import { deleteTopic, setTopicConfig } from '../conformance/kafka-operator.ts'

let kafka: KafkaCluster
let proxy: KafkaProxy
/** Goes past the proxy, to prepare and to inspect. */
let straight: TopicLog

before(async () => {
  kafka = await startKafka({ proxied: true })
  proxy = await startKafkaProxy({ upstream: kafka })
  straight = await openKafkaLog({ brokers: kafka.brokers.split(','), signal: storySignal() })
})

after(async () => {
  await straight[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
  await kafka[Symbol.asyncDispose]()
})

/** A log through the proxy that gives a lost answer up soon. */
async function proxied(options: Partial<KafkaLogOptions> = {}): Promise<TopicLog> {
  const brokers = kafka.proxiedBrokers.split(',')
  return openKafkaLog({ brokers, signal: storySignal(), requestTimeoutMs: 2_000, ...options })
}

/** Appends each group as a batch of its own: the next is appended when the former's request has come by. */
async function appendApart(writer: TopicWriter, groups: readonly RecordGroup[]): Promise<readonly Promise<Appended>[]> {
  const appended: Promise<Appended>[] = []
  for (const group of groups) {
    const passed = proxy.nextRequest('Produce')
    appended.push(writer.append(0, group))
    await passed
  }
  return appended
}

function groupsOf(values: readonly string[]): readonly RecordGroup[] {
  return values.map((value) => ({ records: [record(`key-${value}`, value)] }))
}

for (const partitions of [1, 6]) {
  describe(`a writer through a bad network, ${partitions} partitions`, () => {
    test('a lost acknowledgement among five batches in flight', async () => {
      await using log = await proxied()
      const topic = await freshTopic(straight, { partitions })
      await using writer = await openWriter(log, topic)
      const values = numbered('value', 8)
      const first = await appendEach(writer, values.slice(0, 1))
      const lost = proxy.swallow({ api: 'Produce', skip: 1 })
      const rest = await appendApart(writer, groupsOf(values.slice(1, 6)))
      const late = appendEach(writer, values.slice(6))
      const appended = [...first, ...(await Promise.all(rest)), ...(await late)]
      assert.equal(lost.struck, 1)
      await assertLog(straight, topic, values, appended)
    })

    for (const [name, strike] of [
      ['before the broker sees the request', (): unknown => proxy.cutBeforeRequest({ api: 'Produce', skip: 2 })],
      ['after the broker has taken it', (): unknown => proxy.cutAfterRequest({ api: 'Produce', skip: 2 })],
    ] as const) {
      test(`a connection cut ${name}`, async () => {
        await using log = await proxied()
        const topic = await freshTopic(straight, { partitions })
        await using writer = await openWriter(log, topic)
        const values = numbered('value', 3_000)
        const first = await appendEach(writer, values.slice(0, 1))
        strike()
        const appended = [...first, ...(await appendEach(writer, values.slice(1)))]
        await assertLog(straight, topic, values, appended)
      })
    }

    test('connections cut again and again under load', async () => {
      await using log = await proxied()
      const topic = await freshTopic(straight, { partitions })
      await using writer = await openWriter(log, topic)
      const values = numbered('value', 20_000)
      const appended: Promise<Appended>[] = []
      for (const [index, value] of values.entries()) {
        appended.push(writer.append(0, { records: [record(value, value)] }))
        if (index % 500 === 0) await proxy.nextRequest('Produce')
        if (index % 2_000 === 1_000) {
          // Some progress between two cuts: the back-off would grow to seconds otherwise.
          await appended[index - 900]
          proxy.cut()
        }
      }
      await assertLog(straight, topic, values, await Promise.all(appended))
    })

    test('a broker that is silent and then speaks again', async () => {
      await using log = await proxied()
      const topic = await freshTopic(straight, { partitions })
      await using writer = await openWriter(log, topic)
      const values = numbered('value', 200)
      const first = await appendEach(writer, values.slice(0, 1))
      proxy.hold()
      const rest = appendEach(writer, values.slice(1))
      // The request is given up after 2 s, the connection with it, and a new one is as silent.
      const connections = proxy.counters.connections
      await ready(async () => assert.notEqual(proxy.counters.connections, connections), { what: 'a new connection' })
      proxy.release()
      await assertLog(straight, topic, values, [...first, ...(await rest)])
    })

    for (const [name, lose] of [
      ['', (): unknown => undefined],
      [' after a lost acknowledgement', (): unknown => proxy.swallow({ api: 'Produce' })],
    ] as const) {
      test(`a batch refused as the second of five${name}`, async () => {
        await using log = await proxied()
        const topic = await freshTopic(straight, { partitions, config: { 'max.message.bytes': '200000' } })
        await using writer = await openWriter(log, topic)
        await appendEach(writer, ['warm'])
        await setTopicConfig(kafka, topic, { 'max.message.bytes': '20000' })
        const large = 'x'.repeat(50_000)
        let asked = 0
        const second: RecordGroup = {
          records: [record('b', large), record('b', null)],
          whenTooLarge: () => ((asked += 1), [record('b', 'smaller')]),
        }
        lose()
        proxy.hold('responses')
        const groups = [...groupsOf(['one']), second, ...groupsOf(['three', 'four', 'five'])]
        const appended = await appendApart(writer, groups)
        proxy.release()
        const values = ['warm', 'one', 'smaller', 'three', 'four', 'five']
        await assertLog(straight, topic, values, [{ partition: 0, baseOffset: 0 }, ...(await Promise.all(appended))])
        assert.equal(asked, 1)
        await appendEach(writer, ['six'])
        await assertLog(straight, topic, [...values, 'six'])
      })
    }

    test('a batch refused as the second of five rejects only groups that nothing replaces', async () => {
      await using log = await proxied()
      const topic = await freshTopic(straight, { partitions, config: { 'max.message.bytes': '200000' } })
      await using writer = await openWriter(log, topic)
      await appendEach(writer, ['warm'])
      await setTopicConfig(kafka, topic, { 'max.message.bytes': '20000' })
      proxy.hold('responses')
      const large = { records: [record('b', 'x'.repeat(50_000))] }
      const appended = await appendApart(writer, [...groupsOf(['one']), large, ...groupsOf(['three', 'four', 'five'])])
      proxy.release()
      const results = await Promise.allSettled(appended)
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
      )
      assert.ok(results.every((each) => each.status === 'fulfilled' || hasCode(each.reason, 'too-large')))
      await assertLog(straight, topic, ['warm', 'one', 'three', 'four', 'five'])
    })

    test('a first batch of a new writer that is refused does not let the second overtake it', async () => {
      await using log = await proxied()
      const topic = await freshTopic(straight, { partitions, config: { 'max.message.bytes': '200000' } })
      await using writer = await openWriter(log, topic)
      await setTopicConfig(kafka, topic, { 'max.message.bytes': '20000' })
      const first = writer.append(0, {
        records: [record('k', 'x'.repeat(50_000))],
        whenTooLarge: () => [record('k', 'smaller')],
      })
      await proxy.nextRequest('Produce')
      await Promise.all([first, appendEach(writer, ['newer'])])
      await assertLog(straight, topic, ['smaller', 'newer'])
    })

    test('sequence numbers go on with 0 after 2^31 - 1', async () => {
      await using log = await proxied({ firstSequence: 2 ** 31 - 3 })
      const topic = await freshTopic(straight, { partitions })
      await using writer = await openWriter(log, topic)
      const values = numbered('value', 12)
      const groups = [values.slice(0, 2), values.slice(2, 5), values.slice(5, 6), values.slice(6, 12)].map((some) => {
        return { records: some.map((value) => record(value, value)) }
      })
      const [warm, ...rest] = groups
      if (warm !== undefined) await writer.append(0, warm)
      proxy.swallow({ api: 'Produce' })
      await Promise.all(await appendApart(writer, rest))
      await assertLog(straight, topic, values)
    })

    test('a topic that is deleted fails the writer once it stays away', async () => {
      await using log = await proxied({ missingTopicGraceMs: 1_000 })
      const topic = await freshTopic(straight, { partitions })
      await using writer = await openWriter(log, topic)
      await appendEach(writer, ['value'])
      await deleteTopic(kafka, topic)
      // Brokers still take some for a moment.
      const untilRefused = async (): Promise<void> => {
        for (;;) await appendEach(writer, ['late'])
      }
      await assert.rejects(untilRefused, (error) => hasCode(error, 'topic-missing'))
      await assert.rejects(appendEach(writer, ['later']), (error) => hasCode(error, 'topic-missing'))
    })

    test('a reader goes on where it was when its connections are cut', async () => {
      await using log = await proxied()
      const topic = await freshTopic(straight, { partitions })
      await using writer = await openWriter(straight, topic)
      await using reader = await log.openReader({ signal: storySignal() })
      const stop = new AbortController()
      const seen: string[] = []
      const values = numbered('value', 40)
      await appendEach(writer, values.slice(0, 1))
      const signal = AbortSignal.any([stop.signal, storySignal()])
      for await (const { records } of reader.read({ topic, from: new Map([[0, 0]]), signal })) {
        seen.push(...records.map(({ value }) => String(value)))
        if (seen.length === values.length) stop.abort()
        if (seen.length % 10 === 5) proxy.cut()
        await appendEach(writer, values.slice(seen.length, seen.length + 1))
      }
      assert.deepEqual(seen, values)
      assert.deepEqual(await readValues(straight, topic), values)
    })
  })
}
