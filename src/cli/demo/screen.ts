// Draws lines on a terminal in place: only what has changed is written, all of a frame at once.

import { styleText } from 'node:util'

export type Style = Extract<Parameters<typeof styleText>[0], string>

/** A part of a line. Its text has no control characters, each character takes one column. */
export interface Span {
  readonly text: string
  readonly style?: Style
}

export type Line = readonly Span[]

export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

const ESC = '\u001b['
/** The terminal's other screen, without cursor and without wrapping: what was there before comes back at the end. */
const OPEN = `${ESC}?1049h${ESC}?25l${ESC}?7l${ESC}2J`
const CLOSE = `${ESC}?7h${ESC}?25h${ESC}?1049l`
/** Between these a terminal that knows them shows nothing half done; others ignore them. */
const BEGIN = `${ESC}?2026h`
const END = `${ESC}?2026l`

/** The terminal on stdout. It is as it was when this is disposed of, and when the process exits before. */
export class Screen implements Disposable {
  #drawn: readonly string[] = []
  #size = ''

  constructor() {
    process.stdout.write(OPEN)
    process.on('exit', this.#close)
  }

  /** The size now. */
  get size(): ScreenSize {
    const { columns, rows } = process.stdout
    return { columns, rows }
  }

  /** Shows these lines from the top; what does not fit is cut off. A terminal that is slow misses frames. */
  draw(lines: readonly Line[]): void {
    if (process.stdout.writableNeedDrain) return
    const { columns, rows } = this.size
    const size = `${columns}x${rows}`
    const isResized = size !== this.#size
    const texts = Array.from({ length: rows }, (_, row) => lineText(cutLine(lines[row] ?? [], columns)))
    const changed = texts.map((text, row) =>
      isResized || text !== (this.#drawn[row] ?? '') ? `${ESC}${row + 1};1H${ESC}2K${text}` : '',
    )
    this.#drawn = texts
    this.#size = size
    const frame = `${isResized ? `${ESC}2J` : ''}${changed.join('')}`
    if (frame !== '') process.stdout.write(`${BEGIN}${frame}${END}`)
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#close)
    this.#close()
  }

  readonly #close = (): void => {
    process.stdout.write(CLOSE)
  }
}

/** The line in at most so many columns; a cut shows. */
export function cutLine(line: Line, columns: number): Line {
  const length = line.reduce((sum, { text }) => sum + text.length, 0)
  if (length <= columns) return line
  let room = Math.max(0, columns - CUT.length)
  const kept: Span[] = []
  for (const span of line) {
    if (room <= 0) break
    kept.push({ ...span, text: span.text.slice(0, room) })
    room -= span.text.length
  }
  return [...kept, { text: CUT.slice(0, columns) }]
}

const CUT = '..'

function lineText(line: Line): string {
  return line
    .map(({ text, style }) => (style === undefined ? text : styleText(style, text, { stream: process.stdout })))
    .join('')
}
