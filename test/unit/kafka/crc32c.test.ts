import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32c } from '../../../src/kafka/crc32c.ts'

describe('CRC-32C', () => {
  // RFC 3720, B.4, and the check value of the CRC catalogue.
  const known: ReadonlyArray<readonly [string, Buffer, number]> = [
    ['nothing', Buffer.alloc(0), 0],
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  ]
  for (const [name, bytes, sum] of known) test(`of ${name}`, () => assert.equal(crc32c(bytes), sum))

  test('of many bytes is that of one after the other', () => {
    const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, index) => Math.imul(index, 2_654_435_761) >>> 24))
    for (const [start, end] of [
      [0, 4_095],
      [0, 4_096],
      [3, 4_099],
      [1, 8_200],
      [7, 20_000],
    ] as const) {
      assert.equal(crc32c(bytes, start, end), byteByByte(bytes.subarray(start, end)), `${start} to ${end}`)
    }
  })

  test('of a part is that of the part alone', () => {
    const bytes = Buffer.from('before 123456789 after')
    assert.equal(crc32c(bytes, 7, 16), 0xe3069283)
  })
})

function byteByByte(bytes: Buffer): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}
