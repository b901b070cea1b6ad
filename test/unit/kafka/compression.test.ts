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
    assert.deepEqual(await inflate(await pack(LARGE), bits), LARGE)
    const bomb = await pack(TOO_LARGE)
    assert.ok(bomb.length < 1024 * 1024)
    assert.equal(await inflate(bomb, bits), 'too-large')
    assert.equal(await inflate(await pack(LARGE), bits, LARGE.length - 1), 'too-large')
    await assert.rejects(inflate(bomb.subarray(0, 100), bits))
  })
}
