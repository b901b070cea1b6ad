// Keeps the objects of a cluster and all their changes in SQLite, from the topics of a bridge.

import { parseArgs } from 'node:util'
import { connect, topicRecords, type TopicLog } from 'kubedelta/consumer'
import { report } from './report.ts'
import { AnalyticsStore } from './store.ts'

const { values, positionals: resources } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: 'string', default: 'kafka://localhost:9092' },
    cluster: { type: 'string' },
    db: { type: 'string', default: 'kubedelta.db' },
    'until-end': { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
  },
})

if (resources.length === 0 && !values.report) {
  process.stderr.write('analytics: wanted the resources to keep, such as pods deployments.apps, or --report\n')
  process.exit(2)
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

try {
  using store = new AnalyticsStore(values.db)
  if (resources.length > 0) {
    // One connection for all topics.
    await using log = await connect(values.from, { signal: stopping.signal })
    await Promise.all(resources.map((resource) => keep(store, log, resource)))
  }
  if (values.report) process.stdout.write(report(store))
} catch (error) {
  // Interrupted, whatever ends it is its way to end.
  if (!stopping.signal.aborted) {
    process.stderr.write(`analytics: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
} finally {
  stopping.abort()
}

/** Follows one topic from where the database is. */
async function keep(store: AnalyticsStore, from: TopicLog, resource: string): Promise<void> {
  // As the library names topics where nothing else is said: of a directory the cluster is `kubernetes`.
  const { cluster = values.from.startsWith('file:') ? 'kubernetes' : 'dev', 'until-end': untilEnd } = values
  const positions = store.positions(`kubedelta.${cluster}.${resource}`)
  const source = { from, cluster, resource, untilEnd, signal: stopping.signal }
  let isLive = false
  for await (const batch of topicRecords({ ...source, positions })) {
    store.take(batch)
    const { start, live } = batch
    if (start !== undefined)
      say(start.kind === 'anew' ? `${resource}: from the start: ${start.reason}` : `${resource}: goes on`)
    if (live && !isLive) say(`${resource}: up to date`)
    isLive = live
  }
}

function say(what: string): void {
  process.stdout.write(`${what}\n`)
}
