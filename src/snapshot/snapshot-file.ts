// Writes and reads the file of a snapshot: a header, blocks of rows, a footer, all under one running checksum.

import { open, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { KubedeltaError } from '../base/errors.ts'
import {
  BLOCK_HEADER_BYTES,
  corrupt,
  FORMAT_VERSION,
  MAGIC,
  MAX_PART_BYTES,
  PREAMBLE_BYTES,
  readRows,
  sizeOfRow,
  writeRow,
  type SnapshotRow,
} from './snapshot-layout.ts'

/** How large a snapshot became. */
export interface SnapshotSize {
  readonly rows: number
  /** Of the file. */
  readonly bytes: number
}

/**
 * Writes a snapshot to an empty file: 4 MiB are held at a time, and everything else has a turn after each.
 *
 * Numbers are little-endian: magic (8 bytes), version, length of the header, header as JSON, checksum; blocks of length, rows, checksum
 * and content; a zero, the length of the footer, the footer as JSON, checksum. Each checksum is the CRC-32 of all headers, contents
 * and footers so far, so that blocks cannot be exchanged, left out or repeated.
 *
 * @throws the signal's reason; what the file system throws
 */
export async function writeSnapshot(
  file: FileHandle,
  header: unknown,
  rows: Iterable<SnapshotRow>,
  signal: AbortSignal,
): Promise<SnapshotSize> {
  const output = new Output(file)
  await output.begin(header)
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let used = 0
  let count = 0
  let total = 0
  for (const row of rows) {
    const size = sizeOfRow(row)
    if (used + size > block.length && count > 0) {
      await output.block(block.subarray(0, used), count)
      signal.throwIfAborted()
      used = 0
      count = 0
    }
    total += 1
    if (size > block.length) {
      const large = Buffer.allocUnsafe(size)
      writeRow(large, 0, row)
      await output.block(large, 1)
    } else {
      used = writeRow(block, used, row)
      count += 1
    }
  }
  if (count > 0) await output.block(block.subarray(0, used), count)
  return { rows: total, bytes: await output.end({ rows: total }) }
}

const BLOCK_BYTES = 4 * 1024 * 1024

class Output {
  readonly #file: FileHandle
  #checksum = 0
  #at = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  async begin(header: unknown): Promise<void> {
    const text = Buffer.from(JSON.stringify(header))
    const preamble = Buffer.alloc(PREAMBLE_BYTES)
    MAGIC.copy(preamble)
    preamble.writeUInt32LE(FORMAT_VERSION, 8)
    preamble.writeUInt32LE(text.length, 12)
    await this.#write([preamble, text, this.#sum(text)])
  }

  async block(content: Buffer, rows: number): Promise<void> {
    const header = Buffer.alloc(BLOCK_HEADER_BYTES)
    header.writeUInt32LE(content.length, 0)
    header.writeUInt32LE(rows, 4)
    this.#sum(content).copy(header, 8)
    await this.#write([header, content])
  }

  /** Returns the length of the file. */
  async end(footer: unknown): Promise<number> {
    const text = Buffer.from(JSON.stringify(footer))
    const header = Buffer.alloc(8)
    header.writeUInt32LE(text.length, 4)
    await this.#write([header, text, this.#sum(text)])
    return this.#at
  }

  #sum(content: Buffer): Buffer {
    this.#checksum = crc32(content, this.#checksum)
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(this.#checksum)
    return bytes
  }

  async #write(parts: readonly Buffer[]): Promise<void> {
    for (const part of parts) {
      // One write may take less than it was given.
      for (let done = 0; done < part.length;) {
        const { bytesWritten } = await this.#file.write(part, done, part.length - done, this.#at)
        done += bytesWritten
        this.#at += bytesWritten
      }
    }
  }
}

/** A snapshot being read. */
export interface SnapshotFile extends AsyncDisposable {
  /** As it was given to `writeSnapshot`, to be checked. */
  readonly header: unknown
  readonly bytes: number
  /**
   * The rows, a block at a time. Only an iteration that ends without an error has shown that the file is whole.
   * @throws KubedeltaError `corrupt`; what the file system throws
   */
  blocks(): AsyncGenerator<readonly SnapshotRow[], void, undefined>
}

/**
 * Opens a snapshot and reads its header; undefined where there is no file.
 * @throws KubedeltaError `corrupt`; `unsupported` for another version of the format; what the file system throws
 */
export async function openSnapshot(path: string): Promise<SnapshotFile | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { size } = await file.stat()
    return await readSnapshot(file, size)
  } catch (error) {
    await file.close()
    throw error
  }
}

/** What is read of an open file, as FileHandle does it. */
export interface SnapshotInput {
  read(target: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>
  close(): Promise<void>
}

/** Reads the header of a snapshot whose file is open already and has `size` bytes. @throws as `openSnapshot`; the file stays open then */
export async function readSnapshot(file: SnapshotInput, size: number): Promise<SnapshotFile> {
  const input = new Input(file, size)
  const preamble = await input.take(PREAMBLE_BYTES)
  if (!preamble.subarray(0, MAGIC.length).equals(MAGIC)) throw corrupt('another beginning')
  const version = preamble.readUInt32LE(8)
  if (version !== FORMAT_VERSION) {
    throw new KubedeltaError(
      'unsupported',
      `Cannot read snapshot: its format must be ${FORMAT_VERSION}: current value is ${version}`,
    )
  }
  const text = await input.take(preamble.readUInt32LE(12))
  input.check(text, (await input.take(4)).readUInt32LE())
  return {
    header: parsed(text),
    bytes: size,
    blocks: () => readBlocks(input),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

async function* readBlocks(input: Input): AsyncGenerator<readonly SnapshotRow[], void, undefined> {
  let total = 0
  for (;;) {
    const length = (await input.take(4)).readUInt32LE()
    if (length === 0) break
    const header = await input.take(BLOCK_HEADER_BYTES - 4)
    const block = await input.take(length)
    input.check(block, header.readUInt32LE(4))
    const rows = readRows(block, header.readUInt32LE(0))
    total += rows.length
    yield rows
  }
  const text = await input.take((await input.take(4)).readUInt32LE())
  input.check(text, (await input.take(4)).readUInt32LE())
  const footer = parsed(text)
  const counted = typeof footer === 'object' && footer !== null && 'rows' in footer ? footer.rows : undefined
  if (counted !== total) throw corrupt(`${total} rows of ${String(counted)}`)
  input.checkEnd()
}

class Input {
  readonly #file: SnapshotInput
  readonly #size: number
  #at = 0
  #checksum = 0

  constructor(file: SnapshotInput, size: number) {
    this.#file = file
    this.#size = size
  }

  /** The next bytes. No length is believed beyond the end of the file, nor one that no part has: a damaged one costs no memory. */
  async take(length: number): Promise<Buffer> {
    if (this.#at + length > this.#size) throw corrupt('an early end')
    if (length > MAX_PART_BYTES) throw corrupt(`a part of ${length} bytes`)
    const bytes = Buffer.allocUnsafe(length)
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, this.#at)
      if (bytesRead === 0) throw corrupt('an early end')
      done += bytesRead
      this.#at += bytesRead
    }
    return bytes
  }

  check(content: Buffer, wanted: number): void {
    this.#checksum = crc32(content, this.#checksum)
    if (this.#checksum !== wanted) throw corrupt('another checksum')
  }

  checkEnd(): void {
    if (this.#at !== this.#size) throw corrupt(`${this.#size - this.#at} bytes behind its end`)
  }
}

function parsed(text: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(text.toString())
    return value
  } catch (error) {
    throw new KubedeltaError('corrupt', 'Cannot read snapshot: its header or footer must be JSON', { cause: error })
  }
}
