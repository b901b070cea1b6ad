// Lays out rows as kubectl does: columns three spaces apart, no line longer than its last cell.

import type { Column } from './columns.ts'

// cli-runtime pkg/printers, tabwriter.go: tabwriterPadding and tabwriterMinWidth, which counts the padding in.
const GAP = 3
const MIN_WIDTH = 6

/** Lines with the column names first; ends in a newline. Empty without objects. */
export function printTable(columns: readonly Column[], objects: readonly unknown[], nowMs: number): string {
  if (objects.length === 0) return ''
  return layOut([
    columns.map(({ name }) => name),
    ...objects.map((object) => columns.map(({ cell }) => oneLine(cell(object, nowMs)))),
  ])
}

/** Rows of cells, padded to the widest of each column; ends in a newline. */
export function layOut(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  }
  return rows
    .map((row) => `${row.map((cell, index) => pad(cell, index, { widths, last: row.length - 1 })).join('')}\n`)
    .join('')
}

function pad(cell: string, index: number, { widths, last }: { widths: readonly number[]; last: number }): string {
  return index === last ? cell : cell.padEnd(Math.max((widths[index] ?? 0) + GAP, MIN_WIDTH))
}

// kubectl cuts a cell at its first line break and marks the cut (cli-runtime pkg/printers, tableprinter.go).
function oneLine(cell: string): string {
  const end = cell.search(/[\f\n\r]/)
  return end < 0 ? cell : `${cell.slice(0, end)}...`
}
