// Writes numbers and short texts into a slab, quicker than by a call into Node for each.

/** Little-endian, as read back by readUInt32LE; Node's own checks the value first, which takes longer than the write. */
export function writeInt32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

/** Bytes of a text in UTF-8. Short texts of ASCII, as nearly all are, take less time here than a call into Node. */
export function textBytes(text: string): number {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text)
  return text.length
}

/** Writes a text that takes `length` bytes in UTF-8. */
export function writeText(bytes: Buffer, at: number, text: string, length: number): void {
  if (length === text.length) for (let index = 0; index < length; index += 1) bytes[at + index] = text.charCodeAt(index)
  else bytes.write(text, at)
}
