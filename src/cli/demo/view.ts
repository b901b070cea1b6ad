// Lays out one moment of the demo for a terminal of any size.

import type { Operation } from '../../record/record.ts'
import { escapeText } from '../terminal-text.ts'
import type { SeenRecord } from './activity.ts'
import type { BridgePhase, StoryLine } from './demo-run.ts'
import type { Line, ScreenSize, Span, Style } from './screen.ts'

/** One resource at one moment. */
export interface ResourcePicture {
  readonly resource: string
  /** Objects in the cluster. */
  readonly cluster: number
  /** Objects in the cache. */
  readonly cache: number
  /** Objects that are not the same in both. */
  readonly behind: number
  readonly ADDED: number
  readonly UPDATED: number
  readonly DELETED: number
  /** Of the three before, how many a start of the bridge has found out. */
  readonly recovered: number
}

/** One moment of the demo. */
export interface Picture {
  /** Milliseconds since the Unix epoch, as the others. */
  readonly nowMs: number
  readonly startedAtMs: number
  /** undefined: not known, or without end. */
  readonly endsAtMs: number | undefined
  readonly isEnding: boolean
  readonly phase: BridgePhase
  readonly resources: readonly ResourcePicture[]
  /** Records a second. */
  readonly rate: number
  readonly lagMs: number | undefined
  /** How many records came in each of the last half seconds, oldest first. */
  readonly strip: readonly number[]
  /** Oldest first, as the records. */
  readonly story: readonly StoryLine[]
  readonly records: readonly SeenRecord[]
}

const BARS = ' ▁▂▃▄▅▆▇█'
const ASCII_BARS = ' .:-=+*#@'
/** How many records fill a bar: measured by the list after an outage, all other bars would be flat. */
const FULL_BAR = 24

/** The lines of a moment, as many as there are rows. */
export function layOutPicture(picture: Picture, { columns, rows }: ScreenSize, isUnicode: boolean): readonly Line[] {
  const top = [headLine(picture, columns), flowLine(picture), stripLine(picture, columns, isUnicode), []]
  const table = [...tableLines(picture), []]
  // What is left is shared: the story is short, the records would fill any screen.
  const room = rows - top.length - table.length
  const storyRows = Math.max(1, Math.min(picture.story.length, room > 12 ? 6 : 2))
  const story = lastOf(picture.story, storyRows).map((line) => storyLine(line, picture.startedAtMs))
  const recordRows = Math.max(0, room - story.length - 1)
  const records = lastOf(picture.records, recordRows).map((record) => recordLine(record, picture.startedAtMs, columns))
  return [...top, ...table, ...story, [], ...records].slice(0, rows)
}

function headLine({ nowMs, startedAtMs, endsAtMs, isEnding }: Picture, columns: number): Line {
  const title = 'kubedelta demo'
  const limit = endsAtMs === undefined ? '' : ` of ${clockText(endsAtMs - startedAtMs)}`
  const time = isEnding ? 'comparing' : `${clockText(nowMs - startedAtMs)}${limit}`
  const right = `${time}   Ctrl-C ends it`
  const gap = ' '.repeat(Math.max(2, columns - title.length - right.length))
  return [{ text: title, style: 'bold' }, { text: gap }, { text: right, style: 'dim' }]
}

/** The way of a change, from left to right. */
function flowLine({ phase, resources }: Picture): Line {
  const sum = (of: (resource: ResourcePicture) => number): string =>
    String(resources.reduce((total, resource) => total + of(resource), 0))
  const arrow: Span = { text: ' -> ', style: 'dim' }
  return [
    { text: `cluster ${sum(({ cluster }) => cluster)}` },
    arrow,
    bridgeSpan(phase),
    arrow,
    { text: `log ${sum(({ ADDED, UPDATED, DELETED }) => ADDED + UPDATED + DELETED)} records` },
    arrow,
    { text: `cache ${sum(({ cache }) => cache)}` },
  ]
}

function bridgeSpan(phase: BridgePhase): Span {
  switch (phase.kind) {
    case 'starting':
      return { text: `bridge ${phase.pid} starting`, style: 'yellow' }
    case 'running':
      return { text: `bridge ${phase.pid} running`, style: 'green' }
    case 'killed':
      return { text: 'bridge KILLED', style: 'red' }
    case 'stopped':
      return { text: 'bridge stopped', style: 'dim' }
    default:
      return phase satisfies never
  }
}

function stripLine({ rate, lagMs, strip, resources }: Picture, columns: number, isUnicode: boolean): Line {
  const behind = resources.reduce((sum, resource) => sum + resource.behind, 0)
  const figures = [
    `${rate.toFixed(0).padStart(3)} records/s`,
    `lag ${lagMs === undefined ? '-' : `${lagMs} ms`}`.padEnd(11),
    `${String(behind).padStart(3)} behind`,
  ].join('   ')
  const bars = isUnicode ? BARS : ASCII_BARS
  const text = lastOf(strip, columns - figures.length - 3).map((count) => barOf(count, bars))
  return [{ text: figures }, { text: '   ' }, { text: text.join(''), style: 'cyan' }]
}

/** Something is never shown as nothing. */
function barOf(count: number, bars: string): string {
  const height = Math.ceil((Math.min(count, FULL_BAR) / FULL_BAR) * (bars.length - 1))
  return bars.charAt(height)
}

const COLUMNS: ReadonlyArray<readonly [name: keyof Omit<ResourcePicture, 'resource'>, width: number]> = [
  ['cluster', 9],
  ['cache', 7],
  ['behind', 8],
  ['ADDED', 8],
  ['UPDATED', 9],
  ['DELETED', 9],
  ['recovered', 11],
]
const NAME_WIDTH = 18

function tableLines({ resources }: Picture): readonly Line[] {
  const names = COLUMNS.map(([name, width]) => name.toUpperCase().padStart(width)).join('')
  return [
    [{ text: `${'RESOURCE'.padEnd(NAME_WIDTH)}${names}`, style: 'dim' }],
    ...resources.map((each): Line => [
      { text: escapeText(each.resource).padEnd(NAME_WIDTH) },
      ...COLUMNS.map(([name, width]) => ({ text: String(each[name]).padStart(width), ...cellStyle(name, each[name]) })),
    ]),
  ]
}

function cellStyle(name: keyof ResourcePicture, count: number): { readonly style?: Style } {
  if (count === 0) return { style: 'dim' }
  if (name === 'behind') return { style: 'yellow' }
  return name === 'recovered' ? { style: 'cyan' } : {}
}

function storyLine({ atMs, text }: StoryLine, startedAtMs: number): Line {
  return [{ text: `${timeText(atMs - startedAtMs)}  ` }, { text: escapeText(text), style: 'bold' }]
}

const OPERATION_STYLES: Readonly<Record<Operation, Style>> = {
  ADDED: 'green',
  UPDATED: 'yellow',
  DELETED: 'red',
  UNKNOWN: 'dim',
}

function recordLine(record: SeenRecord, startedAtMs: number, columns: number): Line {
  const { atMs, op, cause, resource, key, resourceVersion, finalStateUnknown } = record
  const isWide = columns >= 120
  return [
    { text: `${timeText(atMs - startedAtMs)}  `, style: 'dim' },
    { text: op.padEnd(9), style: OPERATION_STYLES[op] },
    { text: cause.padEnd(10), style: cause === 'RECOVERY' ? 'cyan' : 'dim' },
    { text: escapeText(resource).padEnd(NAME_WIDTH) },
    { text: isWide ? escapeText(key).padEnd(56) : escapeText(key) },
    { text: isWide ? resourceVersion.padEnd(10) : '', style: 'dim' },
    { text: isWide && finalStateUnknown ? 'last state known' : '', style: 'dim' },
  ]
}

function lastOf<T>(items: readonly T[], count: number): readonly T[] {
  return count > 0 ? items.slice(-count) : []
}

/** `12.3 s`, right-aligned for minutes. */
function timeText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8)
}

/** `1:05`. */
function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
