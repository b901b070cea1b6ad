// Measures how a cache is rebuilt from a topic on a real Kafka, beside a plain kafkajs consumer of the same topic.

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connect } from '../src/connect/connect.ts'
import type { Compression } from '../src/topic/port.ts'
import { startKafka } from '../test/support/kafka.ts'
import { temporaryFolder } from '../test/support/leftovers.ts'
import { summarizeProfiles } from './support/profile.ts'
import { runReader } from './support/rebuild-process.ts'
import type { ReaderKind, ReaderQuestion } from './support/rebuild-reader.ts'
import { printRebuildReport, type RebuildReport, type TopicReport } from './support/rebuild-report.ts'
import { fillTopic, type FillOptions } from './support/rebuild-topic.ts'

const HELP = `Usage: npm run bench:rebuild -- [options]

  --records N          Records in each topic (default: 300000)
  --keys N             Keys they go round (default: 100000)
  --partitions N       Partitions of each topic (default: 1)
  --rounds N           Runs of each reader; the table shows the best (default: 3)
  --compression LIST   Of none, gzip, zstd; a topic each (default: none,gzip,zstd)
  --readers LIST       Of cache, map, parse, and save,resume: a cache with a snapshot, and one from it (default: all)
  --format NAME        json or avro; the plain consumer parses JSON only (default: json)
  --small-objects N    One topic more, of so many small objects, for the longest pause; 0 leaves it out (default: 1000000)
  --profile            One more run of the cache under V8's profiler; prints where the time went
  --json               Prints one line of JSON instead of tables
`

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '300000' },
    keys: { type: 'string', default: '100000' },
    partitions: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    compression: { type: 'string', default: 'none,gzip,zstd' },
    readers: { type: 'string', default: 'cache,map,parse,save,resume' },
    format: { type: 'string', default: 'json' },
    'small-objects': { type: 'string', default: '1000000' },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'zstd']
const READERS: readonly ReaderKind[] = ['cache', 'map', 'parse', 'save', 'resume']
const FORMATS: readonly FillOptions['format'][] = ['json', 'avro']

if (values.help) process.stdout.write(HELP)
else await bench()

async function bench(): Promise<void> {
  const partitions = count('partitions', 1)
  const [format = 'json'] = choices('format', values.format, FORMATS)
  const compressions = choices('compression', values.compression, COMPRESSIONS)
  const readers = choices('readers', values.readers, READERS)
  const size = { records: count('records', 1), keys: count('keys', 1) }
  const rounds = count('rounds', 1)
  const smallObjects = count('small-objects', 0)
  say('starting Kafka')
  await using kafka = await startKafka({ optimized: true, heapMb: 1024 })
  const { brokers } = kafka

  const topics: TopicReport[] = []
  for (const compression of compressions) {
    const fill = { ...size, brokers, partitions, format, compression, size: 'pod', ...named(compression) } as const
    topics.push(await measure(fill, Array.from({ length: rounds }, () => readers).flat()))
  }
  const few = { records: smallObjects, keys: smallObjects, size: 'small' } as const
  const small =
    smallObjects === 0
      ? undefined
      : await measure({ ...few, brokers, partitions, format, compression: 'none', ...named('small') }, ['cache'])
  const [first = 'none'] = compressions
  const profile = values.profile ? await profileOf({ brokers, ...named(first) }) : undefined
  const report: RebuildReport = { topics, ...(small && { small }), ...(profile && { profile }) }
  if (values.json) process.stdout.write(`${JSON.stringify(report)}\n`)
  else printRebuildReport(report)
}

function named(what: string): { readonly cluster: string; readonly topic: string } {
  return { cluster: what, topic: `kubedelta.${what}.pods` }
}

/** Fills a topic, then lets each reader read it, one after the other. */
async function measure(fill: FillOptions, readers: readonly ReaderKind[]): Promise<TopicReport> {
  const { brokers, topic, cluster, compression, records, keys } = fill
  say(`writing ${records} records, compression ${compression}`)
  const { bytesOfObject } = await fillTopic(fill)
  using folder = temporaryFolder('snapshot')
  const directory = folder.path
  const ends = await endsOf(brokers, topic)
  const rounds: Array<TopicReport['rounds'][number]> = []
  for (const kind of readers) {
    const figures = await runReader({ kind, brokers, topic, cluster, ends, directory })
    say(`${kind}: ${figures.seconds.toFixed(2)} s`)
    rounds.push({ kind, ...figures })
  }
  return { compression, records, keys, bytesOfObject, rounds }
}

async function profileOf(
  where: Pick<ReaderQuestion, 'brokers' | 'topic' | 'cluster'>,
): Promise<RebuildReport['profile']> {
  using folder = temporaryFolder('profile')
  const path = join(folder.path, 'profiles')
  await runReader({ kind: 'cache', ends: [], directory: '', ...where }, ['--cpu-prof', `--cpu-prof-dir=${path}`])
  return summarizeProfiles(path)
}

async function endsOf(brokers: string, topic: string): Promise<readonly number[]> {
  const { signal } = new AbortController()
  await using log = await connect(`kafka://${brokers}`, { signal })
  const ends = await log.admin.offsets(topic, 'latest', signal)
  return [...ends].toSorted(([a], [b]) => a - b).map(([, end]) => end)
}

function choices<T extends string>(name: string, text: string, known: readonly T[]): readonly T[] {
  return text.split(',').map((word) => {
    const found = known.find((each) => each === word)
    if (found !== undefined) return found
    throw new RangeError(`Cannot measure: '--${name}' must be of ${known.join(', ')}: current value is ${word}`)
  })
}

function count(name: 'records' | 'keys' | 'partitions' | 'rounds' | 'small-objects', least: number): number {
  const number = Number(values[name])
  if (Number.isInteger(number) && number >= least) return number
  throw new RangeError(
    `Cannot measure: '--${name}' must be a whole number >= ${least}: current value is ${values[name]}`,
  )
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
