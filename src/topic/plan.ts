// Compares a topic as it should be with the one that is there, and names the fix of each difference. Looks at nothing itself.

import { KubedeltaError } from '../base/errors.ts'
import type { TopicDescription, TopicSpec } from './port.ts'

export interface WantedTopic {
  readonly topic: string
  /** With how many it is created, and how many it has to have where it exists. @default 1 where it is created, any number where it exists */
  readonly partitions?: number | undefined
  /** Replicas when it is created. @default the brokers' default */
  readonly replicationFactor?: number | undefined
}

/** One difference: what it is, what it should be, how to mend it. */
export interface TopicProblem {
  readonly what: string
  readonly fix: string
}

/**
 * - `missing`: can be created.
 * - `fit`: may be used; `warnings` do not stop anything.
 * - `unfit`: a bridge refuses it. Nothing here alters a topic: who made it decides.
 */
export type TopicPlan =
  | { readonly kind: 'missing'; readonly spec: TopicSpec }
  | { readonly kind: 'fit'; readonly partitions: number; readonly warnings: readonly TopicProblem[] }
  | {
      readonly kind: 'unfit'
      readonly partitions: number
      readonly problems: readonly TopicProblem[]
      readonly warnings: readonly TopicProblem[]
    }

const HOUR_MS = 3_600_000
const MIN_DELETE_RETENTION_MS = 24 * HOUR_MS
const MIN_REPLICAS = 3
/** The default of message.timestamp.after.max.ms since Kafka 4.0 (KIP-1030). */
const MIN_TIMESTAMP_LIMIT_MS = HOUR_MS
const TIMESTAMP_LIMITS = [
  'message.timestamp.before.max.ms',
  'message.timestamp.after.max.ms',
  'message.timestamp.difference.max.ms',
] as const

/** Tombstones stay for a week, so that a consumer that was away for days still sees deletes; closed segments come early, so that compaction can work. */
const CONFIG: ReadonlyMap<string, string> = new Map([
  ['cleanup.policy', 'compact'],
  ['max.message.bytes', String(4 * 1024 * 1024)],
  ['delete.retention.ms', String(7 * 24 * HOUR_MS)],
  ['segment.ms', String(HOUR_MS)],
  ['max.compaction.lag.ms', String(6 * HOUR_MS)],
])

/** How a topic of records is created. */
export function topicSpec({ topic, partitions = 1, replicationFactor = -1 }: WantedTopic): TopicSpec {
  return { topic, partitions, replicationFactor, config: CONFIG }
}

/** What is to be done about a topic; `found` is undefined where there is none. */
export function planTopic(wanted: WantedTopic, found: TopicDescription | undefined): TopicPlan {
  if (found === undefined) return { kind: 'missing', spec: topicSpec(wanted) }
  const problems = [...cleanupProblems(found), ...retentionProblems(found), ...partitionProblems(wanted, found)]
  const warnings = [...sizeWarnings(found), ...replicationWarnings(found), ...timestampWarnings(found)]
  const { partitions } = found
  return problems.length === 0
    ? { kind: 'fit', partitions, warnings }
    : { kind: 'unfit', partitions, problems, warnings }
}

/**
 * The error of an unfit topic, with every problem and its fix.
 * @returns KubedeltaError `topic-unfit`
 */
export function unfitTopic(topic: string, problems: readonly TopicProblem[]): KubedeltaError {
  const reasons = problems.map(({ what, fix }) => `${what}: ${fix}`).join('; ')
  return new KubedeltaError('topic-unfit', `Cannot use topic ${topic}: ${reasons}`, {
    fields: { topic, problems: problems.map(({ what }) => what) },
  })
}

/** `cleanup.policy` may name several; whatever deletes by age or size loses the objects that never change. */
function cleanupProblems({ topic, config }: TopicDescription): readonly TopicProblem[] {
  const current = config.get('cleanup.policy')
  if (current === undefined) return []
  const policies = current.split(',').map((policy) => policy.trim())
  if (policies.includes('compact') && !policies.includes('delete')) return []
  return [
    {
      what: `cleanup.policy must be compact: current value is ${current}`,
      fix: alterConfig(topic, 'cleanup.policy=compact'),
    },
  ]
}

function retentionProblems({ topic, config }: TopicDescription): readonly TopicProblem[] {
  const current = config.get('delete.retention.ms')
  if (current === undefined || Number(current) >= MIN_DELETE_RETENTION_MS) return []
  return [
    {
      what: `delete.retention.ms must be >= ${MIN_DELETE_RETENTION_MS} (24 h): current value is ${current}`,
      fix: alterConfig(topic, `delete.retention.ms=${CONFIG.get('delete.retention.ms')}`),
    },
  ]
}

/** More partitions move keys, so that is not a fix for a topic with records. */
function partitionProblems(wanted: WantedTopic, found: TopicDescription): readonly TopicProblem[] {
  if (wanted.partitions === undefined || wanted.partitions === found.partitions) return []
  return [
    {
      what: `partitions must be ${wanted.partitions}: current value is ${found.partitions}`,
      fix: `keep ${found.partitions} by leaving out --partitions, or delete the topic and let it be written anew`,
    },
  ]
}

function sizeWarnings({ topic, config }: TopicDescription): readonly TopicProblem[] {
  const current = config.get('max.message.bytes')
  const wanted = CONFIG.get('max.message.bytes')
  if (current === undefined || Number(current) >= Number(wanted)) return []
  return [
    {
      what: `max.message.bytes is ${current}, under ${wanted}: larger objects are withheld`,
      fix: alterConfig(topic, `max.message.bytes=${wanted}`),
    },
  ]
}

function replicationWarnings({
  topic,
  replicationFactor,
  replicated = true,
}: TopicDescription): readonly TopicProblem[] {
  if (!replicated || replicationFactor >= MIN_REPLICAS) return []
  return [
    {
      what: `replication factor is ${replicationFactor}, under ${MIN_REPLICAS}: a lost broker may lose records`,
      fix: `reassign the replicas of ${topic} with kafka-reassign-partitions.sh`,
    },
  ]
}

/**
 * Brokers refuse timestamps beyond these limits, with CreateTime alone. A record that is too old is then written with the time of now; one
 * that is too new stops the bridge.
 */
function timestampWarnings({ topic, config }: TopicDescription): readonly TopicProblem[] {
  if (config.get('message.timestamp.type') === 'LogAppendTime') return []
  return TIMESTAMP_LIMITS.flatMap((name) => {
    const current = config.get(name)
    if (current === undefined || Number(current) >= MIN_TIMESTAMP_LIMIT_MS) return []
    return [
      {
        what: `${name} is ${current}, under ${MIN_TIMESTAMP_LIMIT_MS} (1 h): brokers refuse records where clocks differ that much or an outage lasts that long`,
        fix: alterConfig(topic, `${name}=${MIN_TIMESTAMP_LIMIT_MS}`),
      },
    ]
  })
}

function alterConfig(topic: string, setting: string): string {
  return `kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`
}
