// A log in a directory keeps its disk bounded, names damage, and says clearly what it cannot use.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { hasCode, type ErrorCode, type KubedeltaError } from '../../src/base/errors.ts'
import { silentLogger } from '../../src/base/log.ts'
import { Compaction } from '../../src/embedded/compaction.ts'
import { openEmbeddedLog } from '../../src/embedded/embedded-log.ts'
import type { TopicFiles } from '../../src/embedded/topic-files.ts'
import { TopicStore } from '../../src/embedded/topic-store.ts'
import { TopicView } from '../../src/embedded/topic-view.ts'
import type { ReadBatch } from '../../src/topic/port.ts'
import {
  appendEach,
  numbered,
  openWriter,
  readAll,
  readValues,
  record,
  storySignal,
} from '../conformance/log-content.ts'
import { appendTo, makeTopic, recordsIn, TOPIC } from '../support/embedded-topic.ts'
import { temporaryFolder } from '../support/leftovers.ts'

const folder = temporaryFolder('embedded-log')
let folders = 0

after(() => folder[Symbol.dispose]())

test('only its owner can read what is in the directory', async () => {
  const directory = newFolder()
  await using log = await openEmbeddedLog({ directory })
  await log.admin.create({ topic: TOPIC, partitions: 1, replicationFactor: -1, config: new Map() }, storySignal())
  await using writer = await openWriter(log, TOPIC)
  await appendEach(writer, ['secret'])
  const topic = join(directory, TOPIC)
  for (const path of [directory, topic]) assert.equal(statSync(path).mode & 0o777, 0o700, path)
  const files = readdirSync(topic)
  assert.ok(files.includes('log.db-wal'))
  for (const name of files) assert.equal(statSync(join(topic, name)).mode & 0o777, 0o600, name)
})

test('nothing is made by looking', async () => {
  const directory = newFolder()
  await using log = await openEmbeddedLog({ directory })
  const signal = storySignal()
  assert.deepEqual(await log.admin.list(signal), [])
  assert.equal(await log.admin.describe(TOPIC, signal), undefined)
  await assert.rejects(
    async () => log.admin.offsets(TOPIC, 'latest', signal),
    failure('topic-missing', /does not exist/),
  )
  assert.ok(!existsSync(directory))
})

test('what is written again and again takes the disk of what is there, and what is deleted gives it back', (t) => {
  const files = makeTopic(newFolder(), {
    config: { 'segment.bytes': '1000000', 'delete.retention.ms': '1000', 'max.compaction.lag.ms': '5000' },
  })
  const store = TopicStore.open(files)
  const compaction = new Compaction(store)
  const keys = numbered('shop/cart', 500)
  const value = 'x'.repeat(6_400)
  for (let round = 0; round < 12; round++) {
    appendTo(
      store,
      keys.map((key) => ({ partition: 0, record: record(key, `${value}${round}`) })),
      0,
    )
    compact(compaction, 0)
  }
  store.database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const written = sizeOf(files)
  // 38 MB were appended, 3.2 MB are live.
  assert.ok(written < 16_000_000, `wanted less than 16 MB: ${written}`)

  appendTo(
    store,
    keys.map((key) => ({ partition: 0, record: record(key, null) })),
    0,
  )
  appendTo(store, [{ partition: 0, record: record('filler', 'y'.repeat(2_000_000)) }], 0)
  appendTo(store, [{ partition: 0, record: record('open', 'z') }], 0)
  // Tombstones are small: what they free is not worth a pass by its size, and gets one by its age.
  compact(compaction, 5_000)
  const tombstones = recordsIn(files).filter((each) => each.value === null)
  assert.equal(tombstones.length, keys.length)
  compact(compaction, 6_000)
  assert.deepEqual(
    recordsIn(files).map(({ key }) => key.toString()),
    ['filler', 'open'],
  )
  t.diagnostic(`${written} bytes of disk for 3.2 MB that stand, after 38 MB were appended`)
  store.close()
})

test('a file that was large shrinks when most of it is free', () => {
  const files = makeTopic(newFolder(), { config: { 'segment.bytes': '1000000' } })
  const store = TopicStore.open(files)
  const compaction = new Compaction(store)
  // Without compaction in between the file grows to all that was ever appended.
  const value = 'x'.repeat(100_000)
  for (let round = 0; round < 50; round++) {
    appendTo(
      store,
      Array.from({ length: 10 }, () => ({ partition: 0, record: record('one', value) })),
      0,
    )
  }
  store.database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  assert.ok(sizeOf(files) > 49_000_000)
  compact(compaction, 0)
  store.database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  assert.ok(sizeOf(files) < 21_000_000, `wanted less than 21 MB: ${sizeOf(files)}`)
  store.close()
})

test('a record that was damaged on disk is told and passed over', async () => {
  const directory = newFolder()
  const files = makeTopic(directory)
  await using log = await openEmbeddedLog({ directory })
  await using writer = await openWriter(log, TOPIC)
  await appendEach(writer, numbered('value', 20))
  await writer[Symbol.asyncDispose]()
  const intact = readFileSync(files.database)
  const at = intact.indexOf('value-13', intact.indexOf('key-value-13') + 'key-value-13'.length)
  overwrite(files.database, at, 'VALUE')
  // Types and sizes that nobody wrote, as a damaged page may show them.
  change(files.database, "UPDATE records_0 SET key = 'text' WHERE pos = 3")
  change(files.database, 'UPDATE records_0 SET timestamp = 9223372036854775807 WHERE pos = 7')
  change(files.database, "UPDATE records_0 SET crc = 1.5, value = 'text' WHERE pos = 19")
  const signal = storySignal()
  await using reader = await log.openReader({ signal })
  const batches: ReadBatch[] = []
  for await (const batch of reader.read({ topic: TOPIC, from: new Map([[0, 0]]), until: new Map([[0, 20]]), signal })) {
    batches.push(batch)
  }
  const broken = batches.flatMap((batch) => batch.broken ?? [])
  assert.deepEqual(
    broken.map(({ baseOffset, nextOffset }) => [baseOffset, nextOffset]),
    [3, 7, 13, 19].map((offset) => [offset, offset + 1]),
  )
  assert.deepEqual(
    batches.flatMap(({ records }) => records.map(({ value }) => String(value))),
    numbered('value', 20).filter((_, offset) => ![3, 7, 13, 19].includes(offset)),
  )
  assert.equal(batches.at(-1)?.nextOffset, 20)
  const { error } = broken[2] ?? {}
  assert.ok(hasCode(error, 'corrupt'), String(error))
  assert.deepEqual(
    { topic: error.fields['topic'], partition: error.fields['partition'], offset: error.fields['offset'] },
    { topic: TOPIC, partition: 0, offset: 13 },
  )
  assert.match(error.message, /does not match its checksum: .*: move that directory away and start the bridge/)
})

test('a damaged record gives way to the next one of its key, and takes the place of none', () => {
  const files = makeTopic(newFolder(), { config: { 'segment.bytes': '60', 'min.cleanable.dirty.ratio': '0' } })
  const store = TopicStore.open(files)
  const compaction = new Compaction(store)
  const append = (key: string, value: string): void =>
    void appendTo(store, [{ partition: 0, record: record(key, value.padEnd(60)) }], 0)
  for (const [key, value] of [
    ['a', 'good'],
    ['b', 'good'],
    ['c', 'good'],
    ['d', 'good'],
    ['a', 'its value is damaged'],
    ['x', 'its key turns into b'],
    ['c', 'its value is damaged, and written over'],
    ['c', 'good again'],
    ['x', 'its key is no bytes'],
    ['x', 'its value is gone'],
    ['open', 'the segment that is not compacted'],
  ] as const) {
    append(key, value)
  }
  change(
    files.database,
    `UPDATE records_0 SET value = x'00' WHERE pos IN (4, 6);
    UPDATE records_0 SET key = CAST('b' AS BLOB) WHERE pos = 5;
    UPDATE records_0 SET key = 'text' WHERE pos = 8;
    UPDATE records_0 SET value = NULL, key = CAST('d' AS BLOB) WHERE pos = 9`,
  )
  compact(compaction, 0)
  compact(compaction, WEEK_MS * 2)
  using view = new TopicView(files)
  const { records, broken = [] } = view.read({ partition: 0, from: 0, until: Infinity })
  assert.deepEqual(
    records.map(({ key, value }) => `${key.toString()} ${value?.toString().trim()}`),
    ['a good', 'b good', 'd good', 'c good again', 'open the segment that is not compacted'],
  )
  // Which keys they had nobody knows: they are told for as long as the topic stands.
  assert.deepEqual(
    broken.map(({ baseOffset }) => baseOffset),
    [4, 5, 8, 9],
  )
  store.close()
})

const WEEK_MS = 7 * 24 * 3_600_000

const damages: ReadonlyArray<
  readonly [what: string, damage: (files: TopicFiles) => void, code: ErrorCode, message: RegExp]
> = [
  [
    'a file that is no database',
    ({ database }) => writeFileSync(database, 'x'.repeat(9_000)),
    'corrupt',
    /damaged .*: move that directory away/,
  ],
  [
    'a database of something else',
    ({ database }) => foreign(database),
    'corrupt',
    /its log\.db is something else: move/,
  ],
  [
    'a format of the future',
    ({ database }) => change(database, 'PRAGMA user_version = 2'),
    'unsupported',
    /wanted format 1 or older in .*: current value is 2: use the kubedelta that wrote it, or a newer one/,
  ],
  [
    'a damaged page',
    ({ database }) => overwrite(database, 4_096 * 3, '\xff'.repeat(4_096)),
    'corrupt',
    /move that directory away/,
  ],
]

for (const [what, damage, code, message] of damages) {
  test(`${what} is refused with the way out`, async () => {
    const directory = newFolder()
    const files = makeTopic(directory)
    damage(files)
    await using log = await openEmbeddedLog({ directory })
    await assert.rejects(async () => openWriter(log, TOPIC), failure(code, message))
    await assert.rejects(async () => readAll(log, TOPIC), failure(code, message))
  })
}

const unusable: ReadonlyArray<
  readonly [what: string, path: (own: string) => string, code: ErrorCode, message: RegExp]
> = [
  ['a file', () => import.meta.filename, 'usage', /wanted a directory: it is a file/],
  ['a path below a file', () => join(import.meta.filename, 'log'), 'usage', /wanted the path of a directory/],
  // Refused to everybody, the administrator included.
  [
    'a directory that cannot be written',
    () => '/sys/kubedelta',
    'forbidden',
    /wanted a directory that this user may write to/,
  ],
]

for (const [what, path, code, message] of unusable) {
  test(`${what} is refused before anything is written`, async () => {
    const spec = { topic: TOPIC, partitions: 1, replicationFactor: -1, config: new Map() }
    const create = async (): Promise<unknown> => {
      await using log = await openEmbeddedLog({ directory: path(newFolder()) })
      return await log.admin.create(spec, storySignal())
    }
    await assert.rejects(create, failure(code, message))
  })
}

test('several copies and unknown settings are refused', async () => {
  await using log = await openEmbeddedLog({ directory: newFolder() })
  const spec = { topic: TOPIC, partitions: 1, replicationFactor: -1, config: new Map<string, string>() }
  const signal = storySignal()
  await assert.rejects(
    async () => log.admin.create({ ...spec, replicationFactor: 3 }, signal),
    failure('usage', /one copy/),
  )
  const config = new Map([['retention.ms', '1']])
  await assert.rejects(async () => log.admin.create({ ...spec, config }, signal), failure('rejected', /retention\.ms/))
  await assert.rejects(
    async () => log.admin.create({ ...spec, topic: '../x' }, signal),
    failure('rejected', /wanted at most 249/),
  )
  assert.deepEqual(await log.admin.list(signal), [])
})

test('a crash in the making of a topic leaves no topic, and its remains are cleared away', async () => {
  const directory = newFolder()
  makeTopic(directory)
  const remains = join(directory, '.creating-0123')
  mkdirSync(remains)
  utimesSync(remains, 0, 0)
  await using log = await openEmbeddedLog({ directory })
  const signal = storySignal()
  assert.deepEqual(await log.admin.list(signal), [TOPIC])
  await log.admin.create({ topic: 'other', partitions: 1, replicationFactor: -1, config: new Map() }, signal)
  assert.ok(!existsSync(remains))
})

test('a topic whose directory was removed takes no more records', async () => {
  const directory = newFolder()
  const { directory: topic } = makeTopic(directory)
  await using log = await openEmbeddedLog({ directory })
  await using writer = await openWriter(log, TOPIC)
  await appendEach(writer, ['a'])
  const signal = storySignal()
  await using reader = await log.openReader({ signal })
  const follow = async (): Promise<void> => {
    for await (const { records } of reader.read({ topic: TOPIC, from: new Map([[0, 0]]), signal })) {
      if (records.length > 0) rmSync(topic, { recursive: true })
    }
  }
  await assert.rejects(follow, failure('topic-missing', /does not exist/))
  await assert.rejects(async () => appendEach(writer, ['b']), failure('topic-missing', /does not exist/))
  // Made anew it has other records: a position of the old ones is out of range or another record, never a mixture.
  makeTopic(directory)
  await assert.rejects(
    async () => {
      for await (const { records } of reader.read({ topic: TOPIC, from: new Map([[0, 1]]), signal }))
        assert.fail(`${records.length} records`)
    },
    failure('offset-out-of-range', /wanted an offset of 0 to 0 .*: current value is 1/),
  )
})

test('a log that somebody keeps locked is written as soon as it is free', async () => {
  const directory = newFolder()
  const files = makeTopic(directory)
  const warned = Promise.withResolvers<unknown>()
  const logger = { ...silentLogger, warn: (...line: readonly unknown[]) => warned.resolve(line) }
  await using log = await openEmbeddedLog({ directory, log: logger })
  await using writer = await openWriter(log, TOPIC)
  const other = new DatabaseSync(files.database)
  other.exec('BEGIN IMMEDIATE')
  const appended = appendEach(writer, ['late', 'later'])
  assert.deepEqual(await warned.promise, [
    'log cannot be written, retrying',
    { topic: TOPIC, reason: 'database is locked' },
  ])
  assert.equal(writer.status().pendingRecords, 2)
  other.exec('ROLLBACK')
  other.close()
  await appended
  assert.deepEqual(await readValues(log, TOPIC), ['late', 'later'])
})

test('two processes may write different topics of one directory, and none the same', async () => {
  const directory = newFolder()
  await using log = await openEmbeddedLog({ directory })
  await using other = await openEmbeddedLog({ directory })
  for (const topic of ['one', 'two']) {
    await log.admin.create({ topic, partitions: 1, replicationFactor: -1, config: new Map() }, storySignal())
  }
  await using first = await openWriter(log, 'one')
  await using second = await openWriter(other, 'two')
  await Promise.all([appendEach(first, ['a']), appendEach(second, ['b'])])
  await assert.rejects(
    async () => openWriter(other, 'one'),
    failure('fenced', /wanted to be its only writer: process \d+ on /),
  )
  await first[Symbol.asyncDispose]()
  await using third = await openWriter(other, 'one')
  await appendEach(third, ['c'])
  assert.deepEqual(await readValues(log, 'one'), ['a', 'c'])
})

test('the thread of a writer that is closed has ended, and nothing is left behind but the records', async () => {
  const directory = newFolder()
  const { directory: topic } = makeTopic(directory)
  const log = await openEmbeddedLog({ directory })
  const writer = await openWriter(log, TOPIC)
  const late = writer.append(0, { records: [record('key', 'value')] })
  await writer.flush(storySignal())
  await late
  await log[Symbol.asyncDispose]()
  assert.deepEqual(readdirSync(topic).toSorted(), ['appended', 'lock', 'log.db'])
})

test('readers and writers load without a warning', async () => {
  const worker = new Worker(
    `import(process.argv[2]).then(() => {}); process.on('warning', (warning) => { throw warning })`,
    { eval: true, argv: [join(import.meta.dirname, '../../src/embedded/sqlite.ts')] },
  )
  const [code] = await once(worker, 'exit')
  assert.equal(code, 0)
})

function compact(compaction: Compaction, nowMs: number): void {
  while (compaction.step(nowMs));
}

function failure(code: ErrorCode, message: RegExp): (error: unknown) => error is KubedeltaError {
  return (error): error is KubedeltaError => {
    assert.ok(hasCode(error, code), String(error))
    assert.match(error.message, message)
    return true
  }
}

function sizeOf({ database }: TopicFiles): number {
  return statSync(database).size
}

function overwrite(path: string, at: number, text: string): void {
  const handle = openSync(path, 'r+')
  writeSync(handle, Buffer.from(text, 'latin1'), 0, text.length, at)
  closeSync(handle)
}

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

function foreign(path: string): void {
  rmSync(path)
  change(path, 'CREATE TABLE somebody (else_ TEXT)')
  chmodSync(path, 0o600)
}

function newFolder(): string {
  return join(folder.path, String(folders++))
}
