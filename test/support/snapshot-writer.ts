// A process of its own that writes one snapshot after the other: `snapshot-writer.ts DIRECTORY FIRST`.
//
// Says `row` now and then while it writes, and `written NUMBER` behind each, a line each.

import type { SnapshotRow } from '../../src/snapshot/snapshot-layout.ts'
import { SnapshotPlace } from '../../src/snapshot/snapshot-place.ts'

/** Several blocks, so that there are many moments in the middle. */
const ROWS = 3_000
const ROW_BYTES = 5_000
const ROWS_A_WORD = 100

const [directory = '', first = '0'] = process.argv.slice(2)
const place = new SnapshotPlace({ directory, name: 'pods' })
await place.prepare()
for (let number = Number(first); ; number += 1) {
  await place.write({ number }, rowsOf(number), new AbortController().signal)
  process.stdout.write(`written ${number}\n`)
}

function* rowsOf(number: number): Generator<SnapshotRow> {
  for (let index = 0; index < ROWS; index++) {
    if (index % ROWS_A_WORD === 0) process.stdout.write('row\n')
    const bytes = Buffer.alloc(ROW_BYTES, number)
    yield { kind: 'object', key: `shop/${index}`, uid: 'u', resourceVersion: String(number), bytes }
  }
}
