import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cutLine, type Line } from '../../../../src/cli/demo/screen.ts'
import { layOutPicture, type Picture } from '../../../../src/cli/demo/view.ts'

const resource = { cluster: 120, cache: 118, behind: 2, ADDED: 300, UPDATED: 4000, DELETED: 182, recovered: 12 }
const picture: Picture = {
  nowMs: 65_400,
  startedAtMs: 0,
  endsAtMs: undefined,
  isEnding: false,
  phase: { kind: 'running', pid: 4_194_303 },
  resources: ['pods', 'deployments.apps'].map((name) => ({ resource: name, ...resource })),
  rate: 24.4,
  lagMs: 12,
  strip: [0, 1, 24, 500],
  story: Array.from({ length: 9 }, (_, index) => ({ atMs: 1000 * index, text: `story ${index}` })),
  records: Array.from({ length: 90 }, (_, index) => ({
    atMs: 60_000 + index,
    resource: 'pods',
    key: `shop/cart-${index}`,
    op: 'DELETED',
    cause: 'RECOVERY',
    resourceVersion: '7',
    finalStateUnknown: true,
  })),
}

function textOf(line: Line): string {
  return line.map(({ text }) => text).join('')
}

function screenOf(shown: Picture, columns: number, rows: number): readonly string[] {
  return layOutPicture(shown, { columns, rows }, true).map((line) => textOf(cutLine(line, columns)))
}

describe('the view of the demo', () => {
  for (const [columns, rows] of [
    [20, 5],
    [80, 24],
    [160, 50],
    [400, 200],
  ] as const) {
    test(`fits ${columns}x${rows}`, () => {
      const lines = screenOf(picture, columns, rows)
      assert.ok(lines.length <= rows)
      for (const line of lines) assert.ok(line.length <= columns, line)
    })
  }

  test('uses the last row for the newest record', () => {
    assert.match(screenOf(picture, 80, 24)[23] ?? '', /DELETED {2}RECOVERY {2}pods +shop\/cart-89$/)
    assert.equal(screenOf(picture, 80, 24).length, 24)
  })

  test('says more of a record where there is room', () => {
    assert.match(screenOf(picture, 160, 50)[49] ?? '', /shop\/cart-89 +7 +last state known$/)
  })

  test('shows something as more than nothing', () => {
    const [, , strip = ''] = screenOf(picture, 80, 24)
    assert.ok(strip.endsWith(' ▁██'), strip)
    const ascii = layOutPicture(picture, { columns: 80, rows: 24 }, false)
    assert.match(textOf(ascii[2] ?? []), / \.@@$/)
  })

  test('lets no control character of a name reach the terminal', () => {
    const [record] = picture.records
    assert.ok(record !== undefined)
    const lines = screenOf({ ...picture, records: [{ ...record, key: 'a\u001b[2Jb\nc' }] }, 160, 50)
    assert.ok(lines.every((line) => !/\p{Cc}/u.test(line)))
    assert.ok(lines.some((line) => line.includes('a\\u{1b}[2Jb\\u{a}c')))
  })
})

test('a line that is cut says so', () => {
  const line: Line = [{ text: 'abc', style: 'bold' }, { text: 'defgh' }]
  assert.deepEqual(cutLine(line, 8), line)
  assert.equal(textOf(cutLine(line, 7)), 'abcde..')
  assert.equal(textOf(cutLine(line, 4)), 'ab..')
  assert.equal(textOf(cutLine(line, 1)), '.')
})
