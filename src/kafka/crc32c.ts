// Computes CRC-32C (Castagnoli), the checksum of Kafka's record batches.

/**
 * The checksum of `bytes[start, end)` as an unsigned 32-bit integer.
 *
 * Sixteen tables let one round take sixteen bytes ("slicing by 16"): every byte that is read or written uncompressed passes here, on the
 * main thread.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const tables = TABLES
  let crc = -1
  let at = start
  // Table t says what a byte becomes that t bytes follow: the first byte of the sixteen looks in the last table.
  for (const last = end - 16; at <= last; at += 16) {
    const a = crc ^ words.getInt32(at, true)
    const b = words.getInt32(at + 4, true)
    const c = words.getInt32(at + 8, true)
    const d = words.getInt32(at + 12, true)
    crc =
      entry(tables, 0xf00 | (a & 0xff)) ^
      entry(tables, 0xe00 | ((a >>> 8) & 0xff)) ^
      entry(tables, 0xd00 | ((a >>> 16) & 0xff)) ^
      entry(tables, 0xc00 | (a >>> 24)) ^
      entry(tables, 0xb00 | (b & 0xff)) ^
      entry(tables, 0xa00 | ((b >>> 8) & 0xff)) ^
      entry(tables, 0x900 | ((b >>> 16) & 0xff)) ^
      entry(tables, 0x800 | (b >>> 24)) ^
      entry(tables, 0x700 | (c & 0xff)) ^
      entry(tables, 0x600 | ((c >>> 8) & 0xff)) ^
      entry(tables, 0x500 | ((c >>> 16) & 0xff)) ^
      entry(tables, 0x400 | (c >>> 24)) ^
      entry(tables, 0x300 | (d & 0xff)) ^
      entry(tables, 0x200 | ((d >>> 8) & 0xff)) ^
      entry(tables, 0x100 | ((d >>> 16) & 0xff)) ^
      entry(tables, d >>> 24)
  }
  for (; at < end; at += 1) crc = entry(tables, (crc ^ words.getUint8(at)) & 0xff) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78

/** Sixteen tables of 256 entries, one behind the other. */
const TABLES = buildTables()

function buildTables(): Int32Array {
  const tables = new Int32Array(16 * 256)
  for (let index = 0; index < 256; index += 1) {
    let crc = index
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    tables[index] = crc
  }
  // Each table holds what one more zero byte makes of the entries of the one before it.
  for (let index = 256; index < tables.length; index += 1) {
    const former = entry(tables, index - 256)
    tables[index] = entry(tables, former & 0xff) ^ (former >>> 8)
  }
  return tables
}

// The index is always in range; the operator only satisfies noUncheckedIndexedAccess and costs nothing here.
function entry(tables: Int32Array, index: number): number {
  return tables[index] ?? 0
}
