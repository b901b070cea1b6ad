// Prints who changed what in a cluster, a line a change, from the topics of a bridge.

import { parseArgs } from 'node:util'
import { connect, topicRecords, type RecordBatch, type TopicLog } from 'kubedelta/consumer'
import { States, type AuditedObject, type Change } from './change.ts'

const { values, positionals: resources } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string', default: 'kafka://localhost:9092' },
    cluster: { type: 'string' },
    output: { type: 'string', short: 'o', default: 'text' },
    'from-beginning': { type: 'boolean', default: false },
    'until-end': { type: 'boolean', default: false },
  },
})

if (resources.length === 0) {
  process.stderr.write('audit: wanted the resources to follow, such as deployments.apps configmaps\n')
  process.exit(2)
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
const format = values.output === 'json' ? (change: Change) => JSON.stringify(change) : formatText

try {
  // One connection for all topics.
  await using log = await connect(values.from, { signal: stopping.signal })
  await Promise.all(resources.map((resource) => audit(log, resource)))
} catch (error) {
  // Interrupted, whatever ends it is its way to end.
  if (!stopping.signal.aborted) {
    process.stderr.write(`audit: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
} finally {
  stopping.abort()
}

/** Follows one topic. What stood there at the start is where changes begin, unless the past is asked for. */
async function audit(from: TopicLog, resource: string): Promise<void> {
  const { 'from-beginning': withPast, 'until-end': untilEnd } = values
  // As the library names topics where nothing else is said: of a directory the cluster is `kubernetes`.
  const { cluster = values.from.startsWith('file:') ? 'kubernetes' : 'dev' } = values
  const states = new States(resource)
  let isTold = withPast
  for await (const batch of topicRecords<AuditedObject>({
    from,
    cluster,
    resource,
    untilEnd,
    signal: stopping.signal,
  })) {
    const changes = changesOf(batch, states, resource)
    if (isTold) for (const change of changes) print(change)
    if (batch.live && !isTold) {
      process.stderr.write(`audit: following ${resource}\n`)
      isTold = true
    }
  }
}

function changesOf(
  { start, entries, live }: RecordBatch<AuditedObject>,
  states: States,
  resource: string,
): readonly Change[] {
  if (start?.kind === 'anew') {
    states.begin()
    if (start.reason !== 'first') process.stderr.write(`audit: reading ${resource} from its start: ${start.reason}\n`)
  }
  const changes: Change[] = []
  for (const entry of entries) {
    if (entry.kind === 'unreadable' || entry.kind === 'broken') {
      process.stderr.write(
        `audit: ${entry.topic} partition ${entry.partition} offset ${entry.offset}: ${entry.error.message}\n`,
      )
    } else if (entry.kind !== 'progress') {
      const change = states.take(entry)
      if (change !== undefined) changes.push(change)
    }
  }
  return live ? [...changes, ...states.sweep(Date.now())] : changes
}

function print(change: Change): void {
  process.stdout.write(`${format(change)}\n`)
}

/** `TIME RESOURCE KEY OP by WHO PATCH`; what is added or deleted has no patch. */
function formatText({ time, resource, key, op, actor, patch }: Change): string {
  const { manager, operation, subresource } = actor
  const how = [operation, subresource].filter(Boolean).join(' ')
  const who = how === '' ? manager : `${manager} (${how})`
  const what = op === 'UPDATED' ? ` ${JSON.stringify(patch)}` : ''
  return printable(`${time} ${resource} ${key} ${op} by ${who}${what}`)
}

/** Whoever writes an object names himself: no character of his moves the cursor. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
