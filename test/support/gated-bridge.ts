// A bridge within the test's process whose first list stops half-way until the test lets it go on.

import { ByteBudget } from '../../src/base/byte-budget.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createMetrics } from '../../src/base/metrics.ts'
import { Bridge } from '../../src/bridge/bridge.ts'
import { createBridgeMetrics } from '../../src/bridge/bridge-metrics.ts'
import { recordSchema } from '../../src/codec/avro.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { SchemaStore } from '../../src/codec/schema-source.ts'
import { findResource } from '../../src/kube/catalogue.ts'
import { createKubeClient } from '../../src/kube/client.ts'
import { loadCredentials } from '../../src/kube/credentials.ts'
import { discover } from '../../src/kube/discovery.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { createHttpSource } from '../../src/watch/http-source.ts'
import type { ListWatch } from '../../src/watch/source.ts'
import { CLUSTER } from './bridge-process.ts'

export interface GatedBridgeOptions {
  readonly connection: TopicLog
  readonly kubeconfig: string
  readonly resource: string
  readonly namespace: string
  readonly prefix: string
  /** Objects that pass before the gate is opened. */
  readonly first: number
}

/** Disposing stops the bridge and waits for its end; it throws what the bridge failed with. */
export interface GatedBridge extends AsyncDisposable {
  /** Lets everything behind the first objects pass. */
  open(): void
}

/** Starts it, writing Avro without a registry. */
export async function startGatedBridge(options: GatedBridgeOptions): Promise<GatedBridge> {
  const { connection, kubeconfig, namespace, prefix, first } = options
  const stop = new AbortController()
  const gate = Promise.withResolvers<void>()
  const credentials = loadCredentials({ kubeconfig, env: {} })
  const client = createKubeClient({ credentials, userAgent: 'kubedelta-test', clock: systemClock, log: silentLogger })
  const resource = findResource(await discover(client, stop.signal), options.resource)
  const selected = { resource, namespaces: [namespace], labelSelector: '', fieldSelector: '' }
  const budget = new ByteBudget(64 * 1024 * 1024)
  const bridge = new Bridge({
    connection,
    resources: [{ ...selected, partitions: undefined, named: true }],
    createSource: () => gated(createHttpSource({ client, resource, namespace }), first, gate.promise),
    cluster: CLUSTER,
    clusterId: 'cluster-1',
    prefix,
    holder: 'test',
    adoptTopic: false,
    applyScopeChange: false,
    replicationFactor: -1,
    compression: 'gzip',
    encoderFor: () => Promise.resolve(encodeRecord({ kind: 'avro' })),
    writtenSchemas: { [recordSchema.fingerprint]: recordSchema.canonical },
    schemas: new SchemaStore(),
    resyncMs: undefined,
    budget,
    metrics: createBridgeMetrics(createMetrics(), '0.0.0', () => budget.used),
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
  })
  const ended = bridge.run(stop.signal)
  // Whoever disposes of it gets the failure.
  ended.catch(() => {})
  return {
    open: () => gate.resolve(),
    async [Symbol.asyncDispose]() {
      gate.resolve()
      stop.abort()
      await ended
      await client[Symbol.asyncDispose]()
    },
  }
}

/** The same source, all of whose answers together stop behind so many objects until the gate opens. */
function gated(source: ListWatch, first: number, gate: Promise<void>): ListWatch {
  let objects = 0
  async function* held<F extends object>(frames: AsyncIterable<readonly F[]>): AsyncIterable<readonly F[]> {
    for await (const chunk of frames) {
      for (const frame of chunk) {
        if (objects >= first) await gate
        if ('object' in frame) objects += 1
        yield [frame]
      }
    }
  }
  return {
    resource: source.resource,
    name: source.name,
    list: (request, signal) =>
      request.limit === 1 ? source.list(request, signal) : held(source.list(request, signal)),
    watch: (request, signal) => held(source.watch(request, signal)),
  }
}
