// Files of snapshots as a broken disk or another program leaves them.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { parseHeader, printHeader, type SnapshotHeader } from '../../src/replica/snapshot-header.ts'
import { degradedOf, noteOf } from '../../src/replica/snapshot-notes.ts'
import { readSnapshot, writeSnapshot, type SnapshotInput } from '../../src/snapshot/snapshot-file.ts'
import type { SnapshotRow } from '../../src/snapshot/snapshot-layout.ts'
import { temporaryFolder } from '../support/leftovers.ts'
import { progress } from '../unit/consumer/support.ts'
import { fuzz } from './fuzz.ts'

const header: SnapshotHeader = {
  topic: 'kubedelta.test.pods',
  resource: 'pods',
  content: '0011',
  topicId: 'id',
  topicPartitions: 2,
  partitionCount: 2,
  caughtUpAtMs: 1_760_000_000_000,
  control: progress(7),
  partitions: new Map([
    [0, { position: 12, leaderEpoch: 3, progress: progress(7) }],
    [1, { position: 9, leaderEpoch: undefined, progress: progress(6) }],
  ]),
  schemas: { '00112233445566ff': '{"type":"string"}' },
  brokenBatches: 0,
}

const rows: readonly SnapshotRow[] = [
  objectOf('shop/cart-0', '{"a":1}'),
  objectOf('node-ü', '{"text":"ü€😀"}'),
  objectOf('shop/cart-1', ''),
  noteOf('shop/cart-2', { reason: 'corrupt', waiting: [] }),
  noteOf('shop/cart-3', {
    reason: 'unknown-schema',
    waiting: [
      {
        schema: '00112233445566ff',
        record: {
          partition: 1,
          offset: 8,
          timestampMs: 5,
          key: Buffer.from('shop/cart-3'),
          value: Buffer.from('value'),
          headers: [{ name: 'a', value: 'b' }],
        },
      },
    ],
  }),
]

const PREAMBLE_BYTES = 16

interface Content {
  readonly header: unknown
  readonly rows: readonly SnapshotRow[]
}

const frames: readonly [Buffer, ...Buffer[]] = [await fileOf(rows), await fileOf(rows.slice(0, 1)), await fileOf([])]
const contents = new Map(await Promise.all(frames.map(async (frame) => [frame, await contentOf(frame)] as const)))

fuzz({
  name: 'the file of a snapshot gives what was written, or is refused',
  frames,
  mend: seal,
  decode: async (input, original) => {
    const content = await contentOf(input)
    const wanted = original === undefined ? undefined : contents.get(original)
    // With its checksums as they were.
    if (wanted !== undefined) assert.deepEqual(content, wanted)
    const parsed = printHeader(parseHeader(content.header))
    assert.deepEqual(printHeader(parseHeader(JSON.parse(JSON.stringify(parsed)))), parsed)
    for (const row of content.rows) if (row.kind === 'note') degradedOf(row)
  },
  refusals: ['corrupt', 'unsupported'],
})

function objectOf(key: string, text: string): SnapshotRow {
  return { kind: 'object', key, uid: `uid-${key}`, resourceVersion: '7', bytes: Buffer.from(text) }
}

async function fileOf(written: readonly SnapshotRow[]): Promise<Buffer> {
  using folder = temporaryFolder('fuzz')
  const path = join(folder.path, 'snapshot')
  await using file = await open(path, 'wx')
  await writeSnapshot(file, printHeader(header), written, new AbortController().signal)
  return readFileSync(path)
}

async function contentOf(bytes: Buffer): Promise<Content> {
  await using file = await readSnapshot(inMemory(bytes), bytes.length)
  const found: SnapshotRow[] = []
  for await (const block of file.blocks()) found.push(...block)
  return { header: file.header, rows: found }
}

/** A disk would take most of the time. */
function inMemory(bytes: Buffer): SnapshotInput {
  return {
    read: async (target, offset, length, position) => ({
      bytesRead: bytes.copy(target, offset, position, position + length),
    }),
    close: async () => {},
  }
}

/** Puts checksums that fit as far as the parts of the file can be told, so that what is in them has to be refused. */
function seal(damaged: Buffer): Buffer {
  const file = Buffer.from(damaged)
  let at = PREAMBLE_BYTES
  let sum = 0
  /** Whether both the part and its checksum are inside of the file. */
  const put = (from: number, length: number, sumAt: number): boolean => {
    if (from + length > file.length || sumAt + 4 > file.length) return false
    sum = crc32(file.subarray(from, from + length), sum)
    file.writeUInt32LE(sum, sumAt)
    return true
  }
  if (file.length < PREAMBLE_BYTES) return file
  const headerBytes = file.readUInt32LE(12)
  if (!put(at, headerBytes, at + headerBytes)) return file
  at += headerBytes + 4
  for (;;) {
    if (at + 12 > file.length) return file
    const length = file.readUInt32LE(at)
    if (length === 0) break
    if (!put(at + 12, length, at + 8)) return file
    at += 12 + length
  }
  const footerBytes = file.readUInt32LE(at + 4)
  put(at + 8, footerBytes, at + 8 + footerBytes)
  return file
}
