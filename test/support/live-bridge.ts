// A bridge of a real apiserver within the test's process, over a log in memory.

import { ByteBudget } from '../../src/base/byte-budget.ts'
import { systemClock } from '../../src/base/clock.ts'
import { runAll } from '../../src/base/lifecycle.ts'
import { silentLogger, type Logger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Bridge } from '../../src/bridge/bridge.ts'
import { createBridgeMetrics } from '../../src/bridge/bridge-metrics.ts'
import type { ResourceHealth } from '../../src/bridge/status.ts'
import { followSelections } from '../../src/cli/selections.ts'
import { lastingSources } from '../../src/cli/lasting-sources.ts'
import { resolveResources } from '../../src/cli/resolve-resources.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { CatalogueWatch } from '../../src/kube/catalogue-watch.ts'
import { createKubeClient } from '../../src/kube/client.ts'
import { loadCredentials, type CredentialsOptions } from '../../src/kube/credentials.ts'
import { discover } from '../../src/kube/discovery.ts'
import type { MemoryTopicLog } from '../../src/testing/memory-topic.ts'
import { CLUSTER } from './bridge-process.ts'

export interface LiveBridgeOptions {
  readonly log: MemoryTopicLog
  readonly credentials: Omit<CredentialsOptions, 'env'> & Partial<Pick<CredentialsOptions, 'env'>>
  readonly resource: string
  readonly namespace: string
  /** How long a resourceVersion that the cluster has not reached is asked for again. Milliseconds. */
  readonly tooLargeRetryMs: number
}

/** Disposing stops the bridge and waits for its end; it throws what the bridge failed with. */
export interface LiveBridge extends AsyncDisposable {
  health(): readonly ResourceHealth[]
  /** What it logged. */
  readonly said: readonly string[]
}

/** Starts it, over what the cluster serves when it is asked. It is not ready when this resolves. */
export async function startLiveBridge(options: LiveBridgeOptions): Promise<LiveBridge> {
  const stop = new AbortController()
  const said: string[] = []
  const logger: Logger = {
    ...silentLogger,
    info: (message) => void said.push(message),
    warn: (message) => void said.push(message),
    error: (message) => void said.push(message),
    with: () => logger,
  }
  const credentials = loadCredentials({ env: {}, ...options.credentials })
  const client = createKubeClient({ credentials, userAgent: 'kubedelta-test', clock: systemClock, log: logger })
  const catalogue = new CatalogueWatch({
    discover: (signal) => discover(client, signal),
    catalogue: await discover(client, stop.signal),
    everyMs: 1_000,
    always: false,
    clock: systemClock,
    log: logger,
  })
  const selection = { namespaces: [options.namespace], labelSelector: '', fieldSelector: '', partitions: undefined }
  const resolving = { resources: [{ resource: options.resource, ...selection }], exclude: [], partitions: new Map() }
  const budget = new ByteBudget(64 * 1024 * 1024)
  const bridge = new Bridge({
    connection: options.log,
    // As '*' selects it: a cluster that cannot be reached then does not end the start.
    resources: resolveResources(resolving, catalogue.current).map((resource) => ({ ...resource, named: false })),
    selections: followSelections(resolving, catalogue),
    createSource: lastingSources({ client, catalogue, clock: systemClock }),
    cluster: CLUSTER,
    clusterId: 'cluster-1',
    holder: 'test',
    adoptTopic: false,
    applyScopeChange: false,
    replicationFactor: -1,
    compression: 'none',
    encoderFor: () => Promise.resolve(encodeRecord({ kind: 'json' })),
    writtenSchemas: {},
    schemas: new SchemaStore(),
    resyncMs: undefined,
    // Stories wait for progress; every ten seconds would be long.
    progressIntervals: { changedMs: 500, quietMs: 60_000 },
    tooLargeRetryMs: options.tooLargeRetryMs,
    budget,
    metrics: createBridgeMetrics(createMetrics(), '0.0.0', () => budget.used),
    clock: systemClock,
    random: Math.random,
    log: logger,
  })
  const ended = runAll(stop.signal, [(signal) => bridge.run(signal), (signal) => catalogue.run(signal)])
  // Whoever disposes of it gets the failure.
  ended.catch(() => {})
  return {
    health: () => bridge.health(),
    said,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
      await client[Symbol.asyncDispose]()
    },
  }
}
