// Computes CRC-32C (Castagnoli), the checksum of Kafka's record batches.

/**
 * The checksum of `bytes[start, end)` as an unsigned 32-bit integer.
 *
 * Eight tables let one round take eight bytes ("slicing by 8"): the writer's main thread spends its time here when
 * batches are not compressed.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let at = start
  const last = end - 7
  while (at < last) {
    const low =
      crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24))
    crc =
      word(T7, low & 0xff) ^
      word(T6, (low >>> 8) & 0xff) ^
      word(T5, (low >>> 16) & 0xff) ^
      word(T4, low >>> 24) ^
      word(T3, byte(bytes, at + 4)) ^
      word(T2, byte(bytes, at + 5)) ^
      word(T1, byte(bytes, at + 6)) ^
      word(T0, byte(bytes, at + 7))
    at += 8
  }
  while (at < end) {
    crc = word(T0, (crc ^ byte(bytes, at)) & 0xff) ^ (crc >>> 8)
    at += 1
  }
  return ~crc >>> 0
}

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78

const T0 = firstTable()
const T1 = nextTable(T0)
const T2 = nextTable(T1)
const T3 = nextTable(T2)
const T4 = nextTable(T3)
const T5 = nextTable(T4)
const T6 = nextTable(T5)
const T7 = nextTable(T6)

function firstTable(): Int32Array {
  const table = new Int32Array(256)
  for (let index = 0; index < 256; index += 1) {
    let crc = index
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    table[index] = crc
  }
  return table
}

/** What one more zero byte makes of each entry. */
function nextTable(former: Int32Array): Int32Array {
  return former.map((crc) => word(T0, crc & 0xff) ^ (crc >>> 8))
}

// The indices below are always in range; the operator only satisfies noUncheckedIndexedAccess and costs nothing here.
function word(table: Int32Array, index: number): number {
  return table[index] ?? 0
}

function byte(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0
}
