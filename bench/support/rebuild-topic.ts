// Writes topics for the rebuild benchmark, by this project's own writer and in its own wire format.

import { connect } from '../../src/connect/connect.ts'
import { encodeRecord } from '../../src/codec/codec.ts'
import { recordSchema } from '../../src/codec/avro.ts'
import { controlKey, toHeaders, type Progress } from '../../src/record/control.ts'
import type { KubeRecord } from '../../src/record/record.ts'
import { topicSpec } from '../../src/topic/plan.ts'
import { partitionOf } from '../../src/topic/partition.ts'
import type { Compression } from '../../src/topic/port.ts'

export interface FillOptions {
  readonly brokers: string
  readonly topic: string
  /** As `topicCache` names it. */
  readonly cluster: string
  readonly records: number
  readonly keys: number
  readonly size: ObjectSize
  readonly partitions: number
  readonly format: 'json' | 'avro'
  readonly compression: Compression
}

/** `pod`: about 2.3 KB; `small`: about 180 bytes. */
export type ObjectSize = 'pod' | 'small'

export interface Filled {
  /** Of an object, on average. */
  readonly bytesOfObject: number
}

/**
 * Writes `records` records that go round `keys` keys (Add first, then Updates), and on every partition the progress that makes a cache
 * of it Live.
 */
export async function fillTopic(options: FillOptions): Promise<Filled> {
  const { brokers, topic, records, partitions, compression } = options
  const { signal } = new AbortController()
  const encode = encodeRecord({ kind: options.format })
  await using log = await connect(`kafka://${brokers}`, { signal })
  const spec = topicSpec({ topic, partitions })
  // Every reader is to meet the same records: nothing is compacted between them.
  const config = new Map([...spec.config, ['min.compaction.lag.ms', '3600000']])
  await log.admin.create({ ...spec, config }, signal)
  await using writer = await log.openWriter({ topic, transactionalId: `kubedelta/${topic}`, compression, signal })
  let bytes = 0
  let window: Array<Promise<unknown>> = []
  for (let index = 0; index < records; index += 1) {
    const record = recordAt(index, options)
    bytes += record.object?.length ?? 0
    const key = Buffer.from(`${record.namespace}/${record.name}`)
    const stored = { key, value: encode(record), headers: [], timestampMs: record.observedAt }
    window.push(writer.append(partitionOf(key, partitions), { records: [stored] }))
    if (window.length < WINDOW) continue
    await Promise.all(window)
    window = []
  }
  await Promise.all(window)
  const progress = progressOf(options, writer.producerId)
  const control = {
    key: Buffer.from(controlKey(progress)),
    value: null,
    headers: toHeaders(progress),
    timestampMs: progress.asOf,
  }
  for (let partition = 0; partition < partitions; partition += 1) {
    await writer.append(partition, { records: [control] })
  }
  return { bytesOfObject: Math.round(bytes / records) }
}

/** Appended and not acknowledged at once. */
const WINDOW = 5_000
const START_MS = Date.parse('2026-03-01T10:00:00Z')

function recordAt(index: number, { keys, cluster, size }: FillOptions): KubeRecord {
  const key = index % keys
  const round = Math.floor(index / keys)
  const namespace = `shop-${key % 20}`
  const name = `cart-7d9c6b8f5-${key.toString(36).padStart(5, '0')}`
  const uid = uidOf(key)
  const resourceVersion = String(1_000_000 + index)
  const identity = { namespace, name, uid, resourceVersion }
  return {
    op: round === 0 ? 'ADDED' : 'UPDATED',
    cause: round === 0 ? 'LIST' : 'WATCH',
    finalStateUnknown: false,
    initial: round === 0,
    cluster,
    group: '',
    version: 'v1',
    resource: 'pods',
    kind: 'Pod',
    ...identity,
    previous: round === 0 ? null : { uid, resourceVersion: String(1_000_000 + index - keys) },
    observedAt: START_MS + index,
    epoch: 1,
    object: Buffer.from(JSON.stringify(size === 'pod' ? podOf(key, round, identity) : smallOf(round, identity))),
  }
}

interface Identity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
}

function uidOf(key: number): string {
  return `${key.toString(16).padStart(8, '0')}-5b1e-4c57-9e0f-${((key * 7919) % 2 ** 48).toString(16).padStart(12, '0')}`
}

/** A pod as small ones are: one container, without managedFields. */
function podOf(key: number, round: number, identity: Identity): object {
  const digest = (key * 48_271 + round).toString(16).padStart(64, '0')
  const image = `registry.example.com/shop/cart:v1.${key % 10}.${round}`
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      ...identity,
      generateName: 'cart-7d9c6b8f5-',
      creationTimestamp: '2026-03-01T10:00:00Z',
      labels: { app: 'cart', 'app.kubernetes.io/part-of': 'shop', 'pod-template-hash': '7d9c6b8f5' },
      annotations: { 'prometheus.io/scrape': 'true', 'example.com/note': 'written "by hand", then by tools' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'cart-7d9c6b8f5', uid: uidOf(key % 1000), controller: true },
      ],
    },
    spec: {
      nodeName: `node-${key % 100}`,
      serviceAccountName: 'default',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      volumes: [{ name: 'settings', configMap: { name: `settings-${key % 50}`, defaultMode: 420 } }],
      containers: [
        {
          name: 'cart',
          image: `${image}@sha256:${digest}`,
          args: ['--listen=0.0.0.0:8080', '--log-level=info'],
          ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
          env: [{ name: 'PAYMENTS', value: 'http://payments.shop.svc:8080/v1' }],
          resources: { limits: { cpu: '500m', memory: '512Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
          volumeMounts: [{ name: 'settings', readOnly: true, mountPath: '/etc/settings' }],
          imagePullPolicy: 'IfNotPresent',
        },
      ],
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
    },
    status: {
      phase: 'Running',
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
        type,
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: '2026-03-01T10:00:05Z',
      })),
      hostIP: '10.0.0.7',
      podIP: `10.1.${(key >> 8) % 256}.${key % 256}`,
      startTime: '2026-03-01T10:00:00Z',
      containerStatuses: [
        {
          name: 'cart',
          state: { running: { startedAt: '2026-03-01T10:00:04Z' } },
          ready: true,
          restartCount: round,
          image,
          containerID: `containerd://${digest}`,
          started: true,
        },
      ],
      qosClass: 'Burstable',
    },
  }
}

function smallOf(round: number, metadata: Identity): object {
  return { kind: 'Pod', apiVersion: 'v1', metadata, status: { phase: round % 2 === 0 ? 'Running' : 'Pending' } }
}

function progressOf({ cluster, records, partitions }: FillOptions, producerId: string): Progress {
  return {
    kind: 'progress',
    clusterId: '4a3f1c52-0d2e-4c57-9e0f-0242ac120002',
    cluster,
    streamId: 'bench',
    epoch: 1,
    producerId,
    holder: 'bench',
    asOf: START_MS + records,
    partitions,
    scope: 'pods; namespaces: *; labels: *; fields: *',
    policy: 'none',
    schemas: { [recordSchema.fingerprint]: recordSchema.canonical },
    synced: true,
    resourceVersion: String(1_000_000 + records),
  }
}
