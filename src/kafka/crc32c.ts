// Computes CRC-32C (Castagnoli), the checksum of Kafka's record batches.

/**
 * The checksum of `bytes[start, end)` as an unsigned 32-bit integer.
 *
 * Every byte that is read or written uncompressed passes here, on the main thread. Sixteen tables let one round take sixteen bytes
 * ("slicing by 16"), and two blocks side by side are summed up at once: a round has to wait for the one before it, not for its neighbour.
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let crc = -1
  let at = start
  for (; at + 2 * BLOCK <= end; at += 2 * BLOCK) crc = twoBlocks(words, at, crc)
  const tables = TABLES
  for (const last = end - 16; at <= last; at += 16) crc = round(tables, words, at, crc)
  for (; at < end; at += 1) crc = entry(tables, (crc ^ words.getUint8(at)) & 0xff) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** What follows `crc` after the two blocks that begin at `at`. Both rounds are written out: called, they took twice the time. */
function twoBlocks(words: DataView, from: number, crc: number): number {
  const tables = TABLES
  let first = crc
  let second = 0
  for (let at = from; at < from + BLOCK; at += 16) {
    const a = first ^ words.getInt32(at, true)
    const b = words.getInt32(at + 4, true)
    const c = words.getInt32(at + 8, true)
    const d = words.getInt32(at + 12, true)
    const e = second ^ words.getInt32(at + BLOCK, true)
    const f = words.getInt32(at + BLOCK + 4, true)
    const g = words.getInt32(at + BLOCK + 8, true)
    const h = words.getInt32(at + BLOCK + 12, true)
    first =
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
    second =
      entry(tables, 0xf00 | (e & 0xff)) ^
      entry(tables, 0xe00 | ((e >>> 8) & 0xff)) ^
      entry(tables, 0xd00 | ((e >>> 16) & 0xff)) ^
      entry(tables, 0xc00 | (e >>> 24)) ^
      entry(tables, 0xb00 | (f & 0xff)) ^
      entry(tables, 0xa00 | ((f >>> 8) & 0xff)) ^
      entry(tables, 0x900 | ((f >>> 16) & 0xff)) ^
      entry(tables, 0x800 | (f >>> 24)) ^
      entry(tables, 0x700 | (g & 0xff)) ^
      entry(tables, 0x600 | ((g >>> 8) & 0xff)) ^
      entry(tables, 0x500 | ((g >>> 16) & 0xff)) ^
      entry(tables, 0x400 | (g >>> 24)) ^
      entry(tables, 0x300 | (h & 0xff)) ^
      entry(tables, 0x200 | ((h >>> 8) & 0xff)) ^
      entry(tables, 0x100 | ((h >>> 16) & 0xff)) ^
      entry(tables, h >>> 24)
  }
  // A checksum is linear: that of both is the first, moved on by a block of zeros, and the second from nothing.
  return moved(first) ^ second
}

/** Sixteen bytes on. Table t says what a byte becomes that t bytes follow: the first byte of the sixteen looks in the last table. */
function round(tables: Int32Array, words: DataView, at: number, crc: number): number {
  const a = crc ^ words.getInt32(at, true)
  const b = words.getInt32(at + 4, true)
  const c = words.getInt32(at + 8, true)
  const d = words.getInt32(at + 12, true)
  return (
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
  )
}

/** What `crc` becomes that a block of zeros follows. */
function moved(crc: number): number {
  const tables = BLOCK_TABLES
  return (
    entry(tables, crc & 0xff) ^
    entry(tables, 0x100 | ((crc >>> 8) & 0xff)) ^
    entry(tables, 0x200 | ((crc >>> 16) & 0xff)) ^
    entry(tables, 0x300 | (crc >>> 24))
  )
}

/** Bytes. Two of them stay in the processor's first cache, and batches of some KB have them. */
const BLOCK = 2_048

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78

/** Sixteen tables of 256 entries, one behind the other. */
const TABLES = buildTables()
/** A table of 256 entries for each byte of a checksum. */
const BLOCK_TABLES = buildBlockTables()

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

function buildBlockTables(): Int32Array {
  const tables = new Int32Array(4 * 256)
  const zeros = new DataView(new ArrayBuffer(16))
  for (let byte = 0; byte < 4; byte += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      let crc = 1 << (8 * byte + bit)
      for (let at = 0; at < BLOCK; at += 16) crc = round(TABLES, zeros, 0, crc)
      // Every entry is the sum of those of its bits.
      const added = 1 << bit
      for (let below = 0; below < added; below += 1) {
        tables[byte * 256 + added + below] = crc ^ entry(tables, byte * 256 + below)
      }
    }
  }
  return tables
}

// The index is always in range; the operator only satisfies noUncheckedIndexedAccess and costs nothing here.
function entry(tables: Int32Array, index: number): number {
  return tables[index] ?? 0
}
