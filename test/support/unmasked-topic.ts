// A topic of Secrets as an earlier version left it, which knew no policies.

import { toControlRecord } from '../../src/bridge/wire.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { keyOf } from '../../src/object/key.ts'
import { scopeText } from '../../src/record/scope.ts'
import type { SimulatedCluster } from '../../src/testing/simulated/cluster.ts'
import { isJsonObject, textAt, type Json, type JsonObject } from '../../src/testing/simulated/json.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import type { TopicLog } from '../../src/topic/port.ts'
import { sampleRecord } from '../unit/record/samples.ts'
import { CLUSTER } from './bridge-process.ts'

export interface UnmaskedTopicOptions {
  /** Exists, and is empty. */
  readonly topic: string
  readonly partitions: number
  readonly cluster: SimulatedCluster
}

/** Appends every Secret of the cluster as it is, and says that this is all. */
export async function writeUnmasked(log: TopicLog, options: UnmaskedTopicOptions): Promise<void> {
  const { topic, partitions, cluster } = options
  const signal = AbortSignal.timeout(120_000)
  const encode = encodeRecord({ kind: 'json' })
  const identity = { cluster: CLUSTER, group: '', version: 'v1', resource: 'secrets', kind: 'Secret', epoch: 1 }
  const asOf = Date.now()
  await using writer = await log.openWriter({ topic, transactionalId: `kubedelta/${topic}`, signal })
  for (const item of cluster.objects('secrets')) {
    const of = (field: string): string => textAt(item, 'metadata', field)
    const [namespace, name] = [of('namespace'), of('name')]
    const facts = { namespace, name, uid: of('uid'), resourceVersion: of('resourceVersion') }
    const object = Buffer.from(JSON.stringify(item))
    const value = encode(sampleRecord({ ...identity, ...facts, object, cause: 'LIST', initial: true }))
    const key = Buffer.from(keyOf(namespace, name))
    const records = [{ key, value, headers: [], timestampMs: asOf }]
    void writer.append(partitionOf(key, partitions), { records })
  }
  const home = cluster.objects('namespaces').find((object) => textAt(object, 'metadata', 'name') === 'kube-system')
  const secrets = { group: '', resource: 'secrets' }
  const progress = toControlRecord({
    kind: 'progress',
    synced: true,
    resourceVersion: cluster.resourceVersion,
    clusterId: textAt(home, 'metadata', 'uid'),
    cluster: CLUSTER,
    streamId: 'stream',
    epoch: 1,
    producerId: writer.producerId,
    holder: 'an earlier version',
    asOf,
    partitions,
    scope: scopeText({ resource: secrets, namespaces: [], labelSelector: '', fieldSelector: '' }),
    policy: 'none',
    schemas: {},
  })
  for (let partition = 0; partition < partitions; partition++) void writer.append(partition, { records: [progress] })
  await writer.flush(signal)
}

/** A Secret as this version publishes it. */
export function masked(secret: JsonObject): JsonObject {
  const { data, metadata } = secret
  return {
    ...secret,
    ...(isJsonObject(data) ? { data: each(data, 'KioqKioq') } : {}),
    ...(isJsonObject(metadata) && isJsonObject(metadata['annotations'])
      ? { metadata: { ...metadata, annotations: each(metadata['annotations'], '******') } }
      : {}),
  }
}

function each(map: JsonObject, mask: Json): JsonObject {
  return Object.fromEntries(Object.keys(map).map((key) => [key, mask]))
}
