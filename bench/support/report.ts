// Prints what the bridge's benchmark found.

import type { ProfileShare, ProfileSummary } from './profile.ts'
import type { UpdateFigures } from './updates.ts'

export interface BridgeReport {
  readonly pods: number
  /** In a LIST. */
  readonly bytesOfPod: number
  /** Seconds of each raw LIST. */
  readonly lists: readonly number[]
  readonly syncs: readonly SyncFigures[]
  readonly restart: RestartFigures
  readonly updates?: UpdateFigures
  readonly profile?: ProfileSummary
}

export interface SyncFigures {
  /** From the log line `starting` to the last acknowledgement: the figure. */
  readonly seconds: number
  /** The same from the start of the process. */
  readonly processSeconds: number
  readonly peakRssBytes: number
  readonly cpuSeconds: number
}

export interface RestartFigures {
  readonly keys: number
  /** To read the topic and rebuild the index. */
  readonly indexSeconds: number
  /** From the log line `starting` until it is synced again. */
  readonly seconds: number
  readonly peakRssBytes: number
}

/** The cells of a line; numbers stand right. */
export type Row = readonly string[]

/** Functions and parts of a profile that are shown. */
const PROFILE_ROWS = 25

export function printReport({ pods, bytesOfPod, lists, syncs, restart, updates, profile }: BridgeReport): void {
  const list = Math.min(...lists)
  const sync = least(syncs, 'seconds')
  const total = least(syncs, 'processSeconds')
  const peaks = syncs.map(({ peakRssBytes }) => peakRssBytes)
  const row = (what: string, seconds: number): Row => [
    what,
    String(Math.round(pods / seconds)),
    seconds.toFixed(2),
    (seconds / list).toFixed(2),
  ]
  print(`${pods} pods of ${bytesOfPod} bytes; best of ${lists.length} lists and ${syncs.length} syncs`)
  table([
    ['', 'objects/s', 'seconds', 'of raw LIST'],
    row('raw LIST to nowhere', list),
    row('bridge: starting to all acknowledged', sync),
    row('bridge: median of that', median(syncs.map(({ seconds }) => seconds))),
    row('bridge: with the start of its process', total),
  ])
  print(`peak RSS of the bridge: ${megabytes(Math.max(...peaks))}; its CPU: ${round(least(syncs, 'cpuSeconds'))} s`)
  print(
    `restart on ${restart.keys} keys: index in ${round(restart.indexSeconds)} s, synced after ${round(restart.seconds)} s, peak RSS ${megabytes(restart.peakRssBytes)}`,
  )
  if (updates !== undefined) {
    const { perSecond, records, p50Ms, p99Ms, maxMs } = updates
    print(
      `${round(perSecond)} updates/s, stamp to record: p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms (${records} records)`,
    )
  }
  if (profile !== undefined) printProfile(profile)
}

export function printProfile(profile: ProfileSummary): void {
  print(`main thread: ${round(profile.busySeconds)} s of work, by part and by function (their own time)`)
  table(shares(profile.parts))
  table(shares(profile.functions))
}

function shares(all: readonly ProfileShare[]): readonly Row[] {
  return all.slice(0, PROFILE_ROWS).map(({ name, seconds }) => [name, seconds.toFixed(2)])
}

function least(syncs: readonly SyncFigures[], field: keyof SyncFigures): number {
  return Math.min(...syncs.map((sync) => sync[field]))
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

function round(number: number): number {
  return Math.round(number * 100) / 100
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`
}

export function table(rows: readonly Row[]): void {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, n) => Math.max(all[n] ?? 0, cell.length)), [])
  for (const row of rows) {
    print(row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('  '))
  }
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
