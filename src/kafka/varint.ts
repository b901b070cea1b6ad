// Zigzag varints, the integers inside Kafka's record batches.

/** Bytes that `value` takes; `value` is an integer within ±2^53. */
export function varintSize(value: number): number {
  let rest = zigzag(value)
  let size = 1
  while (rest > 0x7f) {
    rest = rest > MAX_INT32 ? Math.floor(rest / 128) : rest >>> 7
    size += 1
  }
  return size
}

/** Writes `value` at `at` and returns the position after it. */
export function writeVarint(bytes: Buffer, at: number, value: number): number {
  let rest = zigzag(value)
  let end = at
  while (rest > 0x7f) {
    bytes[end] = (rest % 128) | 0x80
    end += 1
    rest = rest > MAX_INT32 ? Math.floor(rest / 128) : rest >>> 7
  }
  bytes[end] = rest
  return end + 1
}

/** Reads varints one after the other. */
export class VarintReader {
  readonly bytes: Buffer
  /** The next byte to read. */
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** @throws RangeError past the end of the bytes, or when the varint is longer than ten bytes */
  next(): number {
    let byte = this.#byte()
    let value = byte & 0x7f
    // Up to four bytes fit into a small integer; only timestamps of very old batches go beyond.
    for (let shift = 7; byte > 0x7f; shift += 7) {
      byte = this.#byte()
      if (shift < 28) value |= (byte & 0x7f) << shift
      else if (shift < 70) value += (byte & 0x7f) * 2 ** shift
      else throw new RangeError(`Cannot read varint at ${this.at}: wanted at most 10 bytes: current one is longer`)
    }
    if (value > MAX_INT32) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    return (value >>> 1) ^ -(value & 1)
  }

  #byte(): number {
    const byte = this.bytes[this.at]
    if (byte === undefined) {
      throw new RangeError(`Cannot read varint: wanted a byte at ${this.at}: current length is ${this.bytes.length}`)
    }
    this.at += 1
    return byte
  }
}

const MAX_INT32 = 0x7fffffff

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}
