// `kubedelta tail`: shows the records of a topic as they come.

import { hasCode, KubedeltaError } from '../base/errors.ts'
import { RecordDecoder } from '../codec/codec.ts'
import { SchemaStore } from '../codec/schema-source.ts'
import { topicOf } from '../consumer/topic-of.ts'
import { fromHeaders, isReservedKey } from '../record/control.ts'
import type { KubeRecord } from '../record/record.ts'
import { SchemaRegistry } from '../registry/registry.ts'
import type { StoredRecord, TopicAdmin } from '../topic/port.ts'
import type { TailOptions } from './command-options.ts'
import type { CommandContext } from './context.ts'
import { formatEntry, toEntry, unreadableLine } from './format-record.ts'
import { openLog } from './open-log.ts'
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
  const named = options.topic
  const topic = topicOf({
    from: url,
    resource,
    prefix,
    ...(named !== undefined && { topic: named }),
    ...(cluster !== undefined && { cluster }),
  })
  await using log = await openLog(options.from, options, context)
  const at = (end: 'earliest' | 'latest'): Promise<ReadonlyMap<number, number>> =>
    offsetsOf(log.admin, topic, end, options, signal)
  const from = await at(options.fromBeginning ? 'earliest' : 'latest')
  const until = options.untilEnd ? await at('latest') : undefined

  const schemas = new Schemas(options.registry)
  const format = formatEntry(options.output, topic)
  const isShown = filterOf(options)
  let unreadable = 0
  await using reader = await log.openReader({ signal })
  for await (const batch of reader.read({ topic, from, ...(until === undefined ? {} : { until }), signal })) {
    const lines: string[] = []
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

/** Writer schemas as they are met: in progress records, and from a registry when an id is asked for. */
class Schemas {
  readonly #store = new SchemaStore()
  readonly #decoder = new RecordDecoder(this.#store)
  readonly #registry: SchemaRegistry | undefined

  constructor(registryUrl: string | undefined) {
    this.#registry = registryUrl === undefined ? undefined : new SchemaRegistry({ url: registryUrl })
  }

  /** @throws KubedeltaError `corrupt` for a control record with damaged headers */
  learn({ key, value, headers }: StoredRecord): void {
    if (value !== null) return
    const name = key.toString('utf8')
    const control = isReservedKey(name) ? fromHeaders(name, headers) : undefined
    if (control !== undefined) this.#store.learn(control.schemas)
  }

  async decode(value: Buffer): Promise<KubeRecord> {
    try {
      return this.#decoder.decode(value)
    } catch (error) {
      if (!hasCode(error, 'unknown-schema') || typeof error.fields.id !== 'number') throw error
      if (this.#registry === undefined) {
        throw new KubedeltaError('unknown-schema', `${error.message}: pass --registry URL`, { cause: error })
      }
      await this.#registry.load(error.fields.id, this.#store)
      return this.#decoder.decode(value)
    }
  }
}
