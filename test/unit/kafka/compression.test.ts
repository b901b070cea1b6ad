import assert from 'node:assert/strict'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { gzip, zstdCompress } from 'node:zlib'
import { CODEC_BITS, inflate } from '../../../src/kafka/compression.ts'

const LARGE = Buffer.alloc(100 * 1024 * 1024)
const TOO_LARGE = Buffer.alloc(130 * 1024 * 1024)

for (const [name, bits, pack] of [
  ['gzip', CODEC_BITS.gzip, promisify<Buffer, Buffer>(gzip)],
  ['zstd', CODEC_BITS.zstd, promisify<Buffer, Buffer>(zstdCompress)],
] as const) {
  test(`records in ${name} inflate to any size that a batch may have, and to none that fills the memory`, async () => {
    assert.equal((await inflate(await pack(LARGE), bits)).length, LARGE.length)
    const bomb = await pack(TOO_LARGE)
    assert.ok(bomb.length < 1024 * 1024)
    await assert.rejects(inflate(bomb, bits), { code: 'ERR_BUFFER_TOO_LARGE' })
  })
}
