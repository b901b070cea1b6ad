// A snapshot survives the end of its writer at any moment, and a cache a disk that is full in the middle of one.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createMetrics } from '../../src/base/metrics.ts'
import { SnapshotPlace } from '../../src/snapshot/snapshot-place.ts'
import { recordingLogger } from '../conformance/recording-logger.ts'
import { dice } from '../support/dice.ts'
import { atProcessEnd, temporaryFolder } from '../support/leftovers.ts'
import { progress, record, TopicHarness } from '../unit/consumer/support.ts'

const KILLS = 10

test('whenever its writer is killed, the snapshot that stands is the one before or the new one, whole', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const chance = dice(seed, 'kills')
  using folder = temporaryFolder('snapshot')
  let last = 0
  for (let kill = 0; kill < KILLS; kill++) {
    // A snapshot is 30 words long: the kill falls into any part of the second or third.
    const written = await writeUntil(folder.path, { first: last + 1, words: 31 + chance.below(60) })
    const stands = await numberThatStands(folder.path)
    assert.ok(stands === written || stands === written + 1, `${written} was written, ${stands} stands`)
    last = stands
  }
})

/** Lets a process write until it has said so many words, and kills it. Resolves to the number of the last snapshot that it called written. */
async function writeUntil(
  directory: string,
  { first, words }: { readonly first: number; readonly words: number },
): Promise<number> {
  const script = join(import.meta.dirname, '../support/snapshot-writer.ts')
  const child = spawn(process.execPath, [script, directory, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const forget = atProcessEnd(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let said = 0
  let written = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [word, number] = line.split(' ')
    if (word === 'written') written = Number(number)
    said += 1
    if (said === words) child.kill('SIGKILL')
  }
  const [, signal] = await exited
  forget()
  assert.equal(signal, 'SIGKILL')
  return written
}

/** @throws KubedeltaError `corrupt` where it is not whole */
async function numberThatStands(directory: string): Promise<number> {
  await using file = await new SnapshotPlace({ directory, name: 'pods' }).open()
  const versions = new Set<string>()
  let rows = 0
  for await (const block of file?.blocks() ?? []) {
    rows += block.length
    for (const { resourceVersion, bytes } of block) {
      versions.add(resourceVersion)
      assert.equal(bytes[0], Number(resourceVersion) % 256)
    }
  }
  assert.equal(rows, 3_000)
  assert.equal(versions.size, 1)
  return Number([...versions][0])
}

test('a disk that is full in the middle of a snapshot: told and counted, the one before stays, the cache goes on', async () => {
  using folder = temporaryFolder('snapshot')
  const topic = await new TopicHarness().create()
  topic.write(record('a', 1))
  topic.control(progress(1))
  const metrics = createMetrics()
  const log = recordingLogger()
  const running = topic.start({ snapshot: { directory: folder.path, intervalMs: 10_000 }, metrics, log })
  const written = async (result: string, count: number): Promise<void> => {
    const line = new RegExp(`snapshot_writes_total\\{resource="pods",result="${result}"\\} ${count}`)
    const text = { now: '' }
    await running.until(() => {
      void metrics.text().then((now) => (text.now = now))
      return line.test(text.now)
    }, `${result} ${count}`)
  }
  await running.whenLive()
  await topic.clock.advance(10_000)
  await written('written', 1)
  const [name = ''] = readdirSync(folder.path)
  const before = readFileSync(join(folder.path, name))

  topic.write(
    ...Array.from({ length: 100 }, (_, index) => record(`p${index}`, 10 + index, { text: 'x'.repeat(10_000) })),
  )
  await running.until(() => running.held().length === 101, 'the adds')
  const full = await limitFiles(100_000)
  try {
    await topic.clock.advance(10_000)
    await written('failed', 1)
  } finally {
    await full[Symbol.asyncDispose]()
  }
  assert.ok(
    log.lines.some(({ level, message }) => level === 'error' && message.startsWith('snapshot cannot be written')),
  )
  assert.deepEqual(readdirSync(folder.path), [name], 'no draft is left')
  assert.deepEqual(readFileSync(join(folder.path, name)), before)

  topic.write(record('a', 200, { op: 'UPDATED' }))
  await running.until(() => running.held().includes('a@200'), 'the update')
  await topic.clock.advance(10_000)
  await written('written', 2)
  await running.stop()
  const again = topic.start({ snapshot: { directory: folder.path } })
  await again.whenLive()
  assert.deepEqual(again.held(), running.held())
  await again.stop()
})

test('a directory that is cleared away under a cache is made again, and its snapshot with it', async () => {
  using folder = temporaryFolder('snapshot')
  const directory = join(folder.path, 'deep', 'snapshots')
  const topic = await new TopicHarness().create()
  topic.write(record('a', 1))
  topic.control(progress(1))
  const running = topic.start({ snapshot: { directory } })
  await running.whenLive()
  rmSync(join(folder.path, 'deep'), { recursive: true })
  await running.stop()
  assert.equal(readdirSync(directory).length, 1)
})

test('what a killed process left half written goes in time, and nothing that another one writes now', async () => {
  using folder = temporaryFolder('snapshot')
  const hourAgoMs = Date.now() - 3_600_000
  for (const [name, atMs] of [
    ['.pods.left.draft', hourAgoMs - 60_000],
    ['.pods.written.draft', hourAgoMs + 60_000],
    ['pods.snapshot', hourAgoMs - 60_000],
  ] as const) {
    writeFileSync(join(folder.path, name), '')
    utimesSync(join(folder.path, name), atMs / 1_000, atMs / 1_000)
  }
  await new SnapshotPlace({ directory: folder.path, name: 'nodes' }).prepare()
  assert.deepEqual(readdirSync(folder.path).toSorted(), ['.pods.written.draft', 'pods.snapshot'])
})

test('a topic of the longest name has a snapshot like any other', async () => {
  using folder = temporaryFolder('snapshot')
  const named = (last: string): SnapshotPlace =>
    new SnapshotPlace({ directory: folder.path, name: `${'t'.repeat(248)}${last}-0123456789abcdef` })
  for (const last of ['a', 'b']) {
    await named(last).prepare()
    await named(last).write({ last }, [], new AbortController().signal)
  }
  for (const last of ['a', 'b']) {
    await using file = await named(last).open()
    assert.deepEqual(file?.header, { last })
  }
  await named('a').setAside('corrupt')
  assert.equal(await named('a').open(), undefined)
})

/** Lets no file of this process grow beyond so many bytes, as a full disk would, until it is disposed of. */
async function limitFiles(bytes: number): Promise<AsyncDisposable> {
  const prlimit = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)('prlimit', ['--pid', String(process.pid), ...args])).stdout.trim()
  const before = await prlimit('--fsize', '--output', 'SOFT', '--noheadings', '--raw')
  const ignore = (): void => {}
  // The kernel says so by a signal as well, which would end the process.
  process.on('SIGXFSZ', ignore)
  await prlimit(`--fsize=${bytes}:`)
  return {
    async [Symbol.asyncDispose]() {
      await prlimit(`--fsize=${before}:`)
      process.off('SIGXFSZ', ignore)
    },
  }
}
