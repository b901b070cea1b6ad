// `kubedelta topics plan|apply`: which topics are to be created or wrong, and which permissions the bridge needs.

import { fromUnknown, hasCode } from '../base/errors.ts'
import { parseLogUrl } from '../connect/log-url.ts'
import { topicName } from '../record/topic-name.ts'
import { planTopic, unfitTopic } from '../topic/plan.ts'
import type { WantedTopic } from '../topic/plan.ts'
import type { TopicAdmin } from '../topic/port.ts'
import type { TopicsOptions } from './command-options.ts'
import { errorLine } from './context.ts'
import type { CommandContext } from './context.ts'
import { exitCodeOf } from './exit-code.ts'
import type { ExitCode } from './exit-code.ts'
import { aclsOf, formatTopics } from './format-topics.ts'
import type { TopicRow } from './format-topics.ts'
import { openCluster } from './open-cluster.ts'
import { openLog } from './open-log.ts'
import { resolveResources } from './resolve-resources.ts'

/**
 * Plans the topics of the selected resources, or creates those that are missing.
 * @returns for `plan`: 0 nothing to do, 1 something is missing or unfit, 3 could not tell. For `apply`: 0
 * @throws KubedeltaError usage and configuration errors for both; for `apply` also `topic-unfit`, before anything is created, and what
 *   creating fails with
 */
export async function topics(options: TopicsOptions, context: CommandContext): Promise<ExitCode> {
  if (options.action === 'apply') return await apply(options, context)
  try {
    return await plan(options, context)
  } catch (caught) {
    const error = fromUnknown(caught, 'Cannot plan topics')
    if (error.code === 'internal' || error.code === 'aborted' || exitCodeOf(error) === 2) throw error
    context.output.warn(errorLine(error))
    return 3
  }
}

async function plan(options: TopicsOptions, context: CommandContext): Promise<ExitCode> {
  const wanted = await wantedTopics(options, context)
  await using log = await openLog(options.to, options, context)
  const rows = await look(wanted, log.admin, context.signal)
  // A directory knows permissions of files alone.
  const acls = parseLogUrl(options.to).kind === 'kafka' ? rows.flatMap(({ topic }) => aclsOf(topic)) : []
  await context.output.write(formatTopics(rows, { output: options.output, acls }))
  if (rows.some(({ state }) => state === 'missing' || state === 'unfit')) return 1
  return rows.some(({ state }) => state === 'unknown') ? 3 : 0
}

async function apply(options: TopicsOptions, context: CommandContext): Promise<ExitCode> {
  const { signal, output } = context
  const wanted = await wantedTopics(options, context)
  await using log = await openLog(options.to, options, context)
  const plans = []
  for (const topic of wanted)
    plans.push({ topic, plan: planTopic(topic, await log.admin.describe(topic.topic, signal)) })
  // All are looked at before the first is created: an unfit one leaves nothing half done.
  for (const { topic, plan: found } of plans) {
    if (found.kind === 'unfit') throw unfitTopic(topic.topic, found.problems)
  }
  for (const { plan: found } of plans) {
    if (found.kind !== 'missing') continue
    const outcome = await log.admin.create(found.spec, signal)
    await output.write(`${found.spec.topic}: ${outcome === 'created' ? 'created' : 'exists already'}\n`)
  }
  const rows = await look(wanted, log.admin, signal)
  for (const { topic, warnings } of rows) for (const { what, fix } of warnings) output.warn(`${topic}: ${what}: ${fix}`)
  return 0
}

async function wantedTopics(options: TopicsOptions, context: CommandContext): Promise<readonly WantedTopic[]> {
  await using cluster = await openCluster(options, context)
  return resolveResources(options, cluster.catalogue).map(({ resource, partitions }) => ({
    topic: topicName({ prefix: options.prefix, cluster: options.cluster, resource }),
    partitions,
    replicationFactor: options.replicationFactor,
  }))
}

async function look(
  wanted: readonly WantedTopic[],
  admin: TopicAdmin,
  signal: AbortSignal,
): Promise<readonly TopicRow[]> {
  const rows: TopicRow[] = []
  for (const topic of wanted) rows.push(await lookAt(topic, admin, signal))
  return rows
}

async function lookAt(wanted: WantedTopic, admin: TopicAdmin, signal: AbortSignal): Promise<TopicRow> {
  const { topic, partitions = 1 } = wanted
  try {
    const found = planTopic(wanted, await admin.describe(topic, signal))
    switch (found.kind) {
      case 'missing':
        return { topic, state: 'missing', partitions: found.spec.partitions, problems: [], warnings: [] }
      case 'fit':
        return { topic, state: 'same', partitions: found.partitions, problems: [], warnings: found.warnings }
      case 'unfit': {
        const { partitions: count, problems, warnings } = found
        return { topic, state: 'unfit', partitions: count, problems, warnings }
      }
      default:
        return found satisfies never
    }
  } catch (error) {
    // The others can still be told; the row and the exit code say that this one could not.
    if (!hasCode(error, 'forbidden', 'unauthorized')) throw error
    const problems = [{ what: error.message, fix: `allow Describe and DescribeConfigs on topic ${topic}` }]
    return { topic, state: 'unknown', partitions, problems, warnings: [] }
  }
}
