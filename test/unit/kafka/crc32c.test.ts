import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { crc32c } from '../../../src/kafka/crc32c.ts'
import { portableCrc32c } from '../../../src/kafka/portable-crc32c.ts'

const ways = {
  'by the processor': crc32c,
  'by tables': (bytes: Buffer, start = 0, end = bytes.length) => portableCrc32c(bytes, start, end),
}

for (const [way, sumOf] of Object.entries(ways))
  describe(`CRC-32C ${way}`, () => {
    // RFC 3720, B.4, and the check value of the CRC catalogue.
    const known: ReadonlyArray<readonly [string, Buffer, number]> = [
      ['nothing', Buffer.alloc(0), 0],
      ['123456789', Buffer.from('123456789'), 0xe3069283],
      ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
      ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
      ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    ]
    for (const [name, bytes, sum] of known) test(`of ${name}`, () => assert.equal(sumOf(bytes), sum))

    test('of many bytes is that of one after the other', () => {
      const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, index) => Math.imul(index, 2_654_435_761) >>> 24))
      for (const [start, end] of [
        [0, 4_095],
        [0, 4_096],
        [3, 4_099],
        [1, 8_200],
        [7, 20_000],
      ] as const) {
        assert.equal(sumOf(bytes, start, end), byteByByte(bytes.subarray(start, end)), `${start} to ${end}`)
      }
    })

    test('of a part is that of the part alone', () => {
      const bytes = Buffer.from('before 123456789 after')
      assert.equal(sumOf(bytes, 7, 16), 0xe3069283)
    })
  })

test('CRC-32C goes by tables where the package is not built for the platform', async () => {
  const module = import.meta.resolve('../../../src/kafka/crc32c.ts')
  const script = `import { crc32c } from ${JSON.stringify(module)}; process.stdout.write(crc32c(Buffer.from('123456789')).toString(16))`
  // The package then looks for its native part there and nowhere else.
  const env = { ...process.env, NAPI_RS_NATIVE_LIBRARY_PATH: '/nonexistent/crc32.node' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env })
  assert.equal(stdout, 'e3069283')
})

function byteByByte(bytes: Buffer): number {
  let crc = -1
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}
