import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readRows, sizeOfRow, writeRow, type SnapshotRow } from '../../../src/snapshot/snapshot-layout.ts'

function row(key: string, text: string, kind: SnapshotRow['kind'] = 'object'): SnapshotRow {
  return { kind, key, uid: `uid-${key}`, resourceVersion: '7', bytes: Buffer.from(text) }
}

function blockOf(rows: readonly SnapshotRow[]): Buffer {
  const block = Buffer.alloc(rows.reduce((sum, each) => sum + sizeOfRow(each), 0))
  let at = 0
  for (const each of rows) at = writeRow(block, at, each)
  assert.equal(at, block.length)
  return block
}

describe('rows of a snapshot', () => {
  test('come back as they were written', () => {
    const rows = [row('shop/a', '{"a":1}'), row('näme', ''), row('shop/b', '{"text":"ü€😀"}', 'note')]
    assert.deepEqual(readRows(blockOf(rows), rows.length), rows)
  })

  test('are refused where they end behind their block, do not fill it, or are of another kind', () => {
    const block = blockOf([row('a', 'x'), row('b', 'y')])
    assert.throws(() => readRows(block.subarray(0, -1), 2), { code: 'corrupt' })
    assert.throws(() => readRows(block.subarray(0, 5), 1), { code: 'corrupt' })
    assert.throws(() => readRows(block, 1), { code: 'corrupt' })
    assert.throws(() => readRows(block, 3), { code: 'corrupt' })
    block[0] = 9
    assert.throws(() => readRows(block, 2), { code: 'corrupt' })
  })

  test('do not hold names that no object can have', () => {
    assert.throws(() => sizeOfRow(row('a'.repeat(70_000), '')), { code: 'too-large' })
  })
})
