// Reads and writes the primitive types of Kafka's protocol.

/**
 * Builds one request body; grows as needed.
 *
 * Source of the types: https://kafka.apache.org/protocol#protocol_types
 */
export class WireWriter {
  #bytes: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  int8(value: number): this {
    const at = this.#reserve(1)
    this.#bytes.writeInt8(value, at)
    return this
  }

  int16(value: number): this {
    const at = this.#reserve(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#reserve(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: number | bigint): this {
    const at = this.#reserve(8)
    this.#bytes.writeBigInt64BE(BigInt(value), at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const bytes = Buffer.from(value)
    return this.int16(bytes.length).raw(bytes)
  }

  /** A string of a flexible version: its length plus one as an unsigned varint. */
  compactString(value: string | null): this {
    if (value === null) return this.uvarint(0)
    const bytes = Buffer.from(value)
    return this.uvarint(bytes.length + 1).raw(bytes)
  }

  uvarint(value: number): this {
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.int8((((rest & 0x7f) | 0x80) << 24) >> 24)
      rest >>>= 7
    }
    return this.int8(rest)
  }

  /** An array of a flexible version: its length plus one as an unsigned varint; null: every one there is. */
  compactArray<T>(items: readonly T[] | null, write: (item: T) => void): this {
    this.uvarint(items === null ? 0 : items.length + 1)
    for (const item of items ?? []) write(item)
    return this
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length)
    for (const item of items) write(item)
    return this
  }

  raw(bytes: Buffer): this {
    const at = this.#reserve(bytes.length)
    bytes.copy(this.#bytes, at)
    return this
  }

  /** What was written; valid until the next write. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    return at
  }
}

/** Reads one response body from its start. Reading past its end throws a RangeError. */
export class WireReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  int8(): number {
    return this.#bytes.readInt8(this.#advance(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4))
  }

  /** A 64-bit integer as a number: for offsets, epochs of milliseconds and sizes, which stay under 2^53. */
  int64(): number {
    return Number(this.int64Exact())
  }

  int64Exact(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  nullableString(): string | null {
    const length = this.int16()
    return length < 0 ? null : this.#text(length)
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.int8()
      value |= (byte & 0x7f) << shift
      if (byte >= 0) return value >>> 0
      if (shift >= 28) {
        throw new RangeError('Cannot read unsigned varint: wanted at most 5 bytes: current one is longer')
      }
    }
  }

  /** A string of a flexible version; null is '' here. */
  compactString(): string {
    const length = this.uvarint()
    return length <= 1 ? '' : this.#text(length - 1)
  }

  /** 16 bytes as 32 hexadecimal digits. */
  uuid(): string {
    const at = this.#advance(16)
    return this.#bytes.toString('hex', at, at + 16)
  }

  /** An array of a flexible version; null is empty here. */
  compactArray<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.uvarint() - 1; left > 0; left -= 1) items.push(read())
    return items
  }

  array<T>(read: () => T): T[] {
    const count = this.int32()
    const items: T[] = []
    for (let index = 0; index < count; index += 1) items.push(read())
    return items
  }

  /** A slice of the response, not a copy; empty where it is null. */
  bytes(): Buffer {
    const length = this.int32()
    if (length <= 0) return EMPTY
    const at = this.#advance(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** Skips the tagged fields of a flexible version: none of them is asked for. */
  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left -= 1) {
      this.uvarint()
      this.#advance(this.uvarint())
    }
  }

  #text(length: number): string {
    const at = this.#advance(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  #advance(count: number): number {
    const at = this.#at
    if (at + count > this.#bytes.length) {
      throw new RangeError(
        `Cannot read response: wanted ${count} bytes at ${at}: current length is ${this.#bytes.length}`,
      )
    }
    this.#at = at + count
    return at
  }
}

const EMPTY = Buffer.alloc(0)
