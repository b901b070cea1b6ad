// The headers of a tombstone: which object it ended, for readers that meet it without the DELETED record before it.

import { hasCode } from '../base/errors.ts'
import { readHeaders } from './headers.ts'
import type { RecordHeader } from './headers.ts'

/** What a tombstone says about the object it ended. */
export interface Tombstone {
  readonly uid: string
  readonly resourceVersion: string
  readonly epoch: number
}

/** The headers of a tombstone. */
export function tombstoneHeaders({ uid, resourceVersion, epoch }: Tombstone): readonly RecordHeader[] {
  return [
    { name: 'uid', value: uid },
    { name: 'resourceVersion', value: resourceVersion },
    { name: 'epoch', value: String(epoch) },
  ]
}

/** What the headers say; undefined where another producer wrote the tombstone. It deletes its key all the same. */
export function parseTombstone(headers: readonly RecordHeader[]): Tombstone | undefined {
  const read = readHeaders('tombstone', headers)
  try {
    return { uid: read.text('uid'), resourceVersion: read.text('resourceVersion'), epoch: read.integer('epoch') }
  } catch (error) {
    // Nothing is lost: the delete is in the key and the null value, the headers only name the object.
    if (hasCode(error, 'corrupt')) return undefined
    throw error
  }
}
