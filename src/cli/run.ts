// `kubedelta run`: wires the bridge to a cluster, a log, and its probes.

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { ByteBudget } from '../base/byte-budget.ts'
import { runAll } from '../base/lifecycle.ts'
import { createMetrics } from '../base/metrics.ts'
import { Bridge, BUFFER_BYTES, type BridgeOptions } from '../bridge/bridge.ts'
import { createBridgeMetrics } from '../bridge/bridge-metrics.ts'
import { recordSchema } from '../codec/avro.ts'
import { encodeRecord } from '../codec/codec.ts'
import { SchemaStore } from '../codec/schema-source.ts'
import { CatalogueWatch } from '../kube/catalogue-watch.ts'
import { discover } from '../kube/discovery.ts'
import { readClusterId } from '../kube/identity.ts'
import { SchemaRegistry } from '../registry/registry.ts'
import { bridgeHealth } from './bridge-health.ts'
import type { RunOptions } from './command-options.ts'
import type { CommandContext } from './context.ts'
import { lastingSources } from './lasting-sources.ts'
import { openCluster, untilStarted } from './open-cluster.ts'
import { openElection } from './open-election.ts'
import { openHealth } from './open-health.ts'
import { openLog } from './open-log.ts'
import { resolveResources } from './resolve-resources.ts'
import { followSelections } from './selections.ts'
import { watchGroups } from './watch-groups.ts'

/**
 * Writes what happens to the selected objects to their topics until the signal aborts.
 * @throws KubedeltaError whatever keeps it from starting or going on; the exit code follows from its code
 */
export async function run(options: RunOptions, context: CommandContext): Promise<void> {
  const { log, signal, clock, version } = context
  await using cluster = await openCluster(options, context)
  const resources = resolveResources(options, cluster.catalogue)
  const takesAll = options.resources.some(({ resource }) => resource === '*')
  const catalogue = new CatalogueWatch({
    discover: (both) => discover(cluster.client, both),
    catalogue: cluster.catalogue,
    everyMs: DISCOVERY_INTERVAL_MS,
    always: takesAll,
    clock,
    log,
  })
  const clusterId =
    options.clusterId ??
    (await untilStarted(() => readClusterId(cluster.client, signal), {
      action: 'read the identity of the cluster',
      timeoutMs: options.startupTimeoutMs,
      context,
    }))
  await using connection = await openLog(options.to, options, context)
  const metrics = createMetrics()
  const budget = new ByteBudget(BUFFER_BYTES)
  // A process id alone comes back: in a container it is always the same one.
  const holder = `${hostname()}_${randomUUID()}`
  const { credentials } = cluster
  const bridgeMetrics = createBridgeMetrics(metrics, version, () => budget.used)
  await using election = options.leaderElect
    ? openElection(options, { credentials, cluster: options.cluster, identity: holder, metrics, context })
    : undefined
  const bridge = new Bridge({
    ...options,
    ...(election === undefined ? {} : { election: election.candidate }),
    connection,
    resources,
    selections: followSelections(options, catalogue),
    createSource: lastingSources({ client: cluster.client, catalogue, clock }),
    clusterId,
    holder,
    replicationFactor: options.replicationFactor ?? -1,
    ...codecOf(options, context),
    resyncMs: options.resyncMs,
    coalesce: !options.noCoalesce,
    budget,
    metrics: bridgeMetrics,
    clock,
    random: Math.random,
    log,
  })
  await using health = await openHealth({
    listen: options.metricsListen,
    source: bridgeHealth(bridge, clock, {
      unreachableGroups: () => (takesAll ? catalogue.current.unreachableGroups : []),
    }),
    metrics,
    log,
  })
  log.info('starting', { cluster: options.cluster, clusterId, to: options.to, resources: resources.length })
  await runAll(signal, [
    (both) => bridge.run(both),
    (both) => catalogue.run(both),
    ...(takesAll ? [(both: AbortSignal) => watchGroups(catalogue, { synced: bridgeMetrics.synced, log }, both)] : []),
    ...(health === undefined ? [] : [health.run.bind(health)]),
  ])
  log.info('stopped')
}

/** Changes of definitions are noticed at once where the bridge may watch them. */
const DISCOVERY_INTERVAL_MS = 60_000

type Codec = Pick<BridgeOptions, 'encoderFor' | 'writtenSchemas' | 'schemas' | 'fetchSchema'>

function codecOf(
  { format, registry: url, startupTimeoutMs: timeoutMs }: Pick<RunOptions, 'format' | 'registry' | 'startupTimeoutMs'>,
  context: CommandContext,
): Codec {
  const schemas = new SchemaStore()
  const writtenSchemas = format === 'avro' ? { [recordSchema.fingerprint]: recordSchema.canonical } : {}
  if (url === undefined) {
    const encode = encodeRecord({ kind: format })
    return { schemas, writtenSchemas, encoderFor: () => Promise.resolve(encode) }
  }
  const registry = new SchemaRegistry({ url })
  return {
    schemas,
    writtenSchemas,
    encoderFor: async (topic) => {
      const register = (): Promise<number> => registry.register(topic, recordSchema.canonical)
      const action = `register the schema of topic ${topic} at ${url}`
      return encodeRecord({ kind: 'confluent', id: await untilStarted(register, { action, timeoutMs, context }) })
    },
    fetchSchema: (id) =>
      untilStarted(() => registry.load(id, schemas), { action: `fetch schema ${id} from ${url}`, timeoutMs, context }),
  }
}
