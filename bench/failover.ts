// Measures how long a topic stands still when its leader ends: from the last record of one leader to the first of the next, on a real apiserver and Kafka.

import { parseArgs } from 'node:util'
import type { BridgeProcess } from '../test/support/bridge-process.ts'
import { startStory, type BridgeStory } from '../test/support/bridge-story.ts'
import { Candidates } from '../test/support/candidates.ts'
import { isRecord, type RecordLine, type TopicFollower } from '../test/support/topic-lines.ts'

const HELP = `Usage: npm run bench:failover -- [options]

  --timing NAME  default (client-go's: lease 15s, renew 10s, retry 2s), quick (3s, 2s, 500ms) or both (default: both)
  --json         Prints one line of JSON
  -h, --help     Prints this
`

const TIMINGS = { default: ['15s', '10s', '2s'], quick: ['3s', '2s', '500ms'] } as const

type TimingName = keyof typeof TIMINGS

/** How a leader ends: told to, frozen amid writes, or killed. */
const ENDINGS = {
  SIGTERM: (leader: BridgeProcess) => leader.stop(),
  SIGSTOP: async (leader: BridgeProcess) => leader.signal('SIGSTOP'),
  SIGKILL: (leader: BridgeProcess) => leader.kill(),
} as const

type EndingName = keyof typeof ENDINGS

/** One failover. */
export interface FailoverFigures {
  readonly timing: TimingName
  readonly ending: EndingName
  /** Between the last record of the old leader and the first of the new one, by the times at which they were seen. */
  readonly gapSeconds: number
}

/** Records of a leader that count as writing. */
const SOME = 20

await main()

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      timing: { type: 'string', default: 'both' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  const timings = timingsOf(values.timing)
  await using story = await startStory()
  const figures: FailoverFigures[] = []
  for (const timing of timings) {
    for (const ending of ['SIGTERM', 'SIGSTOP', 'SIGKILL'] as const) {
      process.stderr.write(`measuring: ${ending}, timing ${timing}\n`)
      figures.push(await measure(story, timing, ending))
    }
  }
  process.stdout.write(values.json ? `${JSON.stringify(figures)}\n` : figures.map(lineOf).join(''))
}

async function measure(story: BridgeStory, timing: TimingName, ending: EndingName): Promise<FailoverFigures> {
  const name = `${timing}-${ending.toLowerCase()}`
  const candidates = new Candidates({ story, name, timing: TIMINGS[timing] })
  await candidates.prepare()
  await using leader = await candidates.start()
  await using standby = await candidates.start()
  await using topic = candidates.follow()
  const stop = new AbortController()
  const changing = candidates.changeUntil(stop.signal)
  await written(topic, 1)
  await ENDINGS[ending](leader)
  await candidates.leads(standby)
  await written(topic, 2)
  stop.abort()
  await changing
  await candidates.assertWhole(topic)
  const last = recordsOf(topic, 1).at(-1)?.observedAt ?? Number.NaN
  const first = recordsOf(topic, 2).at(0)?.observedAt ?? Number.NaN
  return { timing, ending, gapSeconds: (first - last) / 1000 }
}

async function written(topic: TopicFollower, epoch: number): Promise<void> {
  await topic.until(() => recordsOf(topic, epoch).length >= SOME, `records of epoch ${epoch}`)
}

function recordsOf(topic: TopicFollower, epoch: number): readonly RecordLine[] {
  return topic.lines.filter(isRecord).filter((line) => line.epoch === epoch)
}

function timingsOf(name: string): readonly TimingName[] {
  if (name === 'both') return ['default', 'quick']
  if (name === 'default' || name === 'quick') return [name]
  throw new RangeError(`Cannot measure: '--timing' must be default, quick or both: current value is ${name}`)
}

function lineOf({ timing, ending, gapSeconds }: FailoverFigures): string {
  return `${ending}  ${timing.padEnd(7)}  ${gapSeconds.toFixed(2).padStart(6)} s without a record\n`
}
