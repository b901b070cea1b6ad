// `kubedelta verify --digest`: says whether topics hold what their bridge says they hold, without asking the cluster.

import { fromUnknown, hasCode } from '../base/errors.ts'
import { topicOf } from '../consumer/topic-of.ts'
import { builtinResourceName } from '../object/builtin-resources.ts'
import { fromHeaders, isReservedKey, type Control } from '../record/control.ts'
import type { StoredRecord, TopicLog } from '../topic/port.ts'
import type { VerifyOptions } from './command-options.ts'
import type { CommandContext } from './context.ts'
import { DigestAudit, type DigestVerdict } from './digest-audit.ts'
import { openLog } from './open-log.ts'
import { RecordSchemas } from './record-schemas.ts'

/**
 * Reads each topic to the end that it has at the start and compares the newest digest of each partition; a JSON line a resource on
 * stdout: `{"resource":..,"topic":N,"partitions":N,"asOf":..,"different":[{"partition":..}],"unknown":[..]}`. `asOf` is the oldest of
 * the digests that were compared.
 *
 * @returns the exit code: 0 all the same, 1 something differs or cannot be read, 3 a partition has no digest that can be compared
 * @throws KubedeltaError `usage` for '*', which only a cluster can resolve; `topic-missing`, and as connecting and reading do
 */
export async function verifyDigests(options: VerifyOptions, context: CommandContext): Promise<number> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(options.timeoutMs)])
  await using log = await openLog(options.from, options, context)
  const codes: number[] = []
  for (const { resource } of options.resources) {
    const name = builtinResourceName(resource)
    const topic = topicOf({ from: options.from, resource: name, cluster: options.cluster, prefix: options.prefix })
    const { line, code } = await verifyTopic(
      { log, topic, resource: name, registry: options.registry, signal },
      context,
    )
    if (line !== undefined) await context.output.write(`${JSON.stringify(line)}\n`)
    codes.push(code)
  }
  return codes.includes(1) ? 1 : Math.max(...codes, 0)
}

/** What came of one partition. */
export interface PartitionVerdict {
  readonly partition: number
  readonly verdict: DigestVerdict
}

interface TopicToVerify {
  readonly log: TopicLog
  readonly topic: string
  readonly resource: string
  readonly registry: string | undefined
  readonly signal: AbortSignal
}

async function verifyTopic(
  { log, topic, resource, registry, signal }: TopicToVerify,
  { output }: CommandContext,
): Promise<{ readonly line?: object; readonly code: number }> {
  try {
    const until = await log.admin.offsets(topic, 'latest', signal)
    const from = await log.admin.offsets(topic, 'earliest', signal)
    const partitions = new Map([...from.keys()].map((partition) => [partition, new DigestAudit()]))
    const schemas = new RecordSchemas(registry)
    let newest: Control | undefined
    let unreadable = 0
    await using reader = await log.openReader({ signal })
    for await (const batch of reader.read({ topic, from, until, signal })) {
      unreadable += batch.broken?.length ?? 0
      const audit = partitions.get(batch.partition)
      for (const stored of batch.records) {
        try {
          const control = await takeRecord(stored, audit, schemas)
          if (control !== undefined && (newest === undefined || control.epoch >= newest.epoch)) newest = control
        } catch (error) {
          if (!hasCode(error, 'corrupt', 'unknown-schema')) throw error
          unreadable += 1
        }
      }
    }
    signal.throwIfAborted()
    for (const [partition, audit] of partitions) audit.reach(until.get(partition) ?? 0)
    if (unreadable > 0) {
      output.warn(`kubedelta: ${unreadable} records of ${topic} cannot be read; 'kubedelta tail' names them`)
    }
    const verdicts = [...partitions].map(([partition, audit]) => ({
      partition,
      verdict: audit.verdict(newest?.streamId),
    }))
    for (const reason of reasonsUnknown(verdicts)) {
      output.warn(`kubedelta: cannot tell whether ${resource} is intact: ${reason}`)
    }
    const keys = [...partitions.values()].reduce((sum, { size }) => sum + size, 0)
    return conclusion({ resource, topic: keys, partitions: partitions.size }, verdicts, unreadable)
  } catch (cause) {
    const error = fromUnknown(cause, `Cannot verify ${resource}`)
    if (error.code !== 'aborted' && error.code !== 'timeout' && !signal.aborted) throw error
    output.warn(`kubedelta: cannot tell whether ${resource} is intact: its topic was not read to its end in time`)
    return { code: 3 }
  }
}

/** The control record, where it is one. */
async function takeRecord(
  stored: StoredRecord,
  audit: DigestAudit | undefined,
  schemas: RecordSchemas,
): Promise<Control | undefined> {
  const key = stored.key.toString()
  audit?.reach(stored.offset)
  schemas.learn(stored)
  if (isReservedKey(key)) {
    const control = fromHeaders(key, stored.headers)
    if (control?.kind === 'digest') audit?.takeDigest(control, stored.offset)
    return control
  }
  if (stored.value === null) {
    // The one behind a DELETED finds nothing left to take away, and its DELETED has said what there was.
    audit?.take({ kind: 'gone', key, previous: undefined })
    return undefined
  }
  const { op, uid, resourceVersion, previous } = await schemas.decode(stored.value)
  audit?.take(
    op === 'DELETED'
      ? { kind: 'gone', key, previous }
      : { kind: 'present', object: { key, uid, resourceVersion }, previous },
  )
  return undefined
}

/** Why partitions cannot be judged, and what can be done about it: a line a reason. */
export function reasonsUnknown(verdicts: readonly PartitionVerdict[]): readonly string[] {
  const of = (kind: DigestVerdict['kind']): string =>
    verdicts.flatMap(({ partition, verdict }) => (verdict.kind === kind ? [partition] : [])).join(', ')
  const none = of('none')
  const unknown = of('unknown')
  return [
    ...(none === ''
      ? []
      : [
          `no digest of the present content stands in partitions ${none}: a bridge writes one when its first list is complete, unless it ` +
            `runs with --digest-interval 0; compare with the cluster by leaving out --digest`,
        ]),
    ...(unknown === ''
      ? []
      : [
          `compaction has taken away records behind the newest digest of partitions ${unknown}: ask again after the next one, which a ` +
            `running bridge writes every --digest-interval (10 minutes by default); or compare with the cluster by leaving out --digest`,
        ]),
  ]
}

function conclusion(
  head: { readonly resource: string; readonly topic: number; readonly partitions: number },
  verdicts: readonly PartitionVerdict[],
  unreadable: number,
): { readonly line: object; readonly code: number } {
  const different = verdicts.flatMap(({ partition, verdict }) =>
    verdict.kind === 'different' ? [{ partition, wanted: verdict.wanted, current: verdict.current }] : [],
  )
  const unknown = verdicts.flatMap(({ partition, verdict }) =>
    verdict.kind === 'none' || verdict.kind === 'unknown' ? [partition] : [],
  )
  const times = verdicts.flatMap(({ verdict }) => (verdict.kind === 'none' ? [] : [verdict.asOf]))
  const asOf = times.length === 0 ? null : new Date(Math.min(...times)).toISOString()
  const code = different.length > 0 || unreadable > 0 ? 1 : unknown.length > 0 ? 3 : 0
  return { line: { ...head, asOf, different, unknown, unreadable }, code }
}
