// Compresses and inflates the records of a batch on Node's worker threads.

import { promisify } from 'node:util'
import { constants, gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib'
import type { Compression } from '../topic/port.ts'

/** The lowest three bits of a batch's attributes. */
export const CODEC_BITS: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 }

/** Resolves with the compressed records; the main thread only waits. */
export async function compress(records: Buffer, compression: Compression): Promise<Buffer> {
  switch (compression) {
    case 'none':
      return records
    case 'gzip':
      // Level 1: JSON shrinks nearly as much as at 6, in a third of the time.
      return gzipAsync(records, { level: 1 })
    case 'zstd':
      return zstdCompressAsync(records, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
    default:
      return compression satisfies never
  }
}

/** The names of codecs that a foreign writer may have used and this reader does not know. */
export function unknownCodec(bits: number): string | undefined {
  return { 2: 'snappy', 3: 'lz4', 5: 'codec 5', 6: 'codec 6', 7: 'codec 7' }[bits]
}

/**
 * Inflates the records of a batch; `too-large` where they are more than `maxOutputLength` bytes.
 * @throws zlib's error when the bytes are not what `bits` says
 */
export async function inflate(
  records: Buffer,
  bits: number,
  maxOutputLength = MAX_INFLATED_BYTES,
): Promise<Buffer | 'too-large'> {
  try {
    if (bits === CODEC_BITS.gzip) return await gunzipAsync(records, { maxOutputLength })
    if (bits === CODEC_BITS.zstd) return await zstdDecompressAsync(records, { maxOutputLength })
    return records
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') return 'too-large'
    throw error
  }
}

/**
 * A batch of a few kilobytes can inflate to gigabytes, and brokers bound it only as it is compressed (max.message.bytes). This project's
 * writer puts 512 KiB into one, or a single object, which etcd keeps under some megabytes; other producers stay far below this as well.
 */
export const MAX_INFLATED_BYTES = 128 * 1024 * 1024

const gzipAsync = promisify<Buffer, { level: number }, Buffer>(gzip)
const gunzipAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)
const zstdCompressAsync = promisify<Buffer, { params: Record<number, number> }, Buffer>(zstdCompress)
const zstdDecompressAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(zstdDecompress)
