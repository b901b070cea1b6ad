// Lays the rows of a snapshot out in bytes, and reads them back.

import { KubedeltaError } from '../base/errors.ts'

/**
 * One row: an `object`, its JSON in `bytes`; or a `note` on a key, of whatever form its writer gives it. A row that was read is a view
 * of its block: copy what you keep.
 */
export interface SnapshotRow {
  readonly kind: 'object' | 'note'
  readonly key: string
  readonly uid: string
  readonly resourceVersion: string
  readonly bytes: Buffer
}

/** Eight bytes; the line end tells a file that was copied as text. */
export const MAGIC = Buffer.from('KDSNAP\r\n', 'latin1')

/** Raised when an older kubedelta would misread the file. */
export const FORMAT_VERSION = 1

/** Magic, version, length of the header. */
export const PREAMBLE_BYTES = 16

/** Length of what follows, its number of rows, checksum of all content so far. A length of 0: the footer follows. */
export const BLOCK_HEADER_BYTES = 12

/** Kind, lengths of key, uid and resourceVersion, length of the bytes. */
export const ROW_HEADER_BYTES = 11

/** Header, block and footer have at most as many: far more than the largest object needs, and little enough to be held. */
export const MAX_PART_BYTES = 128 * 1024 * 1024

/** How many bytes a row takes. @throws KubedeltaError `too-large` for a name or an object that Kubernetes has not */
export function sizeOfRow({ key, uid, resourceVersion, bytes }: SnapshotRow): number {
  const lengths = [key, uid, resourceVersion].map((text) => Buffer.byteLength(text))
  if (Math.max(...lengths) > MAX_NAME_BYTES) {
    throw new KubedeltaError(
      'too-large',
      `Cannot write snapshot: key, uid and resourceVersion must have <= ${MAX_NAME_BYTES} bytes: current value is ${Math.max(...lengths)}`,
    )
  }
  const size = ROW_HEADER_BYTES + lengths.reduce((sum, length) => sum + length, 0) + bytes.length
  if (size <= MAX_PART_BYTES) return size
  throw new KubedeltaError(
    'too-large',
    `Cannot write snapshot: an object must have < ${MAX_PART_BYTES} bytes: current value is ${bytes.length}`,
  )
}

/** Writes a row at an offset, where it must fit; returns the offset behind it. */
export function writeRow(target: Buffer, at: number, row: SnapshotRow): number {
  let next = at + ROW_HEADER_BYTES
  const lengths = [row.key, row.uid, row.resourceVersion].map((text) => {
    const length = target.write(text, next)
    next += length
    return length
  })
  const [key = 0, uid = 0, resourceVersion = 0] = lengths
  target[at] = row.kind === 'object' ? OBJECT : NOTE
  target.writeUInt16LE(key, at + 1)
  target.writeUInt16LE(uid, at + 3)
  target.writeUInt16LE(resourceVersion, at + 5)
  target.writeUInt32LE(row.bytes.length, at + 7)
  next += row.bytes.copy(target, next)
  return next
}

/** The rows of a block. @throws KubedeltaError `corrupt` where they are not as many as it says, or do not fill it */
export function readRows(block: Buffer, count: number): readonly SnapshotRow[] {
  const rows: SnapshotRow[] = []
  let at = 0
  for (let row = 0; row < count; row++) {
    if (at + ROW_HEADER_BYTES > block.length) throw corrupt('a row ends behind its block')
    const kind = block[at]
    const uidAt = at + ROW_HEADER_BYTES + block.readUInt16LE(at + 1)
    const resourceVersionAt = uidAt + block.readUInt16LE(at + 3)
    const bytesAt = resourceVersionAt + block.readUInt16LE(at + 5)
    const end = bytesAt + block.readUInt32LE(at + 7)
    if (end > block.length) throw corrupt('a row ends behind its block')
    if (kind !== OBJECT && kind !== NOTE) throw corrupt(`a row of kind ${kind}`)
    rows.push({
      kind: kind === OBJECT ? 'object' : 'note',
      key: block.toString('utf8', at + ROW_HEADER_BYTES, uidAt),
      uid: block.toString('utf8', uidAt, resourceVersionAt),
      resourceVersion: block.toString('utf8', resourceVersionAt, bytesAt),
      bytes: block.subarray(bytesAt, end),
    })
    at = end
  }
  if (at !== block.length) throw corrupt(`${block.length - at} bytes behind the last row of a block`)
  return rows
}

/** What a damaged snapshot is refused with. */
export function corrupt(what: string): KubedeltaError {
  return new KubedeltaError('corrupt', `Cannot read snapshot: wanted a whole file: current value is one with ${what}`)
}

const OBJECT = 1
const NOTE = 2
const MAX_NAME_BYTES = 0xff_ff
