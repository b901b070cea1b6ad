// `kubedelta tail`: shows the records of a topic as they come.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { topicOf } from '../consumer/topic-of.ts'
import { isReservedKey } from '../record/control.ts'
import type { StoredRecord, TopicAdmin } from '../topic/port.ts'
import type { TailOptions } from './command-options.ts'
import type { CommandContext } from './context.ts'
import { brokenLine, formatEntry, toEntry, unreadableLine } from './format-record.ts'
import { openLog } from './open-log.ts'
import { RecordSchemas } from './record-schemas.ts'
import { nearestFew } from './suggest.ts'

/**
 * Shows records until the signal aborts, or the end that was the end at the start.
 *
 * What cannot be read is a line on stderr, and the next record follows: one bad record must not hide the rest. With --until-end
 * the exit code then tells.
 *
 * @returns the exit code: 1 when --until-end was reached and something could not be read
 * @throws KubedeltaError `topic-missing` with names that are near, and as connecting and reading do
 */
export async function tail(options: TailOptions, context: CommandContext): Promise<number> {
  const { signal, output } = context
  const { from: url, resource = '', cluster, prefix } = options
  const topic = options.topic ?? topicOf({ from: url, resource, prefix, ...(cluster !== undefined && { cluster }) })
  await using log = await openLog(options.from, options, context)
  const at = (end: 'earliest' | 'latest'): Promise<ReadonlyMap<number, number>> =>
    offsetsOf(log.admin, topic, end, options, signal)
  const from = await at(options.fromBeginning ? 'earliest' : 'latest')
  const until = options.untilEnd ? await at('latest') : undefined

  const schemas = new RecordSchemas(options.registry)
  const format = formatEntry(options.output, topic)
  const isShown = filterOf(options)
  let unreadable = 0
  await using reader = await log.openReader({ signal })
  for await (const batch of reader.read({ topic, from, ...(until === undefined ? {} : { until }), signal })) {
    const lines: string[] = []
    for (const broken of batch.broken ?? []) {
      unreadable += 1
      output.warn(brokenLine(broken, batch.partition, topic))
    }
    for (const stored of batch.records) {
      try {
        schemas.learn(stored)
        if (!isShown(stored)) continue
        const { value } = stored
        const record = value === null ? undefined : await schemas.decode(value)
        lines.push(`${format(toEntry(stored, record))}\n`)
      } catch (error) {
        if (!hasCode(error, 'corrupt', 'unknown-schema')) throw error
        unreadable += 1
        output.warn(unreadableLine(stored, topic, error))
      }
    }
    if (lines.length > 0) await output.write(lines.join(''))
  }
  return unreadable > 0 && !signal.aborted ? 1 : 0
}

/** Keys decide, so that what is not shown is not decoded. */
function filterOf({ namespace, control }: TailOptions): (stored: StoredRecord) => boolean {
  const prefixes = namespace.map((name) => `${name}/`)
  return (stored) => {
    const key = stored.key.toString('utf8')
    if (isReservedKey(key)) return control
    return prefixes.length === 0 || prefixes.some((prefix) => key.startsWith(prefix))
  }
}

/** Asked rather than described: a consumer needs no permission on configurations. */
async function offsetsOf(
  admin: TopicAdmin,
  topic: string,
  at: 'earliest' | 'latest',
  { prefix }: TailOptions,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, number>> {
  try {
    return await admin.offsets(topic, at, signal)
  } catch (error) {
    if (!hasCode(error, 'topic-missing')) throw error
    const topics = (await admin.list(signal)).filter((name) => name.startsWith(`${prefix}.`))
    const near = [...new Set([...nearestFew(topic, topics, 3), ...topics.toSorted()])].slice(0, 5)
    const hint = near.length === 0 ? `no topic begins with ${prefix}.` : `there are ${near.join(', ')}`
    throw new KubedeltaError('topic-missing', `Cannot tail ${topic}: wanted a topic that exists: ${hint}`, {
      cause: error,
      fields: { topic, near },
    })
  }
}
