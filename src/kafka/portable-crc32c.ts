// Computes CRC-32C by tables, wherever JavaScript runs.

/** The checksum of `bytes[start, end)` as an unsigned 32-bit integer. */
export function portableCrc32c(bytes: Uint8Array, start: number, end: number): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let crc = -1
  let at = start
  // "Slicing by 8": one round takes eight bytes, since the tables say what each of them becomes behind those that follow it.
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ words.getInt32(at, true)
    const high = words.getInt32(at + 4, true)
    crc = fourBytes(low, 7) ^ fourBytes(high, 3)
  }
  for (; at < end; at += 1) crc = entry(0, crc ^ words.getUint8(at)) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** What four bytes become; as many bytes as `following` says come behind the first. */
function fourBytes(word: number, following: number): number {
  return (
    entry(following, word) ^
    entry(following - 1, word >>> 8) ^
    entry(following - 2, word >>> 16) ^
    entry(following - 3, word >>> 24)
  )
}

/** What the lowest byte of `bits` becomes that `following` zero bytes come behind. */
function entry(following: number, bits: number): number {
  // The index is always in range; the operator only satisfies noUncheckedIndexedAccess and costs nothing here.
  return TABLES[following * 256 + (bits & 0xff)] ?? 0
}

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78

/** Eight tables of 256 entries, one behind the other. */
const TABLES = buildTables()

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  // Each table holds what one more zero byte makes of the entries of the one before it.
  for (let index = 256; index < tables.length; index += 1) {
    const former = tables[index - 256] ?? 0
    tables[index] = (tables[former & 0xff] ?? 0) ^ (former >>> 8)
  }
  return tables
}
