// The writer of a directory is killed again and again: the next one finds everything that was acknowledged, and no lock.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { hasCode } from '../../src/base/errors.ts'
import { openEmbeddedLog } from '../../src/embedded/embedded-log.ts'
import type { StoredRecord } from '../../src/topic/port.ts'
import { openWriter, readAll, storySignal } from '../conformance/log-content.ts'
import { makeTopic, TOPIC } from '../support/embedded-topic.ts'
import { atProcessEnd, temporaryFolder } from '../support/leftovers.ts'

const folder = temporaryFolder('embedded-crash')

after(() => folder[Symbol.dispose]())

test('ten killed writers leave every acknowledged record once, in order, and the lock free', async (t) => {
  const directory = join(folder.path, 'killed')
  // Small segments: the kill meets compaction as often as an append.
  makeTopic(directory, { config: { 'segment.bytes': '200000', 'min.cleanable.dirty.ratio': '0.1' } })
  await using log = await openEmbeddedLog({ directory })
  let acknowledged = -1
  let first = 0
  for (let round = 0; round < 10; round++) {
    const before = acknowledged
    const wanted = 200 + Math.floor(Math.random() * 2_000)
    const appender = startAppender(directory, first)
    acknowledged = await appender.killAfter(wanted)
    assert.ok(acknowledged >= before + wanted, `wanted ${wanted} records after ${before}: ${acknowledged}`)
    first = assertNumbers(await readAll(log, TOPIC), acknowledged)
  }
  t.diagnostic(`${first} records over 10 kills`)
  await using writer = await openWriter(log, TOPIC)
  await writer.append(0, { records: [{ key: Buffer.from('last'), value: null, headers: [], timestampMs: 0 }] })
})

test('a writer that stands still keeps the topic, and a dead one does not', async () => {
  const directory = join(folder.path, 'stopped')
  makeTopic(directory)
  await using log = await openEmbeddedLog({ directory })
  const appender = startAppender(directory, 0)
  await appender.acknowledged(1)
  appender.child.kill('SIGSTOP')
  await assert.rejects(
    async () => openWriter(log, TOPIC),
    (error) => hasCode(error, 'fenced') && error.message.includes(`process ${appender.child.pid} on `),
  )
  await appender.kill()
  await using writer = await openWriter(log, TOPIC)
  assert.equal(writer.partitions, 1)
})

test('records of another process are followed live', async (t) => {
  const directory = join(folder.path, 'followed')
  makeTopic(directory)
  await using log = await openEmbeddedLog({ directory })
  const signal = storySignal()
  await using reader = await log.openReader({ signal })
  const appender = startAppender(directory, 0)
  const seen: number[] = []
  for await (const { records } of reader.read({ topic: TOPIC, from: new Map([[0, 0]]), signal })) {
    seen.push(...records.map(({ timestampMs }) => timestampMs))
    if (seen.length > 3_000) break
  }
  await appender.kill()
  assert.deepEqual(seen, [...seen.keys()])
  t.diagnostic(`${seen.length} records followed`)
})

/** Offsets are numbers of records as long as one process appends in order. Returns the number of the next one. */
function assertNumbers(stored: readonly StoredRecord[], acknowledged: number): number {
  const numbers = stored.map(({ offset, value }) => {
    const { number }: { readonly number: number } = JSON.parse(String(value))
    assert.equal(number, offset)
    return number
  })
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].toSorted((a, b) => a - b),
  )
  const last = numbers.at(-1) ?? -1
  assert.ok(last >= acknowledged, `record ${acknowledged} was acknowledged: the log ends with ${last}`)
  // What compaction took has a later record of its key; the last 50 numbers are the 50 keys.
  assert.deepEqual(
    numbers.slice(-50),
    Array.from({ length: 50 }, (_, index) => last - 49 + index),
  )
  return last + 1
}

interface Appender {
  readonly child: ChildProcess
  /** Resolves when it has said so many numbers. */
  acknowledged(count: number): Promise<void>
  kill(): Promise<void>
  /** Kills it after so many, at no moment in particular. @returns the highest number up to which all were acknowledged */
  killAfter(count: number): Promise<number>
}

function startAppender(directory: string, first: number): Appender {
  const script = join(import.meta.dirname, '../support/embedded-appender.ts')
  const child = spawn(process.execPath, [script, directory, TOPIC, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const forget = atProcessEnd(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const numbers = new Set<number>()
  let waiting: { readonly count: number; readonly resolve: () => void } | undefined
  assert.ok(child.stdout !== null)
  const lines = createInterface({ input: child.stdout })
  const closed = once(lines, 'close')
  lines.on('line', (line) => {
    if (line === 'open') return
    numbers.add(Number(line))
    if (waiting !== undefined && numbers.size >= waiting.count) waiting.resolve()
  })

  async function kill(): Promise<void> {
    child.kill('SIGKILL')
    await exited
    forget()
    await closed
  }
  function acknowledged(count: number): Promise<void> {
    const told = new Promise<void>((resolve) => {
      waiting = { count, resolve }
    })
    const early = exited.then(() => assert.fail('the appender has ended by itself'))
    return numbers.size >= count ? Promise.resolve() : Promise.race([told, early])
  }
  return {
    child,
    acknowledged,
    kill,
    async killAfter(count) {
      await acknowledged(count)
      await kill()
      let highest = first - 1
      while (numbers.has(highest + 1)) highest++
      return highest
    },
  }
}
