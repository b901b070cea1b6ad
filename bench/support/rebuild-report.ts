// Prints what the rebuild benchmark found.

import type { ProfileSummary } from './profile.ts'
import type { ReaderFigures, ReaderKind } from './rebuild-reader.ts'
import { megabytes, print, printProfile, table, type Row } from './report.ts'

export interface RebuildReport {
  readonly topics: readonly TopicReport[]
  /** One pass over many small objects, for the longest pause. */
  readonly small?: TopicReport
  readonly profile?: ProfileSummary
}

export interface TopicReport {
  /** `none`, `gzip`, `zstd`. */
  readonly compression: string
  readonly records: number
  readonly keys: number
  readonly bytesOfObject: number
  /** Every round of every reader. */
  readonly rounds: readonly (ReaderFigures & { readonly kind: ReaderKind })[]
}

const NAMES: Readonly<Record<ReaderKind, string>> = {
  cache: 'topicCache to Live',
  save: 'topicCache, snapshot kept',
  resume: 'topicCache from snapshot',
  map: 'kafkajs into a Map',
  parse: 'kafkajs with JSON.parse',
}

/** Shown is the quickest round of each reader; peaks and pauses are the worst of all its rounds. */
export function printRebuildReport({ topics, small, profile }: RebuildReport): void {
  for (const topic of topics) printTopic(topic)
  if (small !== undefined) printTopic(small)
  if (profile !== undefined) printProfile(profile)
}

function printTopic({ compression, records, keys, bytesOfObject, rounds }: TopicReport): void {
  print(`${records} records over ${keys} keys of ${bytesOfObject} bytes, compression ${compression}`)
  const byKind = Map.groupBy(rounds, ({ kind }) => kind)
  const plain = Math.min(...(byKind.get('map') ?? []).map(({ seconds }) => seconds))
  const rows = [...byKind].map(([kind, runs]): Row => {
    const seconds = Math.min(...runs.map((run) => run.seconds))
    const [first] = runs
    const objects = first?.objects ?? 0
    return [
      NAMES[kind],
      String(Math.round(records / seconds)),
      seconds.toFixed(2),
      Number.isFinite(plain) ? (plain / seconds).toFixed(2) : '',
      Math.min(...runs.map((run) => run.cpuSeconds)).toFixed(2),
      megabytes(Math.max(...runs.map((run) => run.peakRssBytes))),
      String(Math.round((first?.heapBytes ?? 0) / objects)),
      String(Math.round((first?.totalBytes ?? 0) / objects)),
      Math.max(...runs.map((run) => run.longestPauseMs)).toFixed(0),
    ]
  })
  table([
    ['', 'records/s', 'seconds', 'of kafkajs', 'CPU s', 'peak RSS', 'heap/object', 'bytes/object', 'pause ms'],
    ...rows,
  ])
}
